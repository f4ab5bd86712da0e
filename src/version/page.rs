//! `docs/versions.md`, made from the table.

use super::facts::{Row, TABLE};
use super::fields::{Change, FIELDS};
use super::{Area, CalicoVersion};
use std::fmt::Write;

impl Area {
    /// All areas, in the order in which they are told.
    const ALL: [Area; 7] = [
        Area::Kinds,
        Area::Policies,
        Area::Names,
        Area::Rules,
        Area::Sets,
        Area::Configuration,
        Area::Validation,
    ];

    /// Its heading.
    fn title(self) -> &'static str {
        match self {
            Area::Kinds => "Kinds",
            Area::Policies => "What policies mean",
            Area::Names => "Names",
            Area::Rules => "Rules",
            Area::Sets => "Sets",
            Area::Configuration => "Configuration of Felix",
            Area::Validation => "What is refused",
        }
    }
}

impl Row {
    /// The question that the row answers.
    pub fn question(&self) -> String {
        self.question.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// From when to when something holds, and what, the oldest first.
    fn spans(&self) -> impl Iterator<Item = (String, &'static str)> + '_ {
        self.steps.iter().enumerate().map(|(index, (from, words))| {
            let all = CalicoVersion::ALL;
            let end = self.steps.get(index + 1).map_or(all.len(), |(next, _)| usize::from(next.0));
            let last = all[end - 1];
            let span = if *from == last { from.name().to_owned() } else { format!("{from} to {last}") };
            (span, *words)
        })
    }
}

/// The whole page.
pub fn page() -> String {
    let mut out = String::from(INTRODUCTION);
    out.push_str("| version | read from |\n|---|---|\n");
    for version in CalicoVersion::ALL {
        let _ = writeln!(out, "| {version} | {} |", version.read_from());
    }
    for area in Area::ALL {
        let _ = write!(out, "\n## {}\n", area.title());
        for row in TABLE.iter().filter(|row| row.area == area) {
            let _ = write!(out, "\n{}\n\n", row.question());
            for (span, words) in row.spans() {
                let _ = writeln!(out, "- {span}: {words}");
            }
            let _ = write!(out, "\n(`{}` in `src/version/facts.rs`; {})\n", row.name, row.source);
        }
    }
    out.push_str("\n## Fields\n\n| kind | field | |\n|---|---|---|\n");
    for field in FIELDS {
        let what = match field.change {
            Change::Added => format!("from {} on", field.version),
            Change::Removed(_) => format!("before {}", field.version),
            Change::Changed(_) => format!("takes other values from {} on", field.version),
        };
        let _ = writeln!(out, "| {} | `{}` | {what} |", field.kind, field.path);
    }
    out.push_str(NEXT);
    out
}

const INTRODUCTION: &str = "\
# Versions of Calico

Which Calico runs decides what a node's rules are called, what some policies mean, and which objects are
read at all. `--calico-version` says which; without it the image of calico-node in the manifests does, else
ClusterInformation, else the newest known version is assumed. Every report says which it was.

This page is made from the one place that knows the differences, `src/version`, and a test holds it to that.
Each version stands for all its patches.

";

const NEXT: &str = "
## How a version is added

1. Read what changed between the tags in `felix/rules`, `felix/calc`, `felix/dataplane/linux`, `felix/config`,
   `libcalico-go/lib` and `api/pkg` of Calico, and in its custom resource definitions.
2. Name the version in `src/version/mod.rs`.
3. Add a line to each row of `src/version/facts.rs` that it changes, and a row for each new difference; add the
   fields that came or went to `src/version/fields.rs`. Where a row is new, the code that it is about asks for it
   by name: nothing outside of `src/version` knows one version from another.
4. Record clusters with the new Felix, and put them into `fixtures/golden-versions` and the larger collection;
   `cargo test --test golden` compares.
5. Make this page anew: `UPDATE_PAGES=1 cargo test --test versions`.
";
