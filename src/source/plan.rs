//! A file's text → parts that can be lowered at the same time.

use super::large::{LARGE, Large, PART};
use super::lines;
use super::part::{Part, Work};
use super::split::Splitter;
use crate::diagnostic::{Diagnostic, FileId, Location, Severity};
use std::ops::Range;

/// A text and what it is.
pub(super) struct Text {
    pub(super) file: FileId,
    pub(super) text: String,
    /// the file is named `.json`
    pub(super) json: bool,
}

/// What is to be done with the outcome of the parts, in input order.
pub(super) enum Step<'t> {
    Say(Diagnostic),
    /// the next part stands for itself
    Part,
    /// the next `count` parts are one document, which may have to be read as a `whole`
    Large {
        large: Large,
        whole: Part<'t>,
        count: usize,
    },
}

/// The parts of some files.
#[derive(Default)]
pub(super) struct Plan<'t> {
    pub(super) parts: Vec<Part<'t>>,
    pub(super) steps: Vec<Step<'t>>,
}

/// Documents that will be one part.
struct Group<'t> {
    text: &'t Text,
    ranges: Vec<Range<usize>>,
    /// an offset whose place is known
    offset: usize,
    place: Location,
}

impl<'t> Plan<'t> {
    /// Cuts a file into parts: small documents together, large ones each in several.
    pub(super) fn file(&mut self, text: &'t Text) {
        let place = lines::start_of(text.file);
        let mut group = Group { text, ranges: Vec::new(), offset: 0, place };
        let mut splitter = Splitter::new(&text.text);
        while let Some(range) = splitter.next() {
            let large = range.len() >= LARGE;
            if large || group.len() + range.len() > PART {
                self.part(&mut group);
            }
            group.ranges.push(range);
            if large {
                self.large(&mut group);
            }
            for fault in splitter.dropped.drain(..) {
                self.part(&mut group);
                group.move_to(fault.offset);
                self.steps.push(Step::Say(fault.diagnostic(Severity::Warning, group.place)));
            }
        }
        self.part(&mut group);
    }

    /// Makes a part of a group, which is empty afterwards.
    fn part(&mut self, group: &mut Group<'t>) {
        if let Some(part) = group.take() {
            self.parts.push(part);
            self.steps.push(Step::Part);
        }
    }

    /// Makes several parts of a group of one large document.
    fn large(&mut self, group: &mut Group<'t>) {
        let Some(range) = group.ranges.first().cloned() else { return };
        let Some(large) = Large::new(&group.text.text[range], group.text.json) else {
            return self.part(group);
        };
        let Some(whole) = group.take() else { return };
        let parts = large.parts(&whole, PART);
        self.steps.push(Step::Large { large, whole, count: parts.len() });
        self.parts.extend(parts);
    }
}

impl<'t> Group<'t> {
    /// Bytes from the first document to the last.
    fn len(&self) -> usize {
        let (Some(first), Some(last)) = (self.ranges.first(), self.ranges.last()) else { return 0 };
        last.end - first.start
    }

    /// Makes the place of `offset`, which only grows, the known one.
    fn move_to(&mut self, offset: usize) {
        self.place = lines::advance(self.place, &self.text.text[self.offset..offset]);
        self.offset = offset;
    }

    /// The documents as one part; nothing if there are none.
    fn take(&mut self) -> Option<Part<'t>> {
        let (start, len) = (self.ranges.first()?.start, self.len());
        self.move_to(start);
        let ranges = self.ranges.drain(..).map(|range| range.start - start..range.end - start).collect();
        let text = &self.text.text[start..start + len];
        let work = Work::Documents { ranges, json: self.text.json };
        Some(Part { text, at: self.place, work })
    }
}
