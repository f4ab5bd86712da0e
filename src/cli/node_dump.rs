//! What was saved on a node: files with rules and sets → one node.

use super::output::naming;
use crate::diagnostic::{Diagnostic, Location};
use crate::dump::{self, ReadSets};
use crate::ir::{Family, RuleSet};
use crate::source::Files;
use crate::verify::Node;
use std::io;
use std::path::{Path, PathBuf};

/// Reads the rules of one or several files, and sets, into `node`; gives what is wrong with them.
pub fn read(
    dumps: &[PathBuf],
    ipsets: Option<&Path>,
    files: &mut Files,
    node: &mut Node,
) -> io::Result<Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    for path in dumps {
        wrong.extend(rules(path, files, node)?);
    }
    if let Some(path) = ipsets {
        match sets(path, files)? {
            Ok(read) => node.sets = Some(read),
            Err(found) => wrong.extend(found),
        }
    }
    Ok(wrong)
}

fn text_of(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))
}

/// Reads rules into `node`; gives what is wrong with them.
fn rules(path: &Path, files: &mut Files, node: &mut Node) -> io::Result<Vec<Diagnostic>> {
    let text = text_of(path)?;
    let file = files.register(path, &text);
    // files are mostly given in this order
    let first = if node.v4.is_some() && node.v6.is_none() { Family::V6 } else { Family::V4 };
    let sets =
        dump::parse(&text, file).and_then(|dump| dump.rule_sets_from(first).map_err(|wrong| vec![wrong]));
    let at = Location { file, line: 1, column: 1 };
    Ok(match sets {
        Err(wrong) => wrong,
        Ok(sets) if sets.is_empty() => {
            vec![
                Diagnostic::error("dump-empty", at, "there is not one table in the dump")
                    .help("give the whole output of `iptables-save` or `ip6tables-save`, as root"),
            ]
        }
        Ok(sets) => sets.into_iter().filter_map(|set| add(set, node, at)).collect(),
    })
}

/// Adds the tables of a dump to those of other dumps.
fn add(set: RuleSet, node: &mut Node, at: Location) -> Option<Diagnostic> {
    let family = set.family.name();
    let place = match set.family {
        Family::V4 => &mut node.v4,
        Family::V6 => &mut node.v6,
    };
    let Some(own) = place else {
        *place = Some(set);
        return None;
    };
    for table in set.tables {
        if own.tables.iter().any(|there| there.name == table.name) {
            let message = format!("the table `{}` of {family} is in the dumps twice", table.name.name());
            return Some(
                Diagnostic::error("dump-repeated", at, message)
                    .help("give the rules of one node, each family once"),
            );
        }
        own.tables.push(table);
    }
    None
}

fn sets(path: &Path, files: &mut Files) -> io::Result<Result<ReadSets, Vec<Diagnostic>>> {
    let text = text_of(path)?;
    let file = files.register(path, &text);
    Ok(dump::parse_sets(&text, file).map(|dump| dump.sets()))
}
