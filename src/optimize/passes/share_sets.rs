//! Sets with the same members become one.
//!
//! Two selectors often select the same pods. A rule that looks an address up in one of two sets of one
//! type and family with equal members may as well look it up in the other.
//!
//! ```text
//! -m set --match-set cali40s:A src -j ACCEPT
//! -m set --match-set cali40s:B dst -j ACCEPT      becomes      -m set --match-set cali40s:A dst -j ACCEPT
//! ```

use super::{Lab, Pass};
use crate::emit::ipset::each_member;
use crate::ir::{Family, IpSet, Matcher, Program, SetKind};
use crate::optimize::edit;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub const PASS: Pass =
    Pass { name: "share-sets", about: "use one set where several are equal", level: 2, run };

fn run(program: &Program, _: &mut Lab<'_>) -> Program {
    let mut first: HashMap<(Family, SetKind, [u8; 32]), &Arc<str>> = HashMap::new();
    let mut instead: BTreeMap<&str, &Arc<str>> = BTreeMap::new();
    for set in &program.sets {
        let own = *first.entry((set.family, set.kind(), members(set))).or_insert(&set.name);
        if *own != set.name {
            instead.insert(&set.name, own);
        }
    }
    edit::chains(program, |_, chain| {
        let mut rules = chain.rules.clone();
        let mut changed = false;
        for one in rules.iter_mut().flat_map(|rule| &mut rule.matches) {
            if let Matcher::Set(name, _) = &mut one.on
                && let Some(own) = instead.get(&**name)
            {
                *name = Arc::clone(own);
                changed = true;
            }
        }
        changed.then_some(rules)
    })
}

fn members(set: &IpSet) -> [u8; 32] {
    let mut hash = Sha256::new();
    each_member(set, |member| {
        hash.update(member);
        hash.update("\n");
    });
    hash.finalize().into()
}
