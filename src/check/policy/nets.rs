//! Lists of networks, and what in them is redundant.

use super::super::ClusterContext;
use super::written;
use crate::diagnostic::Location;
use crate::resolve::address;
use ipnet::IpNet;

/// Entries that a message names.
const NAMED: usize = 3;

/// An entry of a list.
#[derive(Debug, Clone)]
pub struct Entry<'r> {
    /// as it is written; "" in network sets, of which only the networks are known
    text: &'r str,
    net: IpNet,
    /// where it is written
    pub at: Location,
}

impl Entry<'_> {
    fn name(&self) -> String {
        if self.text.is_empty() { self.net.to_string() } else { self.text.to_owned() }
    }

    /// Whether it is written as the other is.
    pub fn is_written_like(&self, other: &Entry<'_>) -> bool {
        self.text == other.text
    }
}

/// A list, and what to call it: "`source.nets`".
pub struct List<'r> {
    pub name: String,
    /// the entries that Felix reads
    pub entries: Vec<Entry<'r>>,
    /// the schema says that no text may be there twice, and what it says is told elsewhere
    pub is_set: bool,
}

/// An entry and the earlier or wider one that makes it redundant.
pub type Redundant<'l, 'r> = (&'l Entry<'r>, &'l Entry<'r>);

/// Calls `visit` with every list of networks that is written somewhere.
pub fn each(ctx: &ClusterContext<'_, '_>, visit: &mut dyn FnMut(&List<'_>)) {
    for rule in written::policies(ctx.resources).flat_map(written::rules).map(|(_, rule)| rule) {
        for (side, entity) in written::sides(rule) {
            for (field, nets) in [("nets", &entity.nets), ("notNets", &entity.not_nets)] {
                let entries = nets.iter().filter_map(|text| {
                    let net = address::parse_cidr_or_ip(&text.value)?;
                    Some(Entry { text: &text.value, net, at: text.at })
                });
                visit(&List {
                    name: format!("`{side}.{field}`"),
                    entries: entries.collect(),
                    is_set: field == "nets",
                });
            }
        }
    }
    for policy in &ctx.resources.network_policies {
        let ingress = policy.ingress.iter().map(|rule| ("from", rule));
        for (field, rule) in ingress.chain(policy.egress.iter().map(|rule| ("to", rule))) {
            let blocks = rule.peers.iter().filter_map(|peer| peer.ip_block.as_ref());
            let entries = blocks.filter(|block| block.except.is_empty()).filter_map(|block| {
                let net = address::parse_cidr(&block.cidr.value)?;
                Some(Entry { text: &block.cidr.value, net, at: block.cidr.at })
            });
            visit(&List {
                name: format!("the blocks of `{field}`"),
                entries: entries.collect(),
                is_set: false,
            });
        }
    }
    for set in &ctx.resources.network_sets {
        let entries =
            set.nets.iter().map(|net| Entry { text: "", net: address::normal(net.value), at: net.at });
        visit(&List { name: "`nets`".to_owned(), entries: entries.collect(), is_set: true });
    }
}

/// What is redundant in a list: entries that are there again, and entries that others cover; each
/// in the order of the list.
pub fn redundant<'l, 'r>(entries: &'l [Entry<'r>]) -> (Vec<Redundant<'l, 'r>>, Vec<Redundant<'l, 'r>>) {
    let (mut again, mut covered) = (Vec::new(), Vec::new());
    let mut sorted: Vec<&Entry<'_>> = entries.iter().collect();
    sorted.sort_by_key(|entry| {
        (entry.net.addr().is_ipv6(), entry.net.network(), entry.net.prefix_len(), entry.at)
    });
    // of networks in this order, one that covers others comes before them
    let (mut last, mut widest): (Option<&Entry<'_>>, Option<&Entry<'_>>) = (None, None);
    for entry in sorted {
        if let Some(same) = last.filter(|last| last.net == entry.net) {
            again.push((entry, same));
            continue;
        }
        last = Some(entry);
        match widest.filter(|widest| widest.net.contains(&entry.net)) {
            Some(widest) => covered.push((entry, widest)),
            None => widest = Some(entry),
        }
    }
    again.sort_by_key(|(entry, _)| entry.at);
    covered.sort_by_key(|(entry, _)| entry.at);
    (again, covered)
}

/// The first of the entries, and how many there are beyond them.
pub fn named(redundant: &[Redundant<'_, '_>]) -> String {
    let named: Vec<String> =
        redundant.iter().take(NAMED).map(|(entry, _)| format!("`{}`", entry.name())).collect();
    match redundant.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
