//! From an interface's name to the chain of its endpoint: a tree of two levels over the first
//! character in which the names differ (`felix/rules/dispatch.go:509`, v3.32.1).

use super::context::Context;
use super::names;
use crate::diagnostic::Location;
use crate::ir::{Action, Chain, Match, Matcher, Origin, Rule};
use crate::resolve::view::WILDCARD_INTERFACE;
use std::sync::Arc;

/// An interface and where its endpoint is written. Lists of them are sorted by name.
pub type Named<'v> = (&'v str, Location);

/// Which interface of a packet a dispatch chain looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// One dispatch chain: where it stands, what it looks at, where it goes.
struct Dispatch<'a> {
    root: &'a str,
    way: Way,
    /// prefix of the endpoints' chains
    prefix: &'a str,
    /// what the root adds to its name before the names of its children
    infix: &'a str,
    /// rules for packets of no known interface, at the end of the root and of each child
    end: &'a [Rule],
}

impl Dispatch<'_> {
    /// The rules of the root, and the child chains.
    fn tree(&self, ctx: &Context, interfaces: &[Named]) -> (Vec<Rule>, Vec<Arc<Chain>>) {
        let common = common_prefix(interfaces);
        let mut root = Vec::new();
        let mut children = Vec::new();
        let mut rest = interfaces;
        while let Some((name, at)) = rest.first() {
            let bin = bin_of(name, common);
            let members = rest.iter().take_while(|(other, _)| bin_of(other, common) == bin).count();
            let (group, after) = rest.split_at(members);
            rest = after;
            if let [single] = group {
                root.push(self.to_endpoint(*single));
            } else {
                let child = format!("{}{}-{}", self.root, self.infix, &bin[common..]);
                let action = Action::Goto(child.as_str().into());
                root.push(Rule::new(vec![self.on(&format!("{bin}+"))], action, Origin::Endpoint(*at)));
                let mut rules: Vec<Rule> = group.iter().map(|named| self.to_endpoint(*named)).collect();
                rules.extend_from_slice(self.end);
                children.push(ctx.chain(&child, rules));
            }
        }
        root.extend_from_slice(self.end);
        (root, children)
    }

    fn chains(&self, ctx: &Context, interfaces: &[Named]) -> Vec<Arc<Chain>> {
        let (root, mut chains) = self.tree(ctx, interfaces);
        chains.push(ctx.chain(self.root, root));
        chains
    }

    fn on(&self, pattern: &str) -> Match {
        Match::is(match self.way {
            Way::In => Matcher::InInterface(pattern.into()),
            Way::Out => Matcher::OutInterface(pattern.into()),
        })
    }

    fn to_endpoint(&self, (name, at): Named) -> Rule {
        let action = Action::Goto(names::chain(self.prefix, name).into());
        Rule::new(vec![self.on(name)], action, Origin::Endpoint(at))
    }
}

/// Length of the longest prefix that all names share, in bytes.
fn common_prefix(interfaces: &[Named]) -> usize {
    let (Some((first, _)), Some((last, _))) = (interfaces.first(), interfaces.last()) else {
        return 0;
    };
    // the names are sorted, so what the outermost two share all share
    let shared = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    (0..=shared).rev().find(|at| first.is_char_boundary(*at)).unwrap_or(0)
}

/// The common prefix and one more character: names with the same one share a child chain.
fn bin_of(name: &str, common: usize) -> &str {
    let next = name[common..].chars().next().map_or(0, char::len_utf8);
    &name[..common + next]
}

/// Dispatch to and from workloads. A packet of an unknown workload interface is denied.
pub fn workloads(ctx: &Context) -> Vec<Arc<Chain>> {
    let interfaces = workload_interfaces(ctx);
    let unknown = [Rule::new(vec![], ctx.deny(), Origin::Static).comment("Unknown interface")];
    let from = Dispatch {
        root: names::FROM_WORKLOAD_DISPATCH,
        way: Way::In,
        prefix: names::FROM_WORKLOAD,
        infix: "",
        end: &unknown,
    };
    let to =
        Dispatch { root: names::TO_WORKLOAD_DISPATCH, way: Way::Out, prefix: names::TO_WORKLOAD, ..from };
    let mut chains = from.chains(ctx, &interfaces);
    chains.extend(to.chains(ctx, &interfaces));
    chains
}

fn workload_interfaces<'v>(ctx: &Context<'v>) -> Vec<Named<'v>> {
    ctx.view.workloads.iter().map(|workload| (&*workload.interface, workload.at)).collect()
}

/// Where packets of interfaces without a host endpoint go: to the wildcard's chain, if there is
/// a wildcard.
fn to_wildcard(ctx: &Context, prefix: &str) -> Vec<Rule> {
    let chain = names::chain(prefix, WILDCARD_INTERFACE);
    ctx.wildcard()
        .map(|endpoint| Rule::new(vec![], Action::Goto(chain.into()), Origin::Endpoint(endpoint.at)))
        .into_iter()
        .collect()
}

/// Filter table: to and from host endpoints, for local and for forwarded traffic
/// (`felix/rules/dispatch.go:187`, v3.32.1).
pub fn hosts_filter(ctx: &Context) -> Vec<Arc<Chain>> {
    let interfaces: Vec<Named> = ctx.named_host_endpoints().map(|h| (&*h.interface, h.at)).collect();
    let roots = [
        (names::FROM_HOST_ENDPOINT, Way::In, names::FROM_HOST),
        (names::TO_HOST_ENDPOINT, Way::Out, names::TO_HOST),
        (names::FROM_HOST_FORWARD, Way::In, names::FROM_HOST_FW),
        (names::TO_HOST_FORWARD, Way::Out, names::TO_HOST_FW),
    ];
    let mut chains = Vec::new();
    for (root, way, prefix) in roots {
        let end = to_wildcard(ctx, prefix);
        chains.extend(Dispatch { root, way, prefix, infix: "", end: &end }.chains(ctx, &interfaces));
    }
    chains
}

/// Mangle table: from the host endpoints that have preDNAT policy, to all of them. The wildcard's
/// egress policy is not for traffic to local workloads.
pub fn hosts_mangle(ctx: &Context) -> Vec<Arc<Chain>> {
    let all: Vec<Named> = ctx.named_host_endpoints().map(|h| (&*h.interface, h.at)).collect();
    let pre_dnat: Vec<Named> = ctx
        .named_host_endpoints()
        .filter(|h| !h.pre_dnat_tiers.is_empty())
        .map(|h| (&*h.interface, h.at))
        .collect();
    let wildcard_has_pre_dnat = ctx.wildcard().is_some_and(|h| !h.pre_dnat_tiers.is_empty());
    let from_end = if wildcard_has_pre_dnat { to_wildcard(ctx, names::FROM_HOST) } else { Vec::new() };
    let mut to_end = Vec::new();
    if let Some(endpoint) = ctx.wildcard() {
        to_end.extend(ctx.workloads_out().map(|to| {
            Rule::new(vec![to], Action::Return, Origin::Endpoint(endpoint.at))
                .comment("Skip egress WHEP policy for traffic to local workload")
        }));
        to_end.extend(to_wildcard(ctx, names::TO_HOST));
    }
    let from = Dispatch {
        root: names::FROM_HOST_ENDPOINT,
        way: Way::In,
        prefix: names::FROM_HOST,
        infix: "",
        end: &from_end,
    };
    let to = Dispatch {
        root: names::TO_HOST_ENDPOINT,
        way: Way::Out,
        prefix: names::TO_HOST,
        infix: "",
        end: &to_end,
    };
    let mut chains = from.chains(ctx, &pre_dnat);
    chains.extend(to.chains(ctx, &all));
    chains
}

/// Raw table: host endpoints that have untracked policy. Never the wildcard.
pub fn hosts_raw(ctx: &Context) -> Vec<Arc<Chain>> {
    let untracked: Vec<Named> = ctx
        .named_host_endpoints()
        .filter(|h| !h.untracked_tiers.is_empty())
        .map(|h| (&*h.interface, h.at))
        .collect();
    let from = Dispatch {
        root: names::FROM_HOST_ENDPOINT,
        way: Way::In,
        prefix: names::FROM_HOST,
        infix: "",
        end: &[],
    };
    let to = Dispatch {
        root: names::TO_HOST_ENDPOINT,
        way: Way::Out,
        prefix: names::TO_HOST,
        infix: "",
        end: &[],
    };
    let mut chains = from.chains(ctx, &untracked);
    chains.extend(to.chains(ctx, &untracked));
    chains
}

/// IPVS mode: from an interface to its endpoint's mark (`felix/rules/dispatch.go:347`, v3.32.1).
pub fn set_endpoint_mark(ctx: &Context) -> Vec<Arc<Chain>> {
    let workloads = workload_interfaces(ctx);
    let hosts: Vec<Named> = ctx.named_host_endpoints().map(|h| (&*h.interface, h.at)).collect();
    let mut rules = Vec::new();
    let mut chains = Vec::new();
    // without the infix a chain of hosts takes the place of one of pods
    let [pods, of_hosts] = if ctx.view.facts.endpoint_mark_infix { ["-wep", "-hep"] } else { ["", ""] };
    for (infix, interfaces) in [(pods, workloads), (of_hosts, hosts)] {
        let dispatch = Dispatch {
            root: names::SET_ENDPOINT_MARK,
            way: Way::In,
            prefix: names::SET_MARK,
            infix,
            end: &[],
        };
        let (root, children) = dispatch.tree(ctx, &interfaces);
        rules.extend(root);
        chains.extend(children);
    }
    rules.extend(
        ctx.workloads_in()
            .map(|from| Rule::new(vec![from], ctx.deny(), Origin::Static).comment("Unknown endpoint")),
    );
    let other = Action::set_masked_mark(ctx.marks.non_calico_endpoint(), ctx.marks.endpoint);
    rules.push(Rule::new(vec![], other, Origin::Static).comment("Non-Cali endpoint mark"));
    chains.push(ctx.chain(names::SET_ENDPOINT_MARK, rules));
    chains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::FileId;

    fn named<'a>(names: &[&'a str]) -> Vec<Named<'a>> {
        let at = Location { file: FileId(0), line: 1, column: 1 };
        names.iter().map(|name| (*name, at)).collect()
    }

    #[test]
    fn the_common_prefix_is_of_all_names() {
        assert_eq!(common_prefix(&named(&[])), 0);
        assert_eq!(common_prefix(&named(&["eth0"])), 4);
        assert_eq!(common_prefix(&named(&["cali1", "cali2", "cali3"])), 4);
        assert_eq!(common_prefix(&named(&["eth", "eth0", "eth1"])), 3);
        assert_eq!(common_prefix(&named(&["cali1", "eth0"])), 0);
    }

    #[test]
    fn a_name_that_is_the_common_prefix_is_a_bin_of_its_own() {
        assert_eq!(bin_of("eth", 3), "eth");
        assert_eq!(bin_of("eth0", 3), "eth0");
        assert_eq!(bin_of("eth01", 3), "eth0");
    }
}
