//! The grammar file and the parser agree: what the grammar makes, the parser reads.

mod common;

use common::Numbers;
use common::ebnf::{Term, rules};
use netpolc::syntax::selector;
use std::collections::BTreeMap;

const GRAMMAR: &str = include_str!("../grammar/selector.ebnf");

/// Rules inside of which no blank may stand.
const TIGHT: [&str; 4] = ["double", "single", "label", "has("];

fn make(
    rules: &BTreeMap<String, Term>,
    term: &Term,
    tight: bool,
    depth: usize,
    numbers: &mut Numbers,
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
            if !tight && ((touching && !may_touch) || numbers.below(3) == 0) {
                out.push_str([" ", "\t", "  "][numbers.below(3)]);
            }
            out.push_str(literal);
        }
        Term::Name(name) => {
            let inside = TIGHT.contains(&&**name);
            if inside && !tight && numbers.below(2) == 0 {
                out.push(' ');
            }
            make(rules, &rules[name], tight || inside, depth + 1, numbers, out);
        }
        Term::Sequence(all) => all.iter().for_each(|term| make(rules, term, tight, depth, numbers, out)),
        Term::Choice(all) => {
            // deep down, leave the choices that open parentheses
            let first = usize::from(depth > 40 && all.len() > 1);
            let pick = first + numbers.below(all.len() - first);
            make(rules, &all[pick], tight, depth, numbers, out);
        }
        Term::Optional(inner) => {
            if numbers.below(2) == 0 {
                make(rules, inner, tight, depth, numbers, out);
            }
        }
        Term::Repeated(inner) => {
            for _ in 0..[0, 0, 1, 2][numbers.below(4)] {
                if depth < 60 {
                    make(rules, inner, tight, depth, numbers, out);
                }
            }
        }
        Term::Except(..) => unreachable!("the grammar of selectors has no exceptions"),
    }
}

fn sentences(count: usize) -> Vec<String> {
    let rules = rules(GRAMMAR);
    let mut numbers = Numbers::new(1);
    (0..count)
        .map(|_| {
            let mut text = String::new();
            make(&rules, &rules["selector"], false, 0, &mut numbers, &mut text);
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
