//! A node's rules and sets → files made to be committed and read in review.
//!
//! They differ from a dump where a dump makes large differences of small ones:
//!
//! - no hashes: the hash of a rule covers all rules before it, so one more rule would change all that follow;
//! - a chain is declared where its rules are, not at the head of its table, so a new chain is one block of lines;
//! - whose chain it is, and what a set stands for, is a comment above it: names of both are hashes. There are no
//!   lines of manifests in these comments, because they change with every edit above them;
//! - a member of a set is a line, and so is each address of a rule with several.
//!
//! Everything else is as `iptables-save` and `ipset save` print it, in the same order.

use crate::diff::rules::{lines, meaning};
use crate::emit::ipset;
use crate::felix::names;
use crate::ir::{Chain, Program, RuleSet, Table};
use crate::resolve::view::NodeView;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How the first line of every file begins. What begins otherwise was not written by this program.
pub const HEAD: &str = "# netpolc snapshot";

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// the folder in it: the node
    pub node: String,
    /// its name
    pub name: &'static str,
    /// all of it
    pub text: String,
}

/// Names of the files of a node.
pub const NAMES: [&str; 3] = ["ipsets.txt", "v4.rules", "v6.rules"];

/// The files of a node, sorted by name. Without IPv6 there is no file for it.
pub fn files(view: &NodeView, program: &Program, version: &str) -> Vec<File> {
    let owners = owners(view);
    let mut files = Vec::new();
    for name in NAMES {
        let mut text = format!("{HEAD}: {name} of node {}, as Calico {version} programs it\n", view.node);
        match name {
            "v4.rules" => rules(&mut text, &program.v4, &owners),
            "v6.rules" if view.config.ipv6_support => rules(&mut text, &program.v6, &owners),
            "v6.rules" => continue,
            _ => sets(&mut text, program),
        }
        files.push(File { node: view.node.to_string(), name, text });
    }
    files
}

/// Whose chains they are, by the name of the chain.
fn owners(view: &NodeView) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for pod in &view.workloads {
        for prefix in [names::TO_WORKLOAD, names::FROM_WORKLOAD, names::SET_MARK] {
            let owner = format!("pod {}/{}", pod.namespace, pod.pod);
            owners.insert(names::chain(prefix, &pod.interface), owner);
        }
    }
    for host in &view.host_endpoints {
        let prefixes =
            [names::TO_HOST, names::FROM_HOST, names::TO_HOST_FW, names::FROM_HOST_FW, names::SET_MARK];
        for prefix in prefixes {
            let owner = format!("host endpoint {}", host.name);
            owners.insert(names::chain(prefix, &host.interface), owner);
        }
    }
    for policy in &view.policies {
        for prefix in [names::POLICY_IN, names::POLICY_OUT] {
            let owner = format!("{} {}", policy.id.kind.name(), policy.id.path());
            owners.insert(names::chain(prefix, &names::policy(view.facts.policy_names, &policy.id)), owner);
        }
    }
    for profile in &view.profiles {
        for prefix in [names::PROFILE_IN, names::PROFILE_OUT] {
            owners.insert(names::chain(prefix, &profile.name), format!("profile {}", profile.name));
        }
    }
    owners
}

fn rules(out: &mut String, rules: &RuleSet, owners: &BTreeMap<String, String>) {
    for Table { name, hooks, chains } in &rules.tables {
        let _ = write!(out, "\n*{}\n", name.name());
        let mut chain = |chain: &Chain, policy: &str| {
            out.push('\n');
            if let Some(owner) = owners.get(&*chain.name) {
                let _ = writeln!(out, "# {owner}");
            }
            let _ = writeln!(out, ":{} {policy}", chain.name);
            for line in lines(chain, rules.family) {
                let _ = writeln!(out, "-A {} {line}", chain.name);
            }
        };
        // a hook without rules says nothing
        hooks.iter().filter(|hook| !hook.rules.is_empty()).for_each(|hook| chain(hook, hook.policy.name()));
        chains.iter().for_each(|own| chain(own, "-"));
    }
}

fn sets(out: &mut String, program: &Program) {
    for set in &program.sets {
        out.push('\n');
        if let Some(meaning) = meaning(set) {
            let _ = writeln!(out, "# {meaning}");
        }
        ipset::write_set(out, set);
    }
}
