//! The edits of all objects of a text → the new text, if it says just what it should.

use super::object::{Object, Part};
use super::patch::Text;
use super::work::Work;
use super::{Patched, has_error};
use crate::diagnostic::{Diagnostic, FileId, Location};
use crate::source::tree::Node;
use crate::source::{self, Opened, Options};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The new texts. Edits that cannot be made in the text are taken back.
pub fn write(opened: &[Opened], works: &mut [Work<'_>], said: &mut Vec<Diagnostic>) -> Vec<Patched> {
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
pub fn patch_file(opened: &Opened, input: usize, works: &[Work<'_>], indices: &[usize]) -> Option<Patched> {
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
                let at = Location { file: FileId(input as u32), ..own.root.at };
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
