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
        let mut packed = String::new();
        for (key, value) in pairs {
            for part in [key, value] {
                if part.contains('\0') {
                    packed.push_str(&part.replace('\0', "\u{fffd}"));
                } else {
                    packed.push_str(part);
                }
                packed.push('\0');
            }
        }
        Labels { packed: packed.into_boxed_str() }
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
