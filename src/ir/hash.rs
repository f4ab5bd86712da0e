//! The hash of a rule as its comment shows it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::ops::Deref;

/// Felix's hash of a rule: the 16 characters after `cali:` in its first comment
/// (`felix/generictables/rules.go:29`, v3.32.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleHash([u8; RuleHash::LENGTH]);

impl RuleHash {
    /// Characters.
    pub const LENGTH: usize = 16;

    /// That of the beginning of a digest: three bytes are four characters of base64.
    pub fn new(digest: &[u8; RuleHash::LENGTH / 4 * 3]) -> Self {
        let mut shown = [0; RuleHash::LENGTH];
        URL_SAFE_NO_PAD.encode_slice(digest, &mut shown).expect("four characters for three bytes");
        RuleHash(shown)
    }

    /// A hash as it is shown; `None` if this is none.
    pub fn parse(shown: &str) -> Option<Self> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let shown: [u8; RuleHash::LENGTH] = shown.as_bytes().try_into().ok()?;
        shown.iter().all(plain).then_some(RuleHash(shown))
    }
}

impl Deref for RuleHash {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }
}

impl fmt::Debug for RuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
