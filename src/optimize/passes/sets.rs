//! A list of networks, a rule for each, becomes one rule with a set.
//!
//! Felix renders the networks of a policy as a rule each, and a packet meets them one by one. A set of
//! type `hash:net` looks an address up once for each length of network that it has. The call costs as much
//! as many rules that only compare a network, so there must be many for it to pay ([`pays`]); where only
//! the number of rules counts, a few are enough. The set's name says what is in it, as the names of
//! Felix's own sets do. Sound for the reason that is given at `cidrs`: the rules are in a row, and apply to
//! the union of their networks.
//!
//! ```text
//! -s 10.1.0.0/16 -j MARK --set-xmark 0x80000/0x80000
//! -s 10.3.0.0/16 -j MARK --set-xmark 0x80000/0x80000     becomes
//! -s 10.5.0.0/16 -j MARK --set-xmark 0x80000/0x80000        -m set --match-set cali40o:… src -j MARK …
//! … and some more
//! ```

use super::Pass;
use crate::felix::names;
use crate::ir::{Family, IpSet, Match, Matcher, Members, Program, Rule, SetLookup, Side};
use crate::optimize::edit;
use crate::resolve::view::NetMembers;
use crate::space::nets::fewest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use sha2::{Digest, Sha224};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const PASS: Pass = Pass {
    name: "sets",
    about: "look long lists of networks up in a set, where that is faster",
    level: 1,
    run: |program, _| with_sets(program, pays),
};

/// The same for lists for which it is not faster, but fewer rules.
pub const SHORT: Pass = Pass {
    name: "short-sets",
    about: "look short lists of networks up in a set as well",
    level: 2,
    run: |program, _| with_sets(program, |nets| nets.len() > FEW),
};

/// Networks that are left as rules even where the number of rules counts.
const FEW: usize = 3;
/// Members that a set may have unless it is made for more (`felix/config/config_params.go`, v3.32.1).
const MAX_ELEMENTS: u64 = 1_048_576;

/// Whether a look-up is faster than a rule for each network, for a packet that is in none of them: such a
/// rule takes 5 ns, a look-up 240 ns and 15 ns for each length of network (datagrams through OUTPUT, Linux 6.18).
fn pays(nets: &[IpNet]) -> bool {
    let lengths: BTreeSet<u8> = nets.iter().map(IpNet::prefix_len).collect();
    5 * nets.len() > 240 + 15 * lengths.len()
}

fn with_sets(program: &Program, pays: impl Fn(&[IpNet]) -> bool) -> Program {
    let mut made: BTreeMap<Arc<str>, IpSet> = BTreeMap::new();
    let mut after = edit::chains(program, |at, chain| looked_up(&chain.rules, at.family, &pays, &mut made));
    let had: BTreeSet<Arc<str>> = program.sets.iter().map(|set| set.name.clone()).collect();
    after.sets.extend(made.into_values().filter(|set| !had.contains(&set.name)));
    after.sets.sort_by(|a, b| a.name.cmp(&b.name));
    after
}

fn looked_up(
    rules: &[Rule],
    family: Family,
    pays: &dyn Fn(&[IpNet]) -> bool,
    made: &mut BTreeMap<Arc<str>, IpSet>,
) -> Option<Vec<Rule>> {
    edit::with_shorter_runs(rules, edit::split_address, |side, own, before| {
        let nets = fewest(before);
        // the whole of a family is no member of such a set
        if !pays(&nets) || nets.iter().any(|net| net.prefix_len() == 0) {
            return None;
        }
        let set = set(family, &nets);
        let lookup = match side {
            Side::Source => SetLookup::Source,
            Side::Destination => SetLookup::Destination,
        };
        let mut rule = edit::with_net(&own[0], side, None);
        rule.matches.push(Match::is(Matcher::Set(set.name.clone(), lookup)));
        made.insert(set.name.clone(), set);
        Some(vec![rule])
    })
}

fn set(family: Family, nets: &[IpNet]) -> IpSet {
    let mut members = NetMembers::default();
    let mut texts: Vec<String> = nets.iter().map(IpNet::to_string).collect();
    texts.sort_unstable();
    for net in texts.iter().filter_map(|text| text.parse().ok()) {
        match net {
            IpNet::V4(net) => members.v4.push(net),
            IpNet::V6(net) => members.v6.push(net),
        }
    }
    IpSet {
        name: name(family, &texts).into(),
        family,
        max_elements: MAX_ELEMENTS.max(texts.len() as u64),
        members: Members::Nets(Arc::new(members)),
        meaning: None,
    }
}

/// `o:` and a hash of the members, as Felix has `s:` and the hash of a selector.
fn name(family: Family, members: &[String]) -> String {
    let hash = Sha224::digest(members.join(",").as_bytes());
    names::set(family, &format!("o:{}", URL_SAFE_NO_PAD.encode(hash)))
}
