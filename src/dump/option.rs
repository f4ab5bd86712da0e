//! Options of matches and targets, with their values.

use super::fault::Fault;
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
fn takes_any_word(word: &Word<'_>) -> bool {
    FREE_TEXT.contains(&&word.text[2..])
}

/// The options from a word on, and where they end. `is_keyword` knows the words that are more than options.
pub(super) fn settings<'w>(
    words: &'w [Word<'_>],
    mut next: usize,
    is_keyword: impl Fn(&Word<'_>) -> bool,
) -> Result<(Vec<Opt<'w>>, usize), Fault> {
    let is_value = |word: &Word<'_>| !(is_not(word) || is_option(word) || is_keyword(word));
    let mut list = Vec::new();
    loop {
        let mut negated = words.get(next).is_some_and(is_not);
        let at = next + usize::from(negated);
        let Some(option) = words.get(at).filter(|word| is_option(word) && !is_keyword(word)) else {
            return Ok((list, next));
        };
        next = at + 1;
        let mut values: Vec<&str> = Vec::new();
        if takes_any_word(option) {
            let text = words.get(next).ok_or_else(|| Fault::no_value(option))?;
            values.push(&text.text);
            next += 1;
        } else if words.get(next).is_some_and(is_not) && words.get(next + 1).is_some_and(is_value) {
            // before 1.4.3, `!` stood behind the option
            negated = !negated;
            next += 1;
        }
        while let Some(value) = words.get(next).filter(|word| is_value(word)) {
            values.push(&value.text);
            next += 1;
        }
        list.push(Opt { negated, name: &option.text[2..], values });
    }
}
