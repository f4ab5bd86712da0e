//! The grammar file and the parser of expectations agree: what the grammar makes, the parser reads, and what it reads
//! back from its own words is the same.

mod common;

use common::Numbers;
use common::ebnf::{Term, rules};
use netpolc::audit::expectation::{is_name, parse};
use std::collections::BTreeMap;

const GRAMMAR: &str = include_str!("../grammar/expectation.ebnf");

/// Rules inside of which no blank may stand.
const TIGHT: [&str; 4] = ["path", "pathport", "interface", "name"];

fn make(rules: &BTreeMap<String, Term>, term: &Term, tight: bool, numbers: &mut Numbers, out: &mut String) {
    let blank = |numbers: &mut Numbers, out: &mut String, needed: bool| {
        let many = numbers.below(3) + usize::from(needed);
        out.push_str(&" ".repeat(many.min(2)));
    };
    match term {
        Term::Literal(literal) => {
            if !tight && !out.is_empty() {
                let needed = literal != "," && !out.trim_end().ends_with(',');
                blank(numbers, out, needed);
            }
            out.push_str(literal);
        }
        Term::Name(name) => {
            let inside = TIGHT.contains(&&**name);
            if inside && !tight {
                let needed = !out.is_empty() && !out.trim_end().ends_with(',');
                blank(numbers, out, needed);
            }
            let start = out.len();
            make(rules, &rules[name], tight || inside, numbers, out);
            if name == "name" && !is_name(&out[start..]) {
                out.push('9');
            }
        }
        Term::Sequence(all) => all.iter().for_each(|term| make(rules, term, tight, numbers, out)),
        Term::Except(..) => unreachable!("the grammar has none"),
        Term::Choice(all) => make(rules, &all[numbers.below(all.len())], tight, numbers, out),
        Term::Optional(inner) => {
            if numbers.below(2) == 0 {
                make(rules, inner, tight, numbers, out);
            }
        }
        Term::Repeated(inner) => {
            for _ in 0..numbers.below(4) {
                make(rules, inner, tight, numbers, out);
            }
        }
    }
}

#[test]
fn what_the_grammar_makes_is_read() {
    let rules = rules(GRAMMAR);
    let mut numbers = Numbers::new(7);
    for _ in 0..20_000 {
        let mut text = String::new();
        make(&rules, &rules["expectation"], false, &mut numbers, &mut text);
        let read = parse(&text).unwrap_or_else(|(at, error)| panic!("{text:?} at {at}: {error}"));
        assert_eq!(parse(&read.text).as_ref(), Ok(&read), "{text:?}");
    }
}

/// Damaged sentences are answered with a place inside them, and never with a panic.
#[test]
fn damage_is_said_where_it_is() {
    let rules = rules(GRAMMAR);
    let mut numbers = Numbers::new(8);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut text = String::new();
        make(&rules, &rules["expectation"], false, &mut numbers, &mut text);
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..=numbers.below(3) {
            let place = numbers.below(letters.len());
            match numbers.below(3) {
                0 => drop(letters.remove(place)),
                1 => letters.insert(place, ['é', ' ', '/', '"', 'x', ','][numbers.below(6)]),
                _ => letters.truncate(place.max(1)),
            }
            if letters.is_empty() {
                break;
            }
        }
        let text: String = letters.into_iter().collect();
        if let Err((at, error)) = parse(&text) {
            refused += 1;
            assert!(at <= text.len() && !error.is_empty(), "{text:?}: {at}, {error}");
        }
    }
    assert!(refused > 5_000, "only {refused} were refused");
}
