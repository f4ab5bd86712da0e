//! The form for people: message, the lines it speaks of with the place underlined, further places,
//! and what to do, as rustc shows its errors.

use super::excerpt::Excerpt;
use super::{SourceLines, printable};
use crate::diagnostic::{Diagnostic, Location, Severity};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

/// All diagnostics, an empty line after each. `styled` puts in ANSI colours; it is for the caller
/// to know whether the output is a terminal that wants them.
pub fn full(diagnostics: &[Diagnostic], sources: &dyn SourceLines, styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&report(diagnostic, sources)));
        out.push_str("\n\n");
    }
    out
}

fn report<'a>(d: &'a Diagnostic, sources: &'a dyn SourceLines) -> Vec<Group<'a>> {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut main = Group::with_title(level.primary_title(printable(&d.message)).id(d.id));
    if let Some(at) = d.at {
        main = main.elements(place(at, AnnotationKind::Primary, sources));
    }
    if let Some(help) = &d.help {
        main = main.element(Level::HELP.message(printable(help)));
    }
    let mut groups = vec![main];
    for related in &d.related {
        let group = Group::with_title(Level::NOTE.secondary_title(printable(&related.message)));
        groups.push(group.elements(place(related.at, AnnotationKind::Context, sources)));
    }
    groups
}

/// Where it is, and how it looks there. The library reads the column off the excerpt; where the
/// excerpt's line is cut or escaped that would be the wrong one, so the place is named before it.
fn place<'a>(at: Location, kind: AnnotationKind, sources: &'a dyn SourceLines) -> Vec<Element<'a>> {
    let name = printable(sources.name(at.file));
    let origin = Origin::path(name.clone()).line(at.line as usize).char_column(at.column as usize);
    let Some(excerpt) = Excerpt::around(at, sources) else { return vec![origin.into()] };
    let snippet = Snippet::source(excerpt.text)
        .line_start(excerpt.first_line as usize)
        .fold(false)
        .annotation(kind.span(excerpt.span));
    if excerpt.column == at.column {
        vec![snippet.path(name).into()]
    } else {
        vec![origin.into(), snippet.into()]
    }
}
