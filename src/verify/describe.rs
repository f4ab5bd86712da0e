//! What a foreign rule does, in words.

use crate::emit::saved_match;
use crate::ir::{Action, ConnectionMark, Family, Match, Matcher, Rule};

/// What a rule that comes before Calico's does: `lets through tcp dport 22 before Calico sees it`.
pub(super) fn rule(rule: &Rule, family: Family) -> String {
    let which = which(rule, family);
    match &rule.action {
        Some(Action::Accept) => format!("lets through {which} before Calico sees it"),
        Some(Action::Drop) => format!("drops {which} before Calico sees it"),
        Some(Action::Reject(_)) => format!("rejects {which} before Calico sees it"),
        Some(Action::Return) => format!("leaves {which} to the chain's policy, and Calico never sees it"),
        Some(Action::Jump(chain) | Action::Goto(chain)) => {
            format!("sends {which} through the chain `{chain}` before Calico sees it")
        }
        Some(Action::Mark { .. }) => format!("changes the mark of {which}, which Calico's rules look at"),
        Some(Action::NoTrack) => format!("exempts {which} from connection tracking"),
        Some(Action::ConnectionMark(ConnectionMark::Restore { .. })) => {
            format!("changes the mark of {which} to that of the connection, and Calico's rules look at it")
        }
        Some(Action::ConnectionMark(_)) => format!("changes the mark of connections of {which}"),
        Some(Action::Dnat(_) | Action::Redirect(_)) => {
            format!("sends {which} elsewhere before Calico sees it")
        }
        Some(Action::Snat(_) | Action::Masquerade(_)) => {
            format!("rewrites the source of {which} before Calico sees it")
        }
        Some(Action::NetMap(_)) => format!("rewrites the network of {which} before Calico sees it"),
        Some(Action::Log { .. } | Action::NfLog { .. } | Action::Dscp(_) | Action::Neutral(_)) | None => {
            format!("only looks at {which}")
        }
        Some(Action::Other(target)) => format!("does `{target}` with {which} before Calico sees it"),
    }
}

/// The packets that a rule applies to.
fn which(rule: &Rule, family: Family) -> String {
    let parts: Vec<String> = rule.matches.iter().map(|one| part(one, family)).collect();
    let text = parts.join(" ");
    match text.split(' ').next() {
        Some("") | None => "everything".to_owned(),
        Some("from" | "to" | "in" | "out" | "not") => format!("packets {text}"),
        Some(_) => text,
    }
}

fn part(one: &Match, family: Family) -> String {
    let text = saved_match(&Match { negated: false, on: one.on.clone() }, family);
    let not = if one.negated { "not " } else { "" };
    // without the name of the module, and without dashes: `-m tcp --dport 22` is `dport 22`
    let mut words = text.split_whitespace().peekable();
    let mut plain: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word {
            // a port without its protocol has no module
            "-m" if words.peek().is_some_and(|next| !next.starts_with("--")) => drop(words.next()),
            "-m" | "-p" if words.peek().is_some() => {}
            "-s" => plain.push("from"),
            "-d" => plain.push("to"),
            "-i" => plain.push("in on"),
            "-o" => plain.push("out on"),
            word => plain.push(word.trim_start_matches('-')),
        }
    }
    match &one.on {
        Matcher::Other(text) | Matcher::OtherLimit { text, .. } => format!("{not}`{text}`"),
        _ => format!("{not}{}", plain.join(" ")),
    }
}
