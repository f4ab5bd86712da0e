//! The sets that rules of any policy refer to, and the step from selectors, named ports and
//! services in rules to those sets.
//!
//! `felix/calc/rule_scanner.go:369`, v3.32.1.

use super::convert::draft::{DraftRule, DraftSide};
use super::convert::selectors::Selectors;
use super::view::{IpSet, Rule, RuleSide, SetIndex, SetMeaning};
use crate::model::calico::{Port, Protocol};
use crate::syntax::selector::{Selector, unique_id};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};

/// A set and, once somebody has asked, its members.
#[derive(Debug)]
pub struct SetDefinition {
    /// what rules call it
    pub index: SetIndex,
    /// what it stands for
    pub meaning: SetMeaning,
    /// whom it selects; `None` for services
    pub selector: Option<Arc<Selector>>,
    /// with its members, by what of Felix's configuration changes them (`Variant::index`)
    pub sets: [OnceLock<Arc<IpSet>>; 4],
}

impl SetDefinition {
    /// Felix's id (`felix/calc/rule_scanner.go:113`, v3.32.1).
    pub fn id(&self) -> Box<str> {
        match (&self.meaning, &self.selector) {
            (SetMeaning::Selector(canonical), _) => unique_id("s", canonical),
            (SetMeaning::NamedPort { selector, protocol, port }, _) => {
                unique_id("n", &format!("{},{protocol},{port}", unique_id("s", selector)))
            }
            (SetMeaning::Service(path), _) => unique_id("svc", path),
            (SetMeaning::ServiceAddresses(path), _) => unique_id("svcnoport", path),
        }
        .into()
    }
}

/// All sets; rules refer to them by index.
#[derive(Debug, Default)]
pub struct SetTable {
    sets: Vec<SetDefinition>,
    by_meaning: FxHashMap<SetMeaning, SetIndex>,
}

impl SetTable {
    /// A set by its index.
    pub fn get(&self, index: SetIndex) -> &SetDefinition {
        &self.sets[index.0 as usize]
    }

    /// Numbers the sets by what they stand for, so that the order of the input does not matter. Gives the new
    /// number of each; rules have to take them over.
    pub fn renumber(&mut self) -> Vec<SetIndex> {
        let mut order: Vec<usize> = (0..self.sets.len()).collect();
        order.sort_unstable_by(|a, b| self.sets[*a].meaning.cmp(&self.sets[*b].meaning));
        let mut numbers = vec![SetIndex(0); order.len()];
        for (new, old) in (0u32..).map(SetIndex).zip(order) {
            numbers[old] = new;
            self.sets[old].index = new;
        }
        self.sets.sort_unstable_by_key(|set| set.index);
        self.by_meaning.values_mut().for_each(|index| *index = numbers[index.0 as usize]);
        numbers
    }

    /// All sets.
    pub fn iter(&self) -> impl Iterator<Item = &SetDefinition> {
        self.sets.iter()
    }

    fn intern(&mut self, meaning: SetMeaning, selector: Option<Arc<Selector>>) -> SetIndex {
        if let Some(known) = self.by_meaning.get(&meaning) {
            return *known;
        }
        let index = SetIndex(u32::try_from(self.sets.len()).expect("fewer sets than bytes of input"));
        self.by_meaning.insert(meaning.clone(), index);
        self.sets.push(SetDefinition { index, meaning, selector, sets: Default::default() });
        index
    }

    fn of_selector(&mut self, selector: Arc<Selector>) -> SetIndex {
        self.intern(SetMeaning::Selector(selector.canonical().clone()), Some(selector))
    }

    /// Turns a rule that passed Felix's checks into one that refers to sets.
    pub fn rule(&mut self, draft: DraftRule, selectors: &mut Selectors) -> Rule {
        let (source, destination) = (side(&draft.source), side(&draft.destination));
        let implied = match draft.protocol.as_ref() {
            Some(Protocol::Name(name)) if &**name == "icmp" => Some(4),
            Some(Protocol::Name(name)) if &**name == "icmpv6" => Some(6),
            _ => None,
        };
        let port_protocol = named_port_protocol(draft.protocol.as_ref());
        let mut source = self.resolve(&draft.source, source, port_protocol, selectors);
        let mut destination = self.resolve(&draft.destination, destination, port_protocol, selectors);
        let path =
            |(namespace, name): &(Box<str>, Box<str>)| -> Box<str> { format!("{namespace}/{name}").into() };
        if let Some(service) = &draft.source.service {
            source.sets.push(self.intern(SetMeaning::ServiceAddresses(path(service)), None));
        }
        if let Some(service) = &draft.destination.service {
            destination.services.push(self.intern(SetMeaning::Service(path(service)), None));
        }
        Rule {
            action: draft.action,
            ip_version: draft.ip_version.or(implied),
            icmp: icmp(draft.icmp),
            not_icmp: icmp(draft.not_icmp),
            protocol: draft.protocol,
            not_protocol: draft.not_protocol,
            source,
            destination,
            annotations: draft.annotations,
            at: draft.at,
        }
    }

    fn resolve(
        &mut self,
        draft: &DraftSide,
        mut side: RuleSide,
        protocol: &'static str,
        selectors: &mut Selectors,
    ) -> RuleSide {
        let (positive, negative) = draft.set_selectors();
        let mut parse = |text: Option<String>| text.and_then(|text| selectors.parse(&text).ok());
        let (positive, negative) = (parse(positive), parse(negative));
        let all = parse(Some(String::new()));
        let mut named = |ports: &[Port]| -> Vec<SetIndex> {
            let names = ports.iter().filter_map(|port| match port {
                Port::Name(name) => Some(name),
                Port::Range(..) => None,
            });
            // the positive selector narrows the negated ports as well
            let Some(selector) = positive.as_ref().or(all.as_ref()) else { return Vec::new() };
            names
                .map(|port| {
                    let selected = selector.canonical().clone();
                    let meaning = SetMeaning::NamedPort { selector: selected, protocol, port: port.clone() };
                    self.intern(meaning, Some(selector.clone()))
                })
                .collect()
        };
        side.named_ports = named(&draft.ports);
        side.not_named_ports = named(&draft.not_ports);
        // named ports alone say already whom the selector selects
        if !side.ports.is_empty() || side.named_ports.is_empty() {
            side.sets.extend(positive.map(|selector| self.of_selector(selector)));
        }
        side.not_sets.extend(negative.map(|selector| self.of_selector(selector)));
        side
    }
}

/// The parts of a side that need no set.
fn side(draft: &DraftSide) -> RuleSide {
    let numeric = |ports: &[Port]| {
        ports
            .iter()
            .filter_map(|port| match port {
                Port::Range(first, last) => Some((*first, *last)),
                Port::Name(_) => None,
            })
            .collect()
    };
    RuleSide {
        nets: draft.nets.clone(),
        not_nets: draft.not_nets.clone(),
        ports: numeric(&draft.ports),
        not_ports: numeric(&draft.not_ports),
        ..RuleSide::default()
    }
}

/// Everything but UDP and SCTP counts as TCP
/// (`felix/labelindex/ipsetmember/ipset_port_protocol.go:14`, v3.32.1).
fn named_port_protocol(protocol: Option<&Protocol>) -> &'static str {
    match protocol {
        None => "any",
        Some(Protocol::Number(17)) => "udp",
        Some(Protocol::Number(132)) => "sctp",
        Some(Protocol::Name(name)) if &**name == "udp" => "udp",
        Some(Protocol::Name(name)) if &**name == "sctp" => "sctp",
        Some(_) => "tcp",
    }
}

/// A code without a type is no match at all (`felix/calc/rule_convert.go:178`, v3.32.1).
fn icmp((kind, code): (Option<i64>, Option<i64>)) -> Option<(u8, Option<u8>)> {
    let kind = u8::try_from(kind?).ok()?;
    Some((kind, code.and_then(|code| u8::try_from(code).ok())))
}
