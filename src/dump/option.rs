//! Options of matches and targets, with their values.

use super::line::Word;

/// Options whose value may be any text, also one that looks like an option.
const FREE_TEXT: [&str; 5] = ["comment", "log-prefix", "nflog-prefix", "string", "hex-string"];

/// An option of a match or target: `! --dport 80`.
#[derive(Debug)]
pub(super) struct Opt<'w> {
    /// with `!` before it or before its value
    pub negated: bool,
    /// without the dashes
    pub name: &'w str,
    /// the words that follow
    pub values: Vec<&'w str>,
}

/// It is `!`.
pub(super) fn is_not(word: &Word<'_>) -> bool {
    !word.quoted && word.text == "!"
}

/// It begins with two dashes.
pub(super) fn is_option(word: &Word<'_>) -> bool {
    !word.quoted && word.text.len() > 2 && word.text.starts_with("--")
}

/// Its value may be any word.
pub(super) fn takes_any_word(word: &Word<'_>) -> bool {
    is_option(word) && FREE_TEXT.contains(&&word.text[2..])
}

/// Words as options with their values; `None` where the first word is no option.
pub(super) fn options<'w>(words: &'w [Word<'_>]) -> Option<Vec<Opt<'w>>> {
    let mut list: Vec<Opt<'w>> = Vec::new();
    let mut negated = false;
    let mut free = false;
    for (index, word) in words.iter().enumerate() {
        if free {
            free = false;
            list.last_mut()?.values.push(&word.text);
        } else if is_not(word) {
            // before an option, or, as it was once written, before its value
            let before_option = words.get(index + 1).is_some_and(is_option);
            match list.last_mut() {
                Some(last) if !before_option => last.negated = !last.negated,
                _ => negated = true,
            }
        } else if is_option(word) {
            let name = &word.text[2..];
            free = takes_any_word(word);
            list.push(Opt { negated: std::mem::take(&mut negated), name, values: Vec::new() });
        } else {
            list.last_mut()?.values.push(&word.text);
        }
    }
    (!negated).then_some(list)
}
