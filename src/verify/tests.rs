//! Chains that Felix wrote are known by their hashes alone.

use super::hashes::{Effort, Verdict, check};
use crate::diagnostic::FileId;
use crate::dump;
use crate::ir::{Action, Chain, Family};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Recorded dumps of the repository, and more where they are found.
fn recorded() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("../shared");
    let shared = std::env::var_os("NETPOLC_SHARED").map_or(beside, PathBuf::from).join("golden");
    let mut found = Vec::new();
    let mut open = vec![root.join("fixtures/golden"), shared];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            match path.file_name().and_then(|name| name.to_str()) {
                Some("save.v4.rules" | "save.v6.rules") => found.push(path),
                _ if path.is_dir() => open.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    assert!(found.len() >= 12, "only {} dumps", found.len());
    found
}

/// Calico's chains in a dump.
fn chains(path: &Path) -> Vec<(Family, Arc<Chain>)> {
    let text = std::fs::read_to_string(path).expect("a recorded file");
    let family = if path.ends_with("save.v6.rules") { Family::V6 } else { Family::V4 };
    let sets = dump::parse(&text, FileId(0)).expect("well-formed").rule_sets().expect("no circles");
    let chains = sets.into_iter().flat_map(|set| set.tables).flat_map(|table| table.chains);
    chains.map(|chain| (family, chain)).collect()
}

#[test]
fn chains_that_felix_wrote_are_intact() {
    let (mut all, mut unsure, mut wrong) = (0, 0, Vec::new());
    for path in recorded() {
        for (family, chain) in chains(&path) {
            all += 1;
            let verdict = check(&chain, None, family, &mut Effort::default());
            unsure += usize::from(verdict == Verdict::Unsure);
            // of one, the kernel has cut the log prefix
            if !matches!(verdict, Verdict::Intact | Verdict::Unsure) {
                let rule = match verdict {
                    Verdict::Changed(at) => format!("{:?}", chain.rules[at - 1]),
                    _ => String::new(),
                };
                wrong.push(format!("{}: {} {verdict:?} {rule}", path.display(), chain.name));
            }
        }
    }
    assert!(unsure * 100 < all, "{unsure} of {all} cannot be told");
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn chains_that_were_changed_by_hand_are_known() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/calico-1/golden/save.v4.rules");
    let mut tried = 0;
    for (family, chain) in chains(&path).into_iter().filter(|(_, chain)| chain.rules.len() > 2) {
        let mut changed = |change: &dyn Fn(&mut Chain), wanted: Verdict| {
            let mut own = (*chain).clone();
            change(&mut own);
            // without a rule it may be another chain that Felix wrote, if the rule was the last
            if own != *chain {
                assert_eq!(check(&own, None, family, &mut Effort::default()), wanted, "{}", chain.name);
                tried += 1;
            }
        };
        let second = chain.rules[1].hash == chain.rules[0].hash || chain.rules[1].hash == chain.rules[2].hash;
        // a list of addresses is several lines of one rule
        if !second {
            changed(&|own| drop(own.rules.remove(1)), Verdict::Changed(2));
            changed(&|own| own.rules.swap(0, 1), Verdict::Changed(1));
            changed(&|own| own.rules[1].action = Some(Action::Accept), Verdict::Changed(2));
            changed(&|own| own.rules[1].hash = None, Verdict::WithoutHash(2));
        }
    }
    assert!(tried > 50, "only {tried}");
}
