//! The words of a rule → matches and action.

use super::fault::{Fault, head};
use super::line::Word;
use super::option::{Opt, is_not, is_option, settings};
use super::{matches, target, values};
use crate::ir::{Action, Match, Matcher, Origin, Protocol, Rule, RuleHash, Side};

/// What stands at the front of a rule, and needs no module.
#[derive(Clone, Copy)]
enum Basic {
    Address(Side),
    In,
    Out,
    Protocol,
    Fragment,
    Counters,
    Module,
    Jump,
    Goto,
}

fn basic(word: &Word<'_>) -> Option<Basic> {
    if word.quoted {
        return None;
    }
    Some(match &*word.text {
        "-s" | "--source" | "--src" => Basic::Address(Side::Source),
        "-d" | "--destination" | "--dst" => Basic::Address(Side::Destination),
        "-i" | "--in-interface" => Basic::In,
        "-o" | "--out-interface" => Basic::Out,
        "-p" | "--protocol" => Basic::Protocol,
        "-f" | "--fragment" => Basic::Fragment,
        "-c" | "--set-counters" => Basic::Counters,
        "-m" | "--match" => Basic::Module,
        "-j" | "--jump" => Basic::Jump,
        "-g" | "--goto" => Basic::Goto,
        _ => return None,
    })
}

/// Reads a rule. `is_chain` knows the chains that the table has so far.
pub(super) fn read<'t>(
    line: &'t str,
    words: &[Word<'t>],
    is_chain: &dyn Fn(&str) -> bool,
    origin: Origin,
) -> Result<Rule, Fault> {
    let rule = Rule { hash: None, comments: Vec::new(), matches: Vec::new(), action: None, origin };
    let mut reader = Reader { line, words, next: 0, protocol: None, first_comment: true, rule };
    while let Some(word) = words.get(reader.next) {
        let start = reader.next;
        let negated = is_not(word);
        reader.next += usize::from(negated);
        let Some(option) = words.get(reader.next) else {
            return Err(Fault::new(word.end, "an option should follow `!`"));
        };
        match basic(option) {
            Some(what) => {
                reader.next += 1;
                reader.basic(what, negated, start, is_chain)?;
            }
            None if is_option(option) => {
                // as Felix writes the options of a protocol's own match, without `-m`
                let module = reader.protocol.clone().unwrap_or_default();
                reader.next = start;
                reader.block(&module, start)?;
            }
            None => {
                return Err(Fault::new(
                    option.at,
                    format!("expected an option, found `{}`", head(&option.text)),
                ));
            }
        }
    }
    Ok(reader.rule)
}

struct Reader<'t, 'w> {
    line: &'t str,
    words: &'w [Word<'t>],
    next: usize,
    /// the protocol that is asked for, as iptables names its module
    protocol: Option<String>,
    first_comment: bool,
    rule: Rule,
}

impl<'t, 'w> Reader<'t, 'w> {
    fn basic(
        &mut self,
        what: Basic,
        mut negated: bool,
        start: usize,
        is_chain: &dyn Fn(&str) -> bool,
    ) -> Result<(), Fault> {
        let mut not = negated;
        match what {
            Basic::Fragment => {
                let text = if negated { "! -f" } else { "-f" };
                self.rule.matches.push(Match::is(Matcher::Other(text.into())));
                return Ok(());
            }
            Basic::Module | Basic::Jump | Basic::Goto | Basic::Counters if negated => {
                return Err(Fault::new(self.words[start].at, "`!` cannot stand before this option"));
            }
            Basic::Module | Basic::Jump | Basic::Goto | Basic::Counters => {}
            // before 1.4.3, `!` stood behind the option
            _ if self.words.get(self.next).is_some_and(is_not) => {
                self.next += 1;
                (not, negated) = (true, !negated);
            }
            _ => {}
        }
        let value = self.value()?;
        let mut on = |on: Matcher| self.rule.matches.push(Match { negated, on });
        match what {
            Basic::In => on(Matcher::InInterface((&*value.text).into())),
            Basic::Out => on(Matcher::OutInterface((&*value.text).into())),
            Basic::Protocol => {
                let protocol = protocol(value)?;
                let name = protocol.number().and_then(Protocol::name_of).unwrap_or(&value.text);
                self.protocol = Some(name.to_owned());
                on(Matcher::Protocol(protocol));
            }
            Basic::Address(_) if not && value.text.contains(',') => {
                return Err(Fault::new(value.at, "`!` cannot stand before several addresses"));
            }
            Basic::Address(side) => match addresses(value)? {
                Some(list) => on(Matcher::Address(side, list)),
                None => {
                    let text = self.text(start);
                    self.rule.matches.push(Match::is(Matcher::Other(text.into())));
                }
            },
            Basic::Counters => {
                // packets and bytes, as `iptables -S -v` prints them
                for counter in [value, self.value()?] {
                    if values::decimal::<u64>(&counter.text).is_none() {
                        let message =
                            format!("expected a number of 64 bits, found `{}`", head(&counter.text));
                        return Err(Fault::new(counter.at, message));
                    }
                }
            }
            Basic::Module => {
                let module = value.text.to_string();
                self.block(&module, start)?;
            }
            Basic::Jump => {
                let first = self.next;
                let options = self.settings()?;
                self.last()?;
                let raw = &self.line[value.at..self.words[self.next - 1].end];
                let own = first == self.words.len() && is_chain(&value.text);
                self.rule.action = Some(target::read(&value.text, &options, raw, own));
            }
            Basic::Goto => {
                self.last()?;
                self.rule.action = Some(Action::Goto((&*value.text).into()));
            }
            Basic::Fragment => {}
        }
        Ok(())
    }

    /// The word that must follow: not an option, and without quotes, as no program that writes dumps has them
    /// there.
    fn value(&mut self) -> Result<&'w Word<'t>, Fault> {
        let option = &self.words[self.next - 1];
        let word = self.words.get(self.next).filter(|word| !(is_not(word) || is_option(word)));
        let word = word.filter(|word| basic(word).is_none()).ok_or_else(|| Fault::no_value(option))?;
        if word.quoted {
            return Err(Fault::new(word.at, format!("`{}` should stand without quotes", head(&word.text))));
        }
        self.next += 1;
        Ok(word)
    }

    /// The options that follow, up to the next module, basic option or target.
    fn settings(&mut self) -> Result<Vec<Opt<'w>>, Fault> {
        let (list, next) = settings(self.words, self.next, |word| basic(word).is_some())?;
        self.next = next;
        Ok(list)
    }

    /// Nothing may follow.
    fn last(&self) -> Result<(), Fault> {
        let Some(word) = self.words.get(self.next) else { return Ok(()) };
        Err(Fault::new(word.at, format!("expected the end of the rule, found `{}`", head(&word.text)))
            .help("a target and its options are the last thing of a rule"))
    }

    /// What stands from a word up to where the reader is now.
    fn text(&self, start: usize) -> &'t str {
        let end = self.words[..self.next].last().map_or(0, |word| word.end);
        self.line.get(self.words[start].at..end).unwrap_or_default()
    }

    /// The options of a module.
    fn block(&mut self, module: &str, start: usize) -> Result<(), Fault> {
        let options = self.settings()?;
        if module == "comment"
            && let [Opt { negated: false, name: "comment", values }] = &*options
            && let [text] = values[..]
        {
            self.comment(text);
            return Ok(());
        }
        match matches::read(module, &options, self.protocol.as_deref(), self.text(start)) {
            Some(list) => self.rule.matches.extend(list),
            None => {
                let text = self.text(start);
                self.rule.matches.push(Match::is(Matcher::Other(text.into())));
            }
        }
        Ok(())
    }

    fn comment(&mut self, text: &str) {
        match text.strip_prefix("cali:").and_then(RuleHash::parse) {
            Some(hash) if self.first_comment => self.rule.hash = Some(hash),
            _ => self.rule.comments.push(text.to_owned().into()),
        }
        self.first_comment = false;
    }
}

fn protocol(value: &Word<'_>) -> Result<Protocol, Fault> {
    if values::is_digits(&value.text) {
        let number = value.text.parse();
        return number
            .map(Protocol::Number)
            .map_err(|_| Fault::new(value.at, format!("protocol `{}` is more than 255", head(&value.text))));
    }
    Ok(Protocol::Name((&*value.text).into()))
}

/// A list of addresses; `None` if one of them has a mask with holes.
fn addresses(value: &Word<'_>) -> Result<Option<Vec<crate::ir::Address>>, Fault> {
    let list: Result<Vec<_>, ()> = value.text.split(',').map(values::address).collect();
    list.map(|list| list.into_iter().collect()).map_err(|()| {
        Fault::new(value.at, format!("`{}` is no address", head(&value.text)))
            .help("dumps have addresses like `10.0.0.0/8` and `fd00::1/128`, never names")
    })
}
