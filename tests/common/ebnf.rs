//! Grammar files, as ISO 14977 writes them: read, asked whether a text can be derived, and made sentences of.

use super::Numbers;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A right-hand side of a grammar.
pub enum Term {
    Literal(String),
    Name(String),
    Sequence(Vec<Term>),
    Choice(Vec<Term>),
    Optional(Box<Term>),
    Repeated(Box<Term>),
    /// what the first makes, but what the second makes
    Except(Box<Term>, Box<Term>),
}

/// What a grammar says in words only.
pub struct Terminal {
    /// name in the grammar
    pub name: &'static str,
    /// the offsets up to which a text matches from an offset on
    pub ends: fn(&str, usize) -> Vec<usize>,
    /// adds a text that matches
    pub make: fn(&mut Numbers, &mut String),
}

/// Reads the notation.
struct Reader<'g> {
    rest: &'g str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let Some(comment) = self.rest.strip_prefix("(*") else { return };
            self.rest = &comment[comment.find("*)").expect("a comment ends") + 2..];
        }
    }

    fn eat(&mut self, symbol: char) -> bool {
        self.skip();
        let found = self.rest.starts_with(symbol);
        if found {
            self.rest = &self.rest[symbol.len_utf8()..];
        }
        found
    }

    fn name(&mut self) -> String {
        self.skip();
        let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let end = self.rest.find(|c| !part(c)).expect("a name ends");
        let (name, rest) = self.rest.split_at(end);
        assert!(!name.is_empty(), "a name is missing before {}", self.rest);
        self.rest = rest;
        name.to_owned()
    }

    fn choice(&mut self) -> Term {
        let mut all = vec![self.sequence()];
        while self.eat('|') {
            all.push(self.sequence());
        }
        Term::Choice(all)
    }

    fn sequence(&mut self) -> Term {
        let mut all = vec![self.exception()];
        while self.eat(',') {
            all.push(self.exception());
        }
        Term::Sequence(all)
    }

    fn exception(&mut self) -> Term {
        let whole = self.factor();
        match self.eat('-') {
            true => Term::Except(Box::new(whole), Box::new(self.factor())),
            false => whole,
        }
    }

    fn factor(&mut self) -> Term {
        self.skip();
        for quote in ['"', '\''] {
            if self.eat(quote) {
                let end = self.rest.find(quote).expect("a literal ends");
                let literal = self.rest[..end].to_owned();
                self.rest = &self.rest[end + 1..];
                return Term::Literal(literal);
            }
        }
        let optional = |inner| Term::Optional(Box::new(inner));
        let repeated = |inner| Term::Repeated(Box::new(inner));
        let wraps: [fn(Term) -> Term; 3] = [optional, repeated, |inner| inner];
        let brackets = [('[', ']'), ('{', '}'), ('(', ')')];
        for ((open, close), wrap) in brackets.into_iter().zip(wraps) {
            if self.eat(open) {
                let inner = self.choice();
                assert!(self.eat(close), "`{close}` missing before {}", self.rest);
                return wrap(inner);
            }
        }
        Term::Name(self.name())
    }
}

/// The rules of a grammar file.
pub fn rules(text: &str) -> BTreeMap<String, Term> {
    let mut reader = Reader { rest: text };
    let mut rules = BTreeMap::new();
    loop {
        reader.skip();
        if reader.rest.is_empty() {
            return rules;
        }
        let name = reader.name();
        assert!(reader.eat('='), "`=` missing after {name}");
        let right = reader.choice();
        assert!(reader.eat(';'), "`;` missing before {}", reader.rest);
        assert!(rules.insert(name, right).is_none());
    }
}

/// A grammar with what it says in words.
pub struct Grammar {
    rules: BTreeMap<String, Term>,
    terminals: &'static [Terminal],
}

impl Grammar {
    /// Reads a grammar file; every name in it has to mean something.
    pub fn new(text: &str, terminals: &'static [Terminal]) -> Grammar {
        let grammar = Grammar { rules: rules(text), terminals };
        grammar.rules.values().for_each(|term| grammar.assert_known(term));
        grammar
    }

    fn assert_known(&self, term: &Term) {
        match term {
            Term::Literal(_) => {}
            Term::Name(name) => {
                assert!(self.rules.contains_key(name) || self.terminal(name).is_some(), "what is `{name}`?");
            }
            Term::Sequence(all) | Term::Choice(all) => all.iter().for_each(|term| self.assert_known(term)),
            Term::Optional(inner) | Term::Repeated(inner) => self.assert_known(inner),
            Term::Except(whole, but) => {
                self.assert_known(whole);
                self.assert_known(but);
            }
        }
    }

    fn terminal(&self, name: &str) -> Option<&Terminal> {
        self.terminals.iter().find(|terminal| terminal.name == name)
    }

    /// Whether a rule makes a text.
    pub fn derives(&self, rule: &str, text: &str) -> bool {
        let recognizer = Recognizer { grammar: self, text, known: RefCell::default() };
        recognizer.ends(&self.rules[rule], 0).contains(&text.len())
    }

    /// A text that a rule makes.
    pub fn sentence(&self, rule: &str, numbers: &mut Numbers) -> String {
        let mut out = String::new();
        self.make(&self.rules[rule], numbers, &mut out);
        out
    }

    fn make(&self, term: &Term, numbers: &mut Numbers, out: &mut String) {
        match term {
            Term::Literal(literal) => out.push_str(literal),
            Term::Name(name) => match self.terminal(name) {
                Some(terminal) => (terminal.make)(numbers, out),
                None => self.make(&self.rules[name], numbers, out),
            },
            Term::Sequence(all) => all.iter().for_each(|term| self.make(term, numbers, out)),
            Term::Choice(all) => {
                let choice = &all[numbers.below(all.len())];
                self.make(choice, numbers, out);
            }
            Term::Optional(inner) => {
                if numbers.below(2) == 0 {
                    self.make(inner, numbers, out);
                }
            }
            Term::Repeated(inner) => {
                for _ in 0..[0, 1, 2, 3][numbers.below(4)] {
                    self.make(inner, numbers, out);
                }
            }
            Term::Except(whole, but) => loop {
                let mut text = String::new();
                self.make(whole, numbers, &mut text);
                let recognizer = Recognizer { grammar: self, text: &text, known: RefCell::default() };
                if !recognizer.ends(but, 0).contains(&text.len()) {
                    return out.push_str(&text);
                }
            },
        }
    }
}

/// Up to where rules match one text, from each offset on.
struct Recognizer<'g> {
    grammar: &'g Grammar,
    text: &'g str,
    known: RefCell<HashMap<(&'g str, usize), BTreeSet<usize>>>,
}

impl<'g> Recognizer<'g> {
    fn ends(&self, term: &'g Term, start: usize) -> BTreeSet<usize> {
        match term {
            Term::Literal(literal) => {
                let found = self.text[start..].starts_with(&**literal);
                found.then_some(start + literal.len()).into_iter().collect()
            }
            Term::Name(name) => {
                if let Some(terminal) = self.grammar.terminal(name) {
                    return (terminal.ends)(self.text, start).into_iter().collect();
                }
                if let Some(known) = self.known.borrow().get(&(&**name, start)) {
                    return known.clone();
                }
                let ends = self.ends(&self.grammar.rules[name], start);
                self.known.borrow_mut().insert((name, start), ends.clone());
                ends
            }
            Term::Sequence(all) => all.iter().fold([start].into(), |starts: BTreeSet<usize>, term| {
                starts.into_iter().flat_map(|start| self.ends(term, start)).collect()
            }),
            Term::Choice(all) => all.iter().flat_map(|term| self.ends(term, start)).collect(),
            Term::Optional(inner) => {
                let mut ends = self.ends(inner, start);
                ends.insert(start);
                ends
            }
            Term::Repeated(inner) => {
                let mut ends: BTreeSet<usize> = [start].into();
                let mut open = vec![start];
                while let Some(start) = open.pop() {
                    open.extend(self.ends(inner, start).into_iter().filter(|end| ends.insert(*end)));
                }
                ends
            }
            Term::Except(whole, but) => {
                let mut ends = self.ends(whole, start);
                if !ends.is_empty() {
                    let but = self.ends(but, start);
                    ends.retain(|end| !but.contains(end));
                }
                ends
            }
        }
    }
}
