//! Labels of one object, packed into one allocation.

/// Label keys and values, in input order, one allocation for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// `key \0 value \0` for each label
    packed: Box<str>,
}

impl Labels {
    /// Packs the pairs, keeping their order. Keys and values must not contain NUL
    /// (the API server's validation sees to that; a NUL is replaced by U+FFFD).
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut packer = Packer::default();
        for (key, value) in pairs {
            packer.push(key, value);
        }
        packer.finish()
    }

    /// The pairs in input order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.packed.split_terminator('\0');
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }
}

/// Packs pairs one by one.
#[derive(Debug, Default)]
pub struct Packer {
    packed: String,
}

impl Packer {
    /// Appends a pair; a NUL in it becomes U+FFFD.
    pub fn push(&mut self, key: &str, value: &str) {
        for part in [key, value] {
            match memchr::memchr(0, part.as_bytes()) {
                Some(_) => self.packed.push_str(&part.replace('\0', "\u{fffd}")),
                None => self.packed.push_str(part),
            }
            self.packed.push('\0');
        }
    }

    /// The labels.
    pub fn finish(self) -> Labels {
        Labels { packed: self.packed.into_boxed_str() }
    }
}
