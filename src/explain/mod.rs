//! A name on a node → the policy, selector, pod or constant behind it.
//!
//! | file | what |
//! |---|---|
//! | `name` | what kind of name it can be, from its looks |
//! | `constants` | names that stand for no object |
//! | `objects` | names that are made from policies, profiles, pods, host endpoints and selectors |
//! | `program` | names that only a rendered node has: rule hashes, and chains of policy groups |

mod constants;
mod name;
mod objects;
mod program;

pub use name::Name;

use crate::diagnostic::Location;
use crate::resolve::Cluster;
use crate::version::CalicoVersion;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// `chain`, `set`, `interface` or `rule`
    pub thing: &'static str,
    /// its whole name
    pub name: String,
    /// what it is, one line
    pub what: String,
    /// where the object behind it is written
    pub at: Option<Location>,
    /// more about it, in the order in which it is told
    pub facts: Vec<(&'static str, String)>,
}

impl Explanation {
    fn new(thing: &'static str, name: impl Into<String>, what: impl Into<String>) -> Self {
        Explanation { thing, name: name.into(), what: what.into(), at: None, facts: Vec::new() }
    }

    fn at(mut self, at: Location) -> Self {
        self.at = Some(at);
        self
    }

    /// Says in which versions it is, where that is not all.
    fn of_versions(self, versions: Option<Vec<CalicoVersion>>) -> Self {
        let Some(versions) = versions else { return self };
        let names: Vec<&str> = versions.iter().map(|version| version.name()).collect();
        self.fact("versions", names.join(", "))
    }

    fn fact(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.facts.push((label, text.into()));
        self
    }
}

/// Everything that `name` stands for. `node` limits the search to what one node has; it is an error of
/// the caller if there is no such node.
pub fn explain(name: &Name, cluster: Option<&Cluster<'_>>, node: Option<&str>) -> Vec<Explanation> {
    let mut found = Vec::new();
    if let Some(chain) = &name.chain {
        let own = constants::chain(chain).map(|what| Explanation::new("chain", chain, what));
        found.extend(own.map(|own| own.of_versions(constants::versions_of_chain(chain))));
    }
    if let Some(id) = name.set_id() {
        let whole = name.set.as_deref().unwrap_or_default();
        let own = constants::set(id).map(|what| Explanation::new("set", whole, what));
        found.extend(own.map(|own| own.of_versions(constants::versions_of_set(id))));
    }
    let Some(cluster) = cluster else { return found };
    objects::find(name, cluster, node, &mut found);
    program::find(name, cluster, node, &mut found);
    found
}
