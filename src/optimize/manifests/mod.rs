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
//! | `patch` | edits of the text, and the difference as a patch |
//! | `report` | what was saved and proved, in text and JSON |

mod change;
mod nets;
mod object;
mod patch;
pub mod prove;
pub mod report;
mod rules;

pub use change::Size;
pub use nets::{Fate, networks, ports};
pub use patch::{Splice, unified};

use super::compare;
use super::proof::{Agreed, Different};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::emit::ipset::each_member;
use crate::felix;
use crate::ir::Program;
use crate::model::{self, Collected, InvalidMode, Lowered, core, meta::Meta};
use crate::resolve::policy::Policy;
use crate::resolve::view::NodeView;
use crate::resolve::{Cluster, NodeRequest};
use crate::source::tree::Node;
use crate::source::{self, Files, Object as Source, Opened, Options};
use crate::version::{self, CalicoVersion, Facts, Found, Told};
use change::Change;
use object::{Object, Part, edited};
use patch::Text;
use prove::{Proved, Refused, Rendered};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

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

/// An object and what is to be done to it.
struct Work<'o> {
    object: &'o Object,
    changes: Vec<Change>,
    /// the changes that are made
    made: BTreeSet<usize>,
    /// those that `proved` is about
    proved_of: BTreeSet<usize>,
    proved: Proved,
    rendered: Option<(usize, usize)>,
}

impl Work<'_> {
    fn edits(&self) -> impl Iterator<Item = &object::Edit> + Clone {
        self.made.iter().flat_map(|index| &self.changes[*index].edits)
    }

    fn after(&self) -> Part {
        edited(&self.object.root, self.edits())
    }

    fn input(&self) -> usize {
        self.object.root.at.file.0 as usize
    }

    fn called(&self) -> String {
        format!("{} `{}`", self.object.kind, self.object.path())
    }
}

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

fn outcome(work: &Work<'_>) -> Outcome {
    let after = work.after();
    let shape = work.object.shape;
    let mut said: Vec<_> = work.made.iter().flat_map(|index| work.changes[*index].said.clone()).collect();
    said.sort();
    Outcome {
        kind: work.object.kind.clone(),
        path: work.object.path(),
        at: work.object.root.at,
        size: (change::size(shape, &work.object.root), change::size(shape, &after)),
        rendered: work.rendered,
        said,
        proved: work.proved.clone(),
    }
}

/// Finds out what can go from an object, and makes of it what is proved.
fn plan<'o>(
    object: &'o Object,
    policies: &HashMap<Location, &Policy>,
    cluster: &Cluster<'_>,
    view: &NodeView,
    facts: &'static Facts,
) -> (Option<Work<'o>>, Vec<Diagnostic>) {
    let mut said = Vec::new();
    let at = object.root.at;
    let (mut changes, gone) =
        policies.get(&at).map(|policy| rules::rules(object, policy, cluster)).unwrap_or_default();
    changes.extend(change::lists(object, &gone));
    if changes.is_empty() {
        return (None, said);
    }
    let mut work = Work {
        object,
        changes,
        made: BTreeSet::new(),
        proved_of: BTreeSet::new(),
        proved: Proved::default(),
        rendered: None,
    };
    let left = |why: &str| {
        Diagnostic::note(
            "left-alone",
            at,
            format!("{} `{}` is left as it is: {why}", object.kind, object.path()),
        )
    };
    if object.has_duplicates {
        said.push(left("it has a key twice"));
        return (None, said);
    }
    if prove::is_set(object) {
        work.made = (0..work.changes.len()).collect();
        if !prove::network_set(&object.root, &work.after()) {
            said.push(left("its addresses would be others"));
            return (None, said);
        }
        work.proved_of = work.made.clone();
        work.proved.any_members = true;
        return (Some(work), said);
    }
    let before = match prove::render(object, &object.root, view, facts) {
        Ok(rendered) => rendered,
        Err(why) => {
            said.push(left(&why));
            return (None, said);
        }
    };
    let attempt = |made: &BTreeSet<usize>| attempt(&work, made, &before, view, facts);
    let all: BTreeSet<usize> = (0..work.changes.len()).collect();
    let (mut made, mut result) = (BTreeSet::new(), None);
    match attempt(&all) {
        Ok(proved) => (made, result) = (all, Some(proved)),
        Err(_) => {
            // one by one, and again what did not go before another did
            let mut open: Vec<usize> = all.into_iter().collect();
            loop {
                let mut refused = Vec::new();
                let count = open.len();
                for index in open {
                    let mut with = made.clone();
                    with.insert(index);
                    match attempt(&with) {
                        Ok(proved) => (made, result) = (with, Some(proved)),
                        Err(why) => refused.push((index, why)),
                    }
                }
                if refused.is_empty() || refused.len() == count {
                    said.extend(refused.iter().map(|(index, why)| not_made(&work, *index, why)));
                    break;
                }
                open = refused.into_iter().map(|(index, _)| index).collect();
            }
        }
    }
    let Some((proved, rules)) = result else { return (None, said) };
    work.rendered = Some((before.rules(), rules));
    work.proved_of = made.clone();
    work.made = made;
    work.proved = proved;
    (Some(work), said)
}

/// What is proved of an object with some of its changes, and how many rules it then has.
fn attempt(
    work: &Work<'_>,
    made: &BTreeSet<usize>,
    before: &Rendered,
    view: &NodeView,
    facts: &'static Facts,
) -> Result<(Proved, usize), Refused> {
    let edits = made.iter().flat_map(|index| &work.changes[*index].edits);
    let after = edited(&work.object.root, edits);
    let after = prove::render(work.object, &after, view, facts).map_err(Refused::Invalid)?;
    let proved = prove::policy(before, &after, view);
    Ok((proved.map_err(|different| Refused::Different(Box::new(different)))?, after.rules()))
}

/// Proves anew what was taken back in part. Gives whether anything more had to be.
fn prove_again(
    works: &mut [Work<'_>],
    view: &NodeView,
    facts: &'static Facts,
    said: &mut Vec<Diagnostic>,
) -> bool {
    let mut changed = false;
    for work in works.iter_mut().filter(|work| !work.made.is_empty() && work.made != work.proved_of) {
        work.proved_of = work.made.clone();
        if prove::is_set(work.object) {
            continue;
        }
        let proved = prove::render(work.object, &work.object.root, view, facts)
            .map_err(Refused::Invalid)
            .and_then(|before| Ok((attempt(work, &work.made, &before, view, facts)?, before.rules())));
        match proved {
            Ok(((proved, after), before)) => {
                work.proved = proved;
                work.rendered = Some((before, after));
            }
            Err(why) => {
                let first = work.made.first().copied().unwrap_or_default();
                said.push(not_made(work, first, &why));
                work.made.clear();
                changed = true;
            }
        }
    }
    changed
}

fn not_made(work: &Work<'_>, index: usize, why: &Refused) -> Diagnostic {
    let change = &work.changes[index];
    let (at, what) = change.said.first().cloned().unwrap_or((work.object.root.at, String::new()));
    let (id, why) = match why {
        Refused::Invalid(why) => ("left-alone", why.clone()),
        Refused::Different(different) => ("not-proved-equal", report::different(different)),
    };
    let message = format!("{} keeps this, although {what}: {why}", work.called());
    Diagnostic::new(id, Severity::Note, Some(at), message)
}

/// The new texts. Edits that cannot be made in the text are taken back.
fn write(opened: &[Opened], works: &mut [Work<'_>], said: &mut Vec<Diagnostic>) -> Vec<Patched> {
    let mut by_input: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, work) in works.iter().enumerate().filter(|(_, work)| !work.made.is_empty()) {
        by_input.entry(work.input()).or_default().push(index);
    }
    let mut patched = Vec::new();
    for (input, indices) in by_input {
        let opened = &opened[input];
        if let Some(done) = patch_file(opened, input, works, &indices) {
            patched.push(done);
            continue;
        }
        // which of them it is: one after the other, but together what is written in one place and, through
        // aliases, stands in several
        let mut groups: BTreeMap<Vec<Location>, Vec<(usize, usize)>> = BTreeMap::new();
        for index in &indices {
            for change in std::mem::take(&mut works[*index].made) {
                let places = works[*index].changes[change].said.iter().map(|(at, _)| *at).collect();
                groups.entry(places).or_default().push((*index, change));
            }
        }
        let mut last = None;
        for group in groups.values() {
            for (index, change) in group {
                works[*index].made.insert(*change);
            }
            if let Some(done) = patch_file(opened, input, works, &indices) {
                last = Some(done);
                continue;
            }
            for (index, change) in group {
                works[*index].made.remove(change);
                let (at, what) = works[*index].changes[*change].said[0].clone();
                let message = format!(
                    "{} keeps this, although {what}: its text cannot be changed without changing something else",
                    works[*index].called()
                );
                said.push(
                    Diagnostic::note("left-alone", at, message)
                        .help("write it without anchors, aliases and tags"),
                );
            }
        }
        patched.extend(last);
    }
    patched
}

/// One text with the edits of its objects, if it then says just what it should.
fn patch_file(opened: &Opened, input: usize, works: &[Work<'_>], indices: &[usize]) -> Option<Patched> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    let marked = opened.bytes.starts_with(MARK);
    let before = std::str::from_utf8(&opened.bytes[if marked { MARK.len() } else { 0 }..]).ok()?;
    let text = Text::new(before);
    let mut splices = Vec::new();
    for work in indices.iter().map(|index| &works[*index]).filter(|work| !work.made.is_empty()) {
        splices.extend(text.splices(&work.object.root, work.edits())?);
    }
    if splices.is_empty() {
        return None;
    }
    let (after, splices) = text.with(&splices)?;
    let mut bytes = if marked { MARK.to_vec() } else { Vec::new() };
    bytes.extend_from_slice(after.as_bytes());
    let wanted: HashMap<Location, Part> =
        indices.iter().map(|index| (works[*index].object.root.at, works[*index].after())).collect();
    says(opened, input, &wanted)
        .zip(says(&Opened { bytes: bytes.clone(), ..opened.clone() }, input, &HashMap::new()))
        .filter(|(wanted, found)| wanted == found)?;
    Some(Patched { input, before: before.to_owned(), splices, bytes })
}

/// What a text says, object by object, with some of them replaced; `None` if it cannot be read.
fn says(
    opened: &Opened,
    input: usize,
    instead: &HashMap<Location, Part>,
) -> Option<Vec<(u64, Option<Part>)>> {
    let read =
        source::read(&[opened.input(None)], &Options { threads: 1 }, |object| match Object::take(object) {
            None => (fingerprint(object.root), None),
            Some(own) => {
                let at = Location { file: crate::diagnostic::FileId(input as u32), ..own.root.at };
                (0, Some(instead.get(&at).cloned().unwrap_or(own.root)))
            }
        });
    (!has_error(&read.diagnostics)).then_some(read.values)
}

/// A number for what a tree says, wherever it is written.
fn fingerprint(node: Node<'_>) -> u64 {
    fn add(node: Node<'_>, hasher: &mut DefaultHasher) {
        (node.is_map(), node.is_seq(), node.style().map(|style| style as u8)).hash(hasher);
        node.text().hash(hasher);
        for (key, value) in node.entries() {
            key.text().hash(hasher);
            add(value, hasher);
        }
        node.items().for_each(|item| add(item, hasher));
        0xffu8.hash(hasher);
    }
    let mut hasher = DefaultHasher::new();
    add(node, &mut hasher);
    hasher.finish()
}

/// Objects whose edits are at fault, by their numbers.
type Culprits = Vec<(usize, Different)>;

/// Compares the rules of every node. An error names a node and the objects whose edits change its rules.
fn nodes(
    opened: &[Opened],
    patched: &[Patched],
    works: &[Work<'_>],
    before: &Cluster<'_>,
    names: &[&str],
    version: CalicoVersion,
    request: &Request<'_>,
) -> Result<Vec<NodeProof>, (String, Culprits)> {
    if patched.is_empty() || names.is_empty() {
        return Ok(Vec::new());
    }
    let all = patched.iter().map(|text| (text.input, text.bytes.clone())).collect();
    let proofs: Vec<Result<NodeProof, (String, Different)>> = with(opened, &all, version, request, |after| {
        names
            .par_iter()
            .map(|node| {
                let agreed =
                    node_equal(before, after, node).map_err(|different| (node.to_string(), different))?;
                Ok(NodeProof { node: node.to_string(), agreed })
            })
            .collect()
    });
    let Some(Err((node, different))) = proofs.iter().find(|proof| proof.is_err()) else {
        return Ok(proofs.into_iter().flatten().collect());
    };
    let made: Vec<usize> = (0..works.len()).filter(|index| !works[*index].made.is_empty()).collect();
    let mut culprits = Vec::new();
    for index in &made {
        let work = &works[*index];
        let Some(text) = patch_file(&opened[work.input()], work.input(), works, &[*index]) else { continue };
        let alone = [(text.input, text.bytes)].into();
        if let Err(different) =
            with(opened, &alone, version, request, |after| node_equal(before, after, node))
        {
            culprits.push((*index, different));
        }
    }
    if culprits.is_empty() {
        culprits = made.into_iter().map(|index| (index, different.clone())).collect();
    }
    Err((node.clone(), culprits))
}

/// Does something with the cluster of other texts.
fn with<T>(
    opened: &[Opened],
    new: &BTreeMap<usize, Vec<u8>>,
    version: CalicoVersion,
    request: &Request<'_>,
    then: impl FnOnce(&Cluster<'_>) -> T,
) -> T {
    let mut input = read(opened, new, version, request);
    add_any_node(&mut input.collected);
    then(&Cluster::new(&input.collected.resources))
}

fn node_equal(before: &Cluster<'_>, after: &Cluster<'_>, node: &str) -> Result<Vec<Agreed>, Different> {
    let rendered = |cluster: &Cluster<'_>| -> Option<(Program, u32)> {
        let view = cluster.view(&NodeRequest { node, interfaces: None }).view?;
        Some((felix::render(&view), felix::private_marks(&view)))
    };
    let (Some((own, private)), Some((now, _))) = (rendered(before), rendered(after)) else {
        return Ok(Vec::new());
    };
    if super::is_unchanged(&own, &now) && has_same_sets(&own, &now) {
        return Ok(Vec::new());
    }
    compare(&own, &now, private)
}

fn has_same_sets(own: &Program, now: &Program) -> bool {
    own.sets.iter().zip(&now.sets).all(|(own, now)| {
        let mut members = [Vec::new(), Vec::new()];
        for (set, members) in [own, now].into_iter().zip(&mut members) {
            each_member(set, |member| members.push(member.to_owned()));
        }
        own.name == now.name && members[0] == members[1]
    })
}
