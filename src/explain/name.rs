//! What kind of name it can be, from its looks.

/// The names that a text contains: a text may be a whole rule, copied from a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// the name of a chain
    pub chain: Option<String>,
    /// the name of a set
    pub set: Option<String>,
    /// the hash of a rule, 16 characters
    pub hash: Option<String>,
    /// the name of an interface
    pub interface: Option<String>,
}

/// Characters of a rule's hash.
const HASH_LENGTH: usize = 16;

impl Name {
    /// Reads a name, a comment `cali:HASH`, or a whole rule as `iptables-save` prints it. Of a rule,
    /// what counts is its hash, else the chain that it stands in.
    pub fn parse(text: &str) -> Self {
        let mut name = Name::default();
        let words: Vec<&str> = text.split([' ', '"', '\'']).filter(|word| !word.is_empty()).collect();
        if let [single] = words[..] {
            name.single(single);
            return name;
        }
        name.hash = words.iter().find_map(|word| hash(word.strip_prefix("cali:")?));
        if name.hash.is_none() {
            let after =
                |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1));
            name.chain = after("-A").map(|word| (*word).to_owned());
        }
        name
    }

    fn single(&mut self, word: &str) {
        let word = word.trim_start_matches(':');
        if let Some(own) = word.strip_prefix("cali:") {
            self.hash = hash(own);
        } else if word.starts_with("cali-") {
            self.chain = Some(word.to_owned());
        } else if word.starts_with("cali40") || word.starts_with("cali60") {
            self.set = Some(word.to_owned());
        } else {
            self.hash = hash(word);
            self.interface = Some(word.to_owned());
        }
    }

    /// The id of the set, without the family.
    pub fn set_id(&self) -> Option<&str> {
        self.set.as_deref().and_then(|set| set.get("cali40".len()..))
    }
}

fn hash(word: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (word.len() == HASH_LENGTH && word.bytes().all(plain)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_told_apart_by_their_looks() {
        let chain = Name::parse("cali-pi-_DGlcbEzkd1cvh5X1F7M");
        assert_eq!(chain.chain.as_deref(), Some("cali-pi-_DGlcbEzkd1cvh5X1F7M"));
        assert_eq!(Name::parse(":cali-INPUT").chain.as_deref(), Some("cali-INPUT"));
        assert_eq!(Name::parse("cali60this-host").set_id(), Some("this-host"));
        assert_eq!(Name::parse("cali:JZQLC81n2S4-qM5R").hash.as_deref(), Some("JZQLC81n2S4-qM5R"));
        let interface = Name::parse("cali5e92e48717b");
        assert_eq!((interface.interface.as_deref(), interface.hash), (Some("cali5e92e48717b"), None));
        assert_eq!(Name::parse(""), Name::default());
        assert_eq!(Name::parse("caliéé").interface.as_deref(), Some("caliéé"));
    }

    #[test]
    fn a_rule_is_known_by_its_hash_else_by_its_chain() {
        let rule =
            Name::parse(r#"-A cali-INPUT -p tcp -m comment --comment "cali:JZQLC81n2S4-qM5R" -j DROP"#);
        assert_eq!((rule.hash.as_deref(), rule.chain), (Some("JZQLC81n2S4-qM5R"), None));
        assert_eq!(Name::parse("-A cali-INPUT -j DROP").chain.as_deref(), Some("cali-INPUT"));
    }
}
