//! The same policies with fewer networks, ports, peers and rules, as a patch of the text.
//!
//! ```text
//! object ─► rules, change ─► prove ─► patch ─► read again ─► nodes
//! trees      what can go     alone    text     same trees?   every node's rules
//! ```
//!
//! Nothing is taken on trust. What an edit does is proved on the rules that Felix renders for the policy,
//! as if an endpoint had it and whatever its sets contain ([`prove`]); the new text is read again and has to
//! be just the object that was meant; and what each node of the input would hold is compared with what
//! it held. An edit that does not pass is not made, and is told.
//!
//! | file | what |
//! |---|---|
//! | `object` | trees with places, and edits of them |
//! | `rules` | rules and peers that change nothing |
//! | `change`, `nets` | lists with fewer entries |
//! | `prove` | whether a policy means the same |
//! | `work` | one object: what can go, and what of that is proved |
//! | `patch`, `write` | edits of the text; a new text, if it says what it should |
//! | `nodes` | what every node would hold |
//! | `diff` | the difference of a text as a patch |
//! | `report`, `document` | what was saved and proved, in text and JSON, and for reports |

mod change;
mod diff;
pub mod document;
mod nets;
mod nodes;
mod object;
mod patch;
pub mod prove;
pub mod report;
mod rules;
mod work;
mod write;

pub use change::Size;
pub use diff::unified;
pub use nets::{Fate, networks, ports};
pub use patch::Splice;

use super::proof::Agreed;
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::model::{self, Collected, InvalidMode, Lowered, core, meta::Meta};
use crate::resolve::policy::Policy;
use crate::resolve::{Cluster, NodeRequest};
use crate::source::{self, Files, Object as Source, Opened, Options};
use crate::version::{self, CalicoVersion, Found, Told};
use nodes::nodes;
use object::Object;
use prove::Proved;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use work::{Work, outcome, plan, prove_again};
use write::write;

/// A text that is other than before.
#[derive(Debug, Clone)]
pub struct Patched {
    /// its place among the inputs
    pub input: usize,
    /// the text without byte order mark, before
    pub before: String,
    /// what changes in it
    pub splices: Vec<Splice>,
    /// the whole text afterwards, with the mark if there was one
    pub bytes: Vec<u8>,
}

/// What became of one object.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// its kind
    pub kind: Box<str>,
    /// namespace and name
    pub path: String,
    /// where it is written
    pub at: Location,
    /// how much it said, and says
    pub size: (Size, Size),
    /// rules of both families that Felix renders for it, if it is a policy
    pub rendered: Option<(usize, usize)>,
    /// what went, in the order of the text
    pub said: Vec<(Location, String)>,
    /// what was proved of it
    pub proved: Proved,
}

/// A node whose rules were compared.
#[derive(Debug, Clone)]
pub struct NodeProof {
    /// its name
    pub node: String,
    /// what was compared; empty where not one rule or set member is other than before
    pub agreed: Vec<Agreed>,
}

/// Everything that was done.
#[derive(Debug)]
pub struct Optimized {
    /// which version of Calico it was done for, and who said so
    pub version: Found,
    /// the files of the input, for messages
    pub files: Files,
    /// texts that are other than before, in input order
    pub patched: Vec<Patched>,
    /// objects that are other than before, in input order
    pub outcomes: Vec<Outcome>,
    /// nodes that were compared
    pub nodes: Vec<NodeProof>,
    /// everything there is to say: about the input, and what was left alone
    pub diagnostics: Vec<Diagnostic>,
    /// how many objects there are
    pub counts: model::Counts,
    /// nothing was done, because the input cannot be used
    pub unusable: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'q> {
    /// the node to compare; every one if none is given
    pub node: Option<&'q str>,
    /// threads
    pub threads: usize,
    /// what to do with objects that would be refused
    pub invalid: InvalidMode,
    /// the version of Calico; as the manifests tell if none is given
    pub version: Option<CalicoVersion>,
}

/// The name of the node that stands for any, where its configuration is all that is asked for.
const ANY: &str = "any-node";

/// What stands in the texts.
struct Input {
    files: Files,
    collected: Collected,
    /// of the text itself
    diagnostics: Vec<Diagnostic>,
    objects: Vec<Object>,
}

fn read(
    opened: &[Opened],
    new: &BTreeMap<usize, Vec<u8>>,
    version: CalicoVersion,
    request: &Request<'_>,
) -> Input {
    let facts = version.facts();
    let inputs: Vec<source::Input> =
        opened.iter().enumerate().map(|(at, text)| text.input(new.get(&at).map(Vec::as_slice))).collect();
    let options = Options { threads: request.threads };
    let both = |object: &Source<'_>| -> (Lowered, Option<Object>) {
        (model::lower(object, facts), Object::take(object))
    };
    let read = source::read(&inputs, &options, both);
    let (lowered, objects): (Vec<_>, Vec<_>) = read.values.into_iter().unzip();
    Input {
        files: read.files,
        collected: model::collect(lowered, request.invalid, facts),
        diagnostics: read.diagnostics,
        objects: objects.into_iter().flatten().collect(),
    }
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|said| said.severity == Severity::Error)
}

/// Makes policies smaller.
pub fn run(opened: &[Opened], request: &Request<'_>) -> Optimized {
    let nothing_new = BTreeMap::new();
    let mut input = read(opened, &nothing_new, request.version.unwrap_or(CalicoVersion::LATEST), request);
    let version = match request.version {
        Some(version) => Found { version, told: Told::Asked, diagnostics: Vec::new() },
        None => version::found(&input.collected.resources),
    };
    if request.version.is_none() && version.version != CalicoVersion::LATEST {
        input = read(opened, &nothing_new, version.version, request);
    }
    let mut diagnostics = std::mem::take(&mut input.diagnostics);
    let empty = input.collected.counts == model::Counts::default();
    let malformed = has_error(&diagnostics);
    diagnostics.extend(input.collected.diagnostics.iter().cloned());
    diagnostics.extend(version.diagnostics.iter().cloned());
    let refused = request.invalid == InvalidMode::Fail && has_error(&diagnostics);
    let facts = version.version.facts();
    let mut done = Optimized {
        version,
        files: input.files,
        patched: Vec::new(),
        outcomes: Vec::new(),
        nodes: Vec::new(),
        diagnostics,
        counts: input.collected.counts.clone(),
        unusable: malformed || empty || refused,
    };
    if done.unusable {
        return done;
    }
    let stored: BTreeSet<Location> =
        model::subjects(&input.collected.resources).into_iter().map(|subject| subject.at).collect();
    add_any_node(&mut input.collected);
    let cluster = Cluster::new(&input.collected.resources);
    done.diagnostics.extend_from_slice(cluster.diagnostics());
    let names: Vec<&str> = match request.node {
        Some(node) => vec![node],
        None => cluster.node_names().filter(|name| *name != ANY).collect(),
    };
    let first = names.first().copied().unwrap_or(ANY);
    let resolved = cluster.view(&NodeRequest { node: first, interfaces: None });
    let Some(view) = resolved.view else {
        done.diagnostics.extend(resolved.diagnostics);
        done.unusable = true;
        return done;
    };
    let objects: Vec<&Object> =
        input.objects.iter().filter(|object| stored.contains(&object.root.at)).collect();
    let by_place: HashMap<Location, &Policy> =
        cluster.policies().iter().map(|policy| (policy.at, policy)).collect();
    let planned: Vec<(Option<Work<'_>>, Vec<Diagnostic>)> =
        objects.par_iter().map(|object| plan(object, &by_place, &cluster, &view, facts)).collect();
    let mut works = Vec::new();
    for (work, said) in planned {
        works.extend(work);
        done.diagnostics.extend(said);
    }
    let mut patched = write(opened, &mut works, &mut done.diagnostics);
    loop {
        if prove_again(&mut works, &view, facts, &mut done.diagnostics) {
            patched = write(opened, &mut works, &mut done.diagnostics);
            continue;
        }
        match nodes(opened, &patched, &works, &cluster, &names, done.version.version, request) {
            Ok(nodes) => {
                done.nodes = nodes;
                break;
            }
            Err((node, culprits)) => {
                for (index, different) in culprits {
                    let work = &mut works[index];
                    let message = format!(
                        "{} is left as it is: its edits would change the rules of node `{node}`; {}",
                        work.called(),
                        report::different(&different)
                    );
                    done.diagnostics.push(Diagnostic::note("not-proved-equal", work.object.root.at, message));
                    work.made.clear();
                }
                patched = write(opened, &mut works, &mut done.diagnostics);
            }
        }
    }
    if names.is_empty() && !works.is_empty() {
        let message = "the input has no node, so policies were compared by themselves only";
        done.diagnostics.push(Diagnostic::new("no-node-compared", Severity::Note, None, message));
    }
    done.patched = patched;
    done.outcomes = works.iter().filter(|work| !work.made.is_empty()).map(outcome).collect();
    done
}

fn add_any_node(collected: &mut Collected) {
    collected.resources.nodes.push(core::Node {
        meta: Meta::built_in(ANY),
        pod_cidrs: Vec::new(),
        addresses: Vec::new(),
    });
}
