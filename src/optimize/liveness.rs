//! Bits of the mark that some rule still looks at.

use crate::ir::{Action, ConnectionMark, Matcher, Rule, TableName};
use crate::kernel::Machine;
use crate::kernel::machine::Table;
use rustc_hash::FxHashMap;

/// The bits that are live at the beginning of chains, by the chain and what is live after it.
pub type Known = FxHashMap<(usize, u32), u32>;

/// The bits that some hook looks at before it writes them: what a packet brings into a hook matters in
/// just these. A packet can come to any hook after any other (over the loopback interface, or once more
/// inside a tunnel), so a bit that is live at one is taken as live at the end of all.
pub fn live_bits(machine: &Machine<'_>) -> u32 {
    let mut live = 0;
    loop {
        let mut more = live;
        for name in TableName::ALL {
            let table = machine.table(name);
            let mut known = FxHashMap::default();
            for hook in name.hooks().iter().filter_map(|hook| table.hook(hook)) {
                more |= before(table, hook, live, live, &mut known);
            }
        }
        if more == live {
            return live;
        }
        live = more;
    }
}

/// For each chain of a table, the bits that somebody may look at after a packet came back from it.
/// `end`: those that are live when the table ends.
pub fn live_after(table: &Table<'_>, name: TableName, end: u32) -> Vec<u32> {
    let mut back = vec![0; table.chains().len()];
    let hooks: Vec<usize> = name.hooks().iter().filter_map(|hook| table.hook(hook)).collect();
    for hook in &hooks {
        back[*hook] = end;
    }
    let mut known = FxHashMap::default();
    for chain in callers_first(table, &hooks) {
        let compiled = table.chain(chain);
        for (place, ready) in compiled.rules.iter().enumerate() {
            let Some(target) = ready.target else { continue };
            back[target] |= match ready.action {
                Some(Action::Jump(_)) => from(table, chain, place + 1, back[chain], end, &mut known),
                _ => back[chain],
            };
        }
    }
    back
}

/// The chains that can be reached, each after all that go to it.
pub fn callers_first(table: &Table<'_>, roots: &[usize]) -> Vec<usize> {
    fn visit(table: &Table<'_>, chain: usize, seen: &mut [bool], done: &mut Vec<usize>) {
        if std::mem::replace(&mut seen[chain], true) {
            return;
        }
        for target in table.chain(chain).rules.iter().filter_map(|rule| rule.target) {
            visit(table, target, seen, done);
        }
        done.push(chain);
    }
    let mut seen = vec![false; table.chains().len()];
    let mut done = Vec::new();
    for root in roots {
        visit(table, *root, &mut seen, &mut done);
    }
    done.reverse();
    done
}

/// The bits that are live when a packet enters a chain, given those that are live when it comes back
/// from it, and when the table ends.
fn before(table: &Table<'_>, chain: usize, back: u32, end: u32, known: &mut Known) -> u32 {
    if let Some(live) = known.get(&(chain, back)) {
        return *live;
    }
    let live = from(table, chain, 0, back, end, known);
    known.insert((chain, back), live);
    live
}

/// The bits that are live before the rule at a place of a chain.
pub fn from(table: &Table<'_>, chain: usize, place: usize, back: u32, end: u32, known: &mut Known) -> u32 {
    let rules = &table.chain(chain).chain.rules;
    let mut live = back;
    for (at, rule) in rules.iter().enumerate().skip(place).rev() {
        let acted = acted(table, (chain, at), live, back, end, known);
        live = if rule.matches.is_empty() { acted } else { live | acted | read_bits(rule) };
    }
    live
}

/// The bits that are live for a packet that a rule applies to, once it has been looked at; `next`: those
/// that are live before the next rule.
pub fn acted(
    table: &Table<'_>,
    (chain, place): (usize, usize),
    next: u32,
    back: u32,
    end: u32,
    known: &mut Known,
) -> u32 {
    let compiled = table.chain(chain);
    let target = compiled.rules[place].target;
    let mut into = |back| target.map_or(next, |target| before(table, target, back, end, known));
    match &compiled.chain.rules[place].action {
        Some(Action::Jump(_)) => into(next),
        Some(Action::Goto(_)) => into(back),
        Some(Action::Return) => back,
        Some(Action::Drop | Action::Reject(_)) => 0,
        Some(
            Action::Accept
            | Action::Dnat(_)
            | Action::Redirect(_)
            | Action::Snat(_)
            | Action::Masquerade(_)
            | Action::NetMap(_),
        ) => end,
        Some(Action::Mark { mask, .. }) => next & !mask,
        // the connection has it for later packets; who knows what the other looks at
        Some(Action::ConnectionMark(ConnectionMark::Save { .. }) | Action::Other(_)) => u32::MAX,
        Some(
            Action::ConnectionMark(ConnectionMark::Set { .. } | ConnectionMark::Restore { .. })
            | Action::NoTrack
            | Action::Log { .. }
            | Action::NfLog { .. }
            | Action::Dscp(_)
            | Action::Neutral(_),
        )
        | None => next,
    }
}

/// The bits that any rule looks at.
pub fn all_read_bits(machine: &Machine<'_>) -> u32 {
    let chains = TableName::ALL.into_iter().flat_map(|name| machine.table(name).chains());
    chains.flat_map(|compiled| &compiled.chain.rules).fold(0, |bits, rule| bits | read_bits(rule))
}

/// The bits that a rule's matches look at.
pub fn read_bits(rule: &Rule) -> u32 {
    let bits = rule.matches.iter().map(|one| match &one.on {
        Matcher::Mark { mask, .. } => *mask,
        // the mark takes part in the look-up of the route
        Matcher::ReversePathFails => 0,
        Matcher::Other(_) => u32::MAX,
        _ => 0,
    });
    bits.fold(0, |all, bits| all | bits)
}

/// The bits that a rule's action may change.
pub fn written_bits(rule: &Rule) -> u32 {
    match &rule.action {
        Some(Action::Mark { value, mask, .. }) => mask | value,
        Some(Action::ConnectionMark(ConnectionMark::Restore { .. }) | Action::Other(_)) => u32::MAX,
        _ => 0,
    }
}

/// Whether packets may have any mark, because a rule gives them that of their connection.
pub fn restores_marks(machine: &Machine<'_>) -> bool {
    let chains = TableName::ALL.into_iter().flat_map(|name| machine.table(name).chains());
    let mut rules = chains.flat_map(|compiled| &compiled.chain.rules);
    rules.any(|rule| matches!(rule.action, Some(Action::ConnectionMark(ConnectionMark::Restore { .. }))))
}
