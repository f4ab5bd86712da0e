//! The grammar file and the parser agree: what the grammar makes, the parser reads.

use netpolc::syntax::selector;
use std::collections::BTreeMap;

const GRAMMAR: &str = include_str!("../grammar/selector.ebnf");

/// A right-hand side of the grammar.
enum Term {
    Literal(String),
    Name(String),
    Sequence(Vec<Term>),
    Choice(Vec<Term>),
    Optional(Box<Term>),
    Repeated(Box<Term>),
}

/// Reads the EBNF notation that the grammar file uses.
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
        let end = self.rest.find(|c: char| !c.is_ascii_lowercase()).expect("a name ends");
        let (name, rest) = self.rest.split_at(end);
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
        let mut all = vec![self.factor()];
        while self.eat(',') {
            all.push(self.factor());
        }
        Term::Sequence(all)
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
        for (open, close, wrap) in
            [('[', ']', Term::Optional as fn(Box<Term>) -> Term), ('{', '}', Term::Repeated)]
        {
            if self.eat(open) {
                let inner = self.choice();
                assert!(self.eat(close), "`{close}` missing before {}", self.rest);
                return wrap(Box::new(inner));
            }
        }
        Term::Name(self.name())
    }
}

fn grammar() -> BTreeMap<String, Term> {
    let mut reader = Reader { rest: GRAMMAR };
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

/// A deterministic source of choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Rules inside of which no blank may stand.
const TIGHT: [&str; 4] = ["double", "single", "label", "has("];

fn make(
    rules: &BTreeMap<String, Term>,
    term: &Term,
    tight: bool,
    depth: usize,
    dice: &mut Dice,
    out: &mut String,
) {
    match term {
        Term::Literal(literal) => {
            let continues = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
            let touching = out.chars().next_back().is_some_and(continues) && literal.starts_with(continues);
            // `starts with` may be one word; after a label a word needs a blank before it
            let may_touch = matches!(
                (&**literal, out.ends_with("starts"), out.ends_with("ends"), out.ends_with("not")),
                ("with", true, _, _) | ("with", _, true, _) | ("in", _, _, true)
            );
            if !tight && ((touching && !may_touch) || dice.roll(3) == 0) {
                out.push_str([" ", "\t", "  "][dice.roll(3)]);
            }
            out.push_str(literal);
        }
        Term::Name(name) => {
            let inside = TIGHT.contains(&&**name);
            if inside && !tight && dice.roll(2) == 0 {
                out.push(' ');
            }
            make(rules, &rules[name], tight || inside, depth + 1, dice, out);
        }
        Term::Sequence(all) => all.iter().for_each(|term| make(rules, term, tight, depth, dice, out)),
        Term::Choice(all) => {
            // deep down, leave the choices that open parentheses
            let first = usize::from(depth > 40 && all.len() > 1);
            let pick = first + dice.roll(all.len() - first);
            make(rules, &all[pick], tight, depth, dice, out);
        }
        Term::Optional(inner) => {
            if dice.roll(2) == 0 {
                make(rules, inner, tight, depth, dice, out);
            }
        }
        Term::Repeated(inner) => {
            for _ in 0..[0, 0, 1, 2][dice.roll(4)] {
                if depth < 60 {
                    make(rules, inner, tight, depth, dice, out);
                }
            }
        }
    }
}

fn sentences(count: usize) -> Vec<String> {
    let rules = grammar();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    (0..count)
        .map(|_| {
            let mut text = String::new();
            make(&rules, &rules["selector"], false, 0, &mut dice, &mut text);
            text
        })
        .collect()
}

#[test]
fn the_parser_reads_what_the_grammar_makes() {
    let mut longest = 0;
    for text in sentences(5_000) {
        let parsed =
            selector::parse(&text).unwrap_or_else(|error| panic!("{text:?}: {error} at {}", error.offset));
        let again = selector::parse(parsed.canonical())
            .unwrap_or_else(|error| panic!("{}: {error}", parsed.canonical()));
        // runs of `!` are counted where they are written, so `!(!x)` becomes `!!x`, which reads as `x`
        assert_eq!(parsed.canonical().replace("!!", ""), &**again.canonical(), "{text:?}");
        longest = longest.max(text.len());
    }
    assert!(longest > 200, "the sentences are too simple: {longest}");
}

/// Every sentence that ends in the middle of something, or goes on after its end, is refused.
#[test]
fn the_parser_refuses_broken_sentences() {
    for text in sentences(500) {
        for broken in [
            format!("{text} &&"),
            format!("({text}"),
            format!("{text})"),
            format!("{text} a"),
            format!("{text}\n"),
            format!("&{text}"),
            format!("{text} = 'b'"),
        ] {
            let error = selector::parse(&broken).expect_err(&broken);
            assert!(error.offset <= broken.len(), "{broken:?}");
        }
    }
}
