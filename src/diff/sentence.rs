//! The answer in a sentence: who can now reach what, who lost it, or that nothing changes.

use super::objects::What;
use super::services::ServiceChange;
use super::words::{counted, list};
use super::{Change, Difference, End, Kind};
use crate::kernel::conntrack::Connection;
use crate::model::calico::Direction;

/// Changes that the first sentence tells.
const TOLD: usize = 3;

/// What changes for packets.
pub fn first(difference: &Difference) -> String {
    let packets = if difference.changes.is_empty() { nothing(difference) } else { changes(difference) };
    let mut told: Vec<String> = difference.services.iter().take(TOLD).map(ServiceChange::sentence).collect();
    told.extend(more(difference.services.len(), "service"));
    let [gone, new] = &difference.lone_nodes;
    for (nodes, word) in [(new, "new"), (gone, "gone")].into_iter().filter(|(nodes, _)| !nodes.is_empty()) {
        let verb = if nodes.len() == 1 { "is" } else { "are" };
        told.push(format!("{} {verb} {word}", counted("node", nodes)));
    }
    told.push(packets);
    let mut text = told.join("; ");
    if !difference.not_walked.is_empty() {
        let (walked, all) = (difference.nodes.len() - difference.not_walked.len(), difference.nodes.len());
        text.push_str(&format!("; packets were compared on {walked} of {all} nodes"));
    }
    text
}

fn changes(difference: &Difference) -> String {
    let mut told: Vec<String> = difference.changes.iter().take(TOLD).map(change).collect();
    told.extend(more(difference.changes.len(), "change"));
    told.join("; ")
}

fn more(count: usize, word: &str) -> Option<String> {
    match count.saturating_sub(TOLD) {
        0 => None,
        1 => Some(format!("and 1 more {word}")),
        more => Some(format!("and {more} more {word}s")),
    }
}

/// One change.
pub fn change(change: &Change) -> String {
    let what = plain(change);
    let blind: Vec<String> = change
        .selected
        .iter()
        .filter(|policy| policy.only_allows)
        .map(|policy| policy.name.clone())
        .collect();
    match change.direction {
        Some(direction) if !blind.is_empty() && blind.len() == change.selected.len() => {
            let word = match direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            };
            let (only, are) =
                if blind.len() == 1 { ("only allows", "it is") } else { ("only allow", "they are") };
            let names = list(&blind);
            format!("{names} {only}, but {are} the first to select {} for {word}: {what}", subject(change))
        }
        _ => what,
    }
}

fn plain(change: &Change) -> String {
    let subject = subject(change);
    let packets = &change.packets;
    let one = change.service.is_some() || change.ends.len() == 1;
    let more = matches!(change.kind, Kind::Widened | Kind::Came);
    let can = if more { "can now" } else { "can no longer" };
    let always = if change.by_chance { " always" } else { "" };
    let (reached, reach) = (format!("{can}{always} be reached"), format!("{can}{always} reach"));
    let text = match (change.direction, change.kind, &change.service) {
        (_, Kind::Otherwise, _) => {
            format!("{subject} still {} {packets}, but otherwise", if one { "handles" } else { "handle" })
        }
        (_, _, Some(service)) => format!("{service} {reached} through {subject}{}", of_service(packets)),
        (Some(direction), ..) if matches!(change.ends[..], [End::Interface { .. }, ..]) => {
            let way = if direction == Direction::Ingress { "in" } else { "out" };
            let lets = if one { "lets" } else { "let" };
            match change.kind {
                Kind::Widened | Kind::Came => format!("{subject} now {lets} {way} {packets}"),
                _ => format!("{subject} no longer {lets} {way} {packets}"),
            }
        }
        (Some(Direction::Ingress), ..) => format!("{subject} {reached} on {packets}"),
        (Some(Direction::Egress), ..) => format!("{subject} {reach} {packets}"),
        (None, Kind::Widened | Kind::Came, _) => {
            format!("{subject} now {} {packets} through", if one { "lets" } else { "let" })
        }
        (None, ..) => format!("{subject} no longer {} {packets} through", if one { "lets" } else { "let" }),
    };
    match change.connection {
        Connection::First => text,
        Connection::Answer => format!("{text} (answers on open connections)"),
        Connection::AnswerToUntracked => format!("{text} (answers to packets that are not tracked)"),
    }
}

/// The ports of a service are said with its name.
fn of_service(packets: &str) -> String {
    match packets.strip_prefix("anything") {
        Some(rest) => rest.to_owned(),
        None => format!(" on {packets}"),
    }
}

/// Whose packets they are: `pods a and b`, `interface eth1 of node n`.
pub fn subject(change: &Change) -> String {
    let (mut pods, mut lone, mut interfaces, mut nodes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for end in &change.ends {
        match end {
            End::Pod { name, moved: false, .. } => pods.push(name.clone()),
            End::Pod { name, .. } => lone.push(name.clone()),
            End::Interface { node, name } => interfaces.push((name.clone(), node.clone())),
            End::Node { node } => nodes.push(node.clone()),
        }
    }
    let mut parts = Vec::new();
    if !lone.is_empty() {
        let word = if change.kind == Kind::Went { "former" } else { "new" };
        parts.push(format!("{word} {}", counted("pod", &lone)));
    }
    if !pods.is_empty() {
        parts.push(counted("pod", &pods));
    }
    let mut names: Vec<String> = interfaces.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let own = interfaces.iter().filter(|(other, _)| *other == name);
        let nodes: Vec<String> = own.map(|(_, node)| node.clone()).collect();
        parts.push(format!("interface {name} of {}", counted("node", &nodes)));
    }
    if !nodes.is_empty() {
        parts.push(counted("node", &nodes));
    }
    parts.join(" and ")
}

fn nothing(difference: &Difference) -> String {
    let objects = &difference.objects;
    if difference.is_empty() {
        return match difference.same_text {
            true => "nothing changes: the manifests are the same".to_owned(),
            false => "nothing changes: only formatting, comments or the order of objects and keys differ"
                .to_owned(),
        };
    }
    if !difference.services.is_empty() {
        return "no packet is let through or refused that was not".to_owned();
    }
    if objects.is_empty() {
        return "nothing changes for packets".to_owned();
    }
    let renamed = |what: &What| matches!(what, What::Renamed(_));
    if objects.iter().all(|object| renamed(&object.what)) {
        let names: Vec<String> = objects
            .iter()
            .map(|object| match &object.what {
                What::Renamed(old) => format!("{} `{old}` is now `{}`", object.kind, object.name),
                _ => object.called(),
            })
            .collect();
        return format!("nothing changes for packets, only names: {}", list(&names));
    }
    if objects.iter().all(|object| object.what == What::Reordered) {
        let names: Vec<String> = objects.iter().map(|object| object.called()).collect();
        return format!("nothing changes for packets, only the order of lists in {}", list(&names));
    }
    let count = match objects.len() {
        1 => "1 object differs".to_owned(),
        count => format!("{count} objects differ"),
    };
    match difference.rules.is_empty() {
        true => format!("nothing changes for packets, nor in any rule; {count}"),
        false => format!("nothing changes for packets, though rules do; {count}"),
    }
}
