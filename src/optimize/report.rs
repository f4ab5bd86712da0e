//! What was saved, in text and JSON (`docs/schema/optimized-rules.schema.json`).

use super::blame::Fault;
use super::lab::Lab;
use super::paths::{Length, longest_path, paths, samples};
use super::proof::{Different, Place, Witness};
use super::{Optimized, passes};
use crate::ir::{Family, Origin, Program, RuleSet, TableName};
use crate::kernel::symbolic::Interfaces;
use crate::resolve::view::PolicyId;
use crate::space::Field;
use crate::trace::words;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Everything that was saved on a node.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    schema: &'static str,
    node: &'a str,
    level: u8,
    #[serde(skip)]
    summary: String,
    total: Total,
    tables: Vec<TableEntry>,
    policies: Vec<PolicyEntry>,
    passes: Vec<PassEntry>,
    faults: Vec<FaultEntry>,
    proof: Proof,
}

/// Before and after.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Change<T> {
    before: T,
    after: T,
}

#[derive(Debug, Serialize)]
struct Total {
    rules: Change<usize>,
    chains: Change<usize>,
    sets: Change<usize>,
    members: Change<usize>,
}

#[derive(Debug, Serialize)]
struct TableEntry {
    family: &'static str,
    table: &'static str,
    rules: Change<usize>,
    chains: Change<usize>,
    longest_path: Change<usize>,
    mean_path: Change<f64>,
}

#[derive(Debug, Serialize)]
struct PolicyEntry {
    policy: String,
    rules: Change<usize>,
    longest_path: Change<usize>,
    mean_path: Change<f64>,
}

#[derive(Debug, Serialize)]
struct PassEntry {
    pass: &'static str,
    about: &'static str,
    rules: isize,
    chains: isize,
    members: isize,
}

#[derive(Debug, Serialize)]
struct FaultEntry {
    pass: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessEntry>,
}

/// A packet that two programs treat differently.
#[derive(Debug, Serialize)]
struct WitnessEntry {
    at: String,
    packet: String,
    before: String,
    after: String,
}

#[derive(Debug, Serialize)]
struct Proof {
    equal: bool,
    comparisons: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessEntry>,
}

/// Puts together what was saved. `private`: as for [`super::optimize`].
pub fn report<'a>(
    node: &'a str,
    level: u8,
    before: &Program,
    optimized: &Optimized,
    private: u32,
) -> Report<'a> {
    let after = &optimized.program;
    let interfaces = Interfaces::of_programs([before]);
    let mut lab = Lab::new(&interfaces, private);
    let samples = samples(&mut lab, before);
    let lengths = [before, after].map(|program| paths(&mut lab, program, &samples));
    let [rules_before, rules_after] = [before, after].map(policy_rules);
    let names = rules_before.keys().chain(rules_after.keys()).cloned();
    let names: std::collections::BTreeSet<PolicyId> = names.collect();
    Report {
        schema: "netpolc.optimized-rules/1",
        node,
        level,
        summary: summary(before, after),
        total: total(before, after),
        tables: tables(before, after, &lengths.each_ref().map(|paths| &paths.tables)),
        policies: names
            .into_iter()
            .map(|policy| {
                let [own, now] = lengths.each_ref().map(|paths| length(paths.policies.get(&policy)));
                let count = |rules: &BTreeMap<PolicyId, usize>| rules.get(&policy).copied().unwrap_or(0);
                PolicyEntry {
                    policy: format!("{} {}", policy.kind.name(), policy.path()),
                    rules: Change { before: count(&rules_before), after: count(&rules_after) },
                    longest_path: Change { before: own.longest, after: now.longest },
                    mean_path: Change { before: own.mean, after: now.mean },
                }
            })
            .collect(),
        passes: pass_entries(optimized),
        faults: optimized.faults.iter().map(|fault| fault_entry(fault, &interfaces)).collect(),
        proof: match &optimized.proof {
            Ok(agreed) => Proof { equal: true, comparisons: agreed.len(), witness: None },
            Err(Different::Packet(witness)) => {
                Proof { equal: false, comparisons: 0, witness: Some(witness_entry(witness, &interfaces)) }
            }
            Err(Different::TooManyMarks) => Proof { equal: false, comparisons: 0, witness: None },
        },
    }
}

/// One line: what became of the node's rules.
pub fn summary(before: &Program, after: &Program) -> String {
    let Total { rules, chains, members, .. } = total(before, after);
    let path = change(before, after, longest_path);
    format!(
        "rules {} → {}, chains {} → {}, set members {} → {}, longest path {} → {}",
        rules.before,
        rules.after,
        chains.before,
        chains.after,
        members.before,
        members.after,
        path.before,
        path.after
    )
}

fn total(before: &Program, after: &Program) -> Total {
    Total {
        rules: change(before, after, rules),
        chains: change(before, after, chains),
        sets: change(before, after, |program| program.sets.len()),
        members: change(before, after, |program| program.sets.iter().map(|set| set.len()).sum()),
    }
}

fn change<T>(before: &Program, after: &Program, of: impl Fn(&Program) -> T) -> Change<T> {
    Change { before: of(before), after: of(after) }
}

fn rules(program: &Program) -> usize {
    super::all_chains(program).map(|chain| chain.rules.len()).sum()
}

/// Chains, those of the kernel's hooks left out.
fn chains(program: &Program) -> usize {
    program.v4.tables.iter().chain(&program.v6.tables).map(|table| table.chains.len()).sum()
}

fn policy_rules(program: &Program) -> BTreeMap<PolicyId, usize> {
    let mut counts = BTreeMap::new();
    for rule in super::all_chains(program).flat_map(|chain| &chain.rules) {
        if let Origin::Policy(own) = &rule.origin {
            *counts.entry(own.policy.clone()).or_default() += 1;
        }
    }
    counts
}

fn length(length: Option<&Length>) -> Length {
    let Length { longest, mean } = length.copied().unwrap_or_default();
    // as many digits as anybody reads
    Length { longest, mean: (mean * 10.0).round() / 10.0 }
}

fn tables(
    before: &Program,
    after: &Program,
    lengths: &[&BTreeMap<(Family, TableName), Length>; 2],
) -> Vec<TableEntry> {
    let mut entries = Vec::new();
    let families: [fn(&Program) -> &RuleSet; 2] = [|program| &program.v4, |program| &program.v6];
    for of in families {
        for own in &of(before).tables {
            let family = of(before).family;
            let count = |program: &Program, what: fn(&crate::ir::Table) -> usize| {
                of(program).tables.iter().find(|table| table.name == own.name).map_or(0, what)
            };
            let rules = |table: &crate::ir::Table| {
                table.hooks.iter().chain(&table.chains).map(|chain| chain.rules.len()).sum()
            };
            let [long, now] = lengths.map(|lengths| length(lengths.get(&(family, own.name))));
            entries.push(TableEntry {
                family: family.name(),
                table: own.name.name(),
                rules: Change { before: count(before, rules), after: count(after, rules) },
                chains: change(before, after, |program| count(program, |table| table.chains.len())),
                longest_path: Change { before: long.longest, after: now.longest },
                mean_path: Change { before: long.mean, after: now.mean },
            });
        }
    }
    entries
}

fn pass_entries(optimized: &Optimized) -> Vec<PassEntry> {
    let about = |name: &str| passes::ALL.iter().find(|pass| pass.name == name).map_or("", |pass| pass.about);
    let entry = |saved: &super::Saved| PassEntry {
        pass: saved.pass,
        about: about(saved.pass),
        rules: saved.rules,
        chains: saved.chains,
        members: saved.members,
    };
    optimized.saved.iter().map(entry).collect()
}

fn fault_entry(fault: &Fault, interfaces: &Interfaces) -> FaultEntry {
    FaultEntry {
        pass: fault.pass,
        chain: fault
            .chain
            .as_ref()
            .map(|(family, table, chain)| format!("{} {} {chain}", family.name(), table.name())),
        witness: fault.witness.as_ref().map(|witness| witness_entry(witness, interfaces)),
    }
}

fn witness_entry(witness: &Witness, interfaces: &Interfaces) -> WitnessEntry {
    WitnessEntry {
        at: place(&witness.place),
        packet: format!("{}, {}", packet(witness), on_interfaces(witness, interfaces)),
        before: witness.before.clone(),
        after: witness.after.clone(),
    }
}

/// A place in words.
pub fn place(place: &Place) -> String {
    let Place { family, table, hook, marks: (mark, _) } = place;
    format!("{} {} {hook}, mark {mark:#x}", family.name(), table.name())
}

/// A packet in words: what a person would send to see it.
pub fn packet(witness: &Witness) -> String {
    let value = |field: Field| witness.packet[field as usize];
    let address = |field: Field| words::address(value(field), witness.place.family);
    format!(
        "{} from {} port {} to {} port {}",
        words::protocol(value(Field::Protocol)),
        address(Field::Source),
        value(Field::SourcePort),
        address(Field::Destination),
        value(Field::DestinationPort)
    )
}

/// The interfaces that it comes in and goes out on, where it has any.
fn on_interfaces(witness: &Witness, interfaces: &Interfaces) -> String {
    let name = |field: Field| match interfaces.name(witness.packet[field as usize] as u16) {
        name if name.is_empty() => "-".to_owned(),
        name => name,
    };
    format!("in {}, out {}", name(Field::InInterface), name(Field::OutInterface))
}

impl Report<'_> {
    /// What a person reads.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}, level {}: {}\n", self.node, self.level, self.summary);
        let mut rows = vec![row([&"table", &"rules", &"chains", &"longest path", &"mean path"])];
        rows.extend(self.tables.iter().filter(|table| table.rules.before > 0).map(|table| {
            row([
                &format!("{} {}", table.family, table.table),
                &arrow(table.rules),
                &arrow(table.chains),
                &arrow(table.longest_path),
                &arrow(table.mean_path),
            ])
        }));
        columns(&mut out, &rows);
        if !self.policies.is_empty() {
            out.push('\n');
            let mut rows = vec![row([&"policy", &"rules", &"longest path", &"mean path"])];
            rows.extend(self.policies.iter().map(|own| {
                row([&own.policy, &arrow(own.rules), &arrow(own.longest_path), &arrow(own.mean_path)])
            }));
            columns(&mut out, &rows);
        }
        out.push('\n');
        let mut rows = vec![row([&"pass", &"rules less", &"chains less", &"members less", &""])];
        rows.extend(
            self.passes.iter().map(|own| row([&own.pass, &own.rules, &own.chains, &own.members, &own.about])),
        );
        columns(&mut out, &rows);
        for fault in &self.faults {
            let chain = fault.chain.as_deref().unwrap_or("any chain");
            let _ =
                writeln!(out, "\npass `{}` was wrong about {chain}, and was not applied there", fault.pass);
            fault.witness.iter().for_each(|witness| witness.text(&mut out));
        }
        out.push('\n');
        match &self.proof {
            Proof { equal: true, comparisons, .. } => {
                let _ = writeln!(out, "proved equal for all packets: {comparisons} comparisons of hooks");
            }
            Proof { witness, .. } => {
                out.push_str("not proved equal, so the rules are Felix's own\n");
                witness.iter().for_each(|witness| witness.text(&mut out));
            }
        }
        out
    }
}

impl WitnessEntry {
    fn text(&self, out: &mut String) {
        let WitnessEntry { at, packet, before, after } = self;
        let _ = writeln!(out, "  {at}: {packet}\n  before: {before}\n  after: {after}");
    }
}

fn row<const N: usize>(cells: [&dyn std::fmt::Display; N]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

fn arrow<T: PartialEq + std::fmt::Display>(change: Change<T>) -> String {
    if change.before == change.after {
        change.before.to_string()
    } else {
        format!("{} → {}", change.before, change.after)
    }
}

/// A table whose columns are as wide as they must be.
fn columns(out: &mut String, rows: &[Vec<String>]) {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
