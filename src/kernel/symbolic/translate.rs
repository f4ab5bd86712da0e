//! Flows through translations that rules ask for.
//!
//! Where a translation chooses among addresses or ports, the flow becomes several with the same packets: one for each
//! part of the range whose values are the same to everything that looks at them later.

use super::matches::{Doubt, with_ports};
use super::path::{Flow, Symbolic};
use crate::ir::{Action, Family, SetLookup, Side, Translation};
use crate::kernel::machine::{Machine, On, Set};
use crate::kernel::packet::{number, range};
use crate::kernel::path::Hook;
use crate::kernel::route::{LINK_LOCAL, LOOPBACK};
use crate::kernel::translate::{loopback_address, possible};
use crate::space::{Field, PacketSet, Range};
use ipnet::IpNet;

/// Parts that a flow is cut into, at most; what is beyond that is not known.
const PARTS: usize = 1024;

/// Of the addresses and ports that a translation may choose, those that lead to one fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chosen {
    /// addresses, as numbers
    pub addresses: Option<Range>,
    /// ports
    pub ports: Option<Range>,
}

impl Chosen {
    /// Whether there is nothing to choose.
    fn is_one(&self) -> bool {
        [self.addresses, self.ports].into_iter().flatten().all(|(first, last)| first == last)
    }
}

impl Symbolic<'_, '_> {
    /// Translates a flow; gives packets for which there is no address, and adds the others to `on`.
    pub(super) fn rewrite(
        &mut self,
        flow: Flow,
        action: &Action,
        hook: Hook,
        on: &mut Vec<Flow>,
    ) -> Option<Flow> {
        let family = self.space.family();
        match action {
            Action::Dnat(to) => {
                let addresses =
                    to.addresses.map(|(first, last)| possible(family, number(first), number(last)));
                self.destinations(flow, addresses, to, on);
                None
            }
            Action::Redirect(to) if hook == Hook::Output => {
                let own = loopback_address(family);
                self.destinations(flow, Some((own, own)), to, on);
                None
            }
            Action::Redirect(to) => self.redirect(flow, to, on),
            Action::NetMap(net) if hook.translates_destination() => {
                self.network(flow, *net, on);
                None
            }
            Action::Snat(to) => {
                let addresses = to.addresses.map(|(first, last)| (number(first), number(last)));
                self.sources(flow, addresses, to, hook, on);
                None
            }
            Action::Masquerade(to) => {
                let device = flow.now.value(Field::OutInterface).and_then(|own| u16::try_from(own).ok());
                let device = self.interfaces.name(device.unwrap_or_default());
                match self.routes.source_on(family, &device) {
                    Some(own) => {
                        self.sources(flow, Some((own, own)), to, hook, on);
                        None
                    }
                    // there is no address to give
                    None => Some(flow),
                }
            }
            // networks of sources: what the node sends to itself is not followed
            _ => {
                let doubt = if self.is_to_itself(&flow, hook) { Doubt::Target } else { flow.doubt };
                on.push(Flow { doubt, ..flow });
                None
            }
        }
    }

    /// The node sends them to itself: they come in again, and rules look at them once more.
    fn is_to_itself(&self, flow: &Flow, hook: Hook) -> bool {
        hook == Hook::Postrouting && flow.now.leaves_on(self.interfaces.number(LOOPBACK))
    }

    /// Gives packets one of these sources, and perhaps another source port.
    fn sources(
        &mut self,
        mut flow: Flow,
        addresses: Option<Range>,
        to: &Translation,
        hook: Hook,
        on: &mut Vec<Flow>,
    ) {
        let other_ports = to.ports.is_some() || to.random || to.random_fully;
        let one = addresses.is_none_or(|(first, last)| first == last);
        // on this node only rules behind the loopback interface look at it, and not at what they do not ask for
        let is_followed = one && !(other_ports && self.asks_for_source_ports);
        if self.is_to_itself(&flow, hook) && !is_followed {
            flow.doubt = Doubt::Target;
        }
        let Some(addresses) = addresses else { return on.push(flow) };
        if one && !other_ports {
            // one to the same is none
            let same = self.space.with(Field::Source, &[addresses]);
            if let Some(same) = self.take(&mut flow, same) {
                on.push(same);
            }
        }
        if !flow.set.is_empty() {
            flow.now.masquerade(addresses);
            on.push(flow);
        }
    }

    /// By the interface that packets came in on.
    fn redirect(&mut self, mut flow: Flow, to: &Translation, on: &mut Vec<Flow>) -> Option<Flow> {
        let link_local = match self.space.family() {
            Family::V4 => PacketSet::NONE,
            Family::V6 => self.space.with(Field::Destination, &LINK_LOCAL),
        };
        let others = self.space.complement(link_local);
        let interfaces = self.interfaces;
        for name in interfaces.names() {
            let number = u128::from(interfaces.number(name));
            let came = self.space.with_value(Field::InInterface, number);
            for (destinations, is_link_local) in [(others, false), (link_local, true)] {
                let own = self.routes.redirects_to(self.space.family(), name, is_link_local);
                let Some(own) = own else { continue };
                let taken = self.space.intersection(came, destinations);
                if let Some(taken) = self.take(&mut flow, taken) {
                    self.destinations(taken, Some((own, own)), to, on);
                }
            }
        }
        (!flow.set.is_empty()).then_some(flow)
    }

    /// Takes packets that are now in a set out of a flow; `None` if there are none.
    fn take(&mut self, flow: &mut Flow, set: PacketSet) -> Option<Flow> {
        let set = flow.now.put_into(&mut self.space, set);
        let taken = self.space.intersection(flow.set, set);
        if taken.is_empty() {
            return None;
        }
        flow.set = self.space.difference(flow.set, taken);
        Some(Flow { set: taken, ..flow.clone() })
    }

    /// Gives packets one of the addresses, and one of the ports.
    fn destinations(
        &mut self,
        mut flow: Flow,
        addresses: Option<Range>,
        to: &Translation,
        on: &mut Vec<Flow>,
    ) {
        let ports = to.ports.map(|(first, last)| (u128::from(first), u128::from(last)));
        if let Some(ports) = ports {
            let ported = with_ports(&mut self.space);
            if let Some(mut ported) = self.take(&mut flow, ported) {
                // one in the range is kept
                let kept = self.space.with(Field::DestinationPort, &[ports]);
                if !(to.random || to.random_fully)
                    && let Some(kept) = self.take(&mut ported, kept)
                {
                    self.choose(kept, addresses, None, on);
                }
                self.choose(ported, addresses, Some(ports), on);
            }
        }
        self.choose(flow, addresses, None, on);
    }

    fn choose(&mut self, flow: Flow, addresses: Option<Range>, ports: Option<Range>, on: &mut Vec<Flow>) {
        if flow.set.is_empty() {
            return;
        }
        let mut parts = Vec::new();
        let cut = |own: &mut Self, field, range: Option<Range>| match range {
            None => vec![None],
            Some(range) => own.parts(field, range).into_iter().map(Some).collect::<Vec<_>>(),
        };
        let ports = cut(self, Field::DestinationPort, ports);
        for address in cut(self, Field::Destination, addresses) {
            parts.extend(ports.iter().map(|ports| Chosen { addresses: address, ports: *ports }));
        }
        let is_chosen = parts.len() > 1 || !parts.iter().all(Chosen::is_one);
        let too_many = parts.len() > PARTS;
        for part in parts.into_iter().take(PARTS) {
            let mut flow = flow.clone();
            if is_chosen {
                flow.chosen = vec![part];
                flow.doubt = flow.doubt.max(if too_many { Doubt::Unknown } else { Doubt::Chance });
            }
            self.translated(flow, part, on);
        }
    }

    /// Packets with this destination. One to where they go already is no translation.
    fn translated(&mut self, mut flow: Flow, to: Chosen, on: &mut Vec<Flow>) {
        let mut same = PacketSet::ALL;
        for (field, range) in [(Field::Destination, to.addresses), (Field::DestinationPort, to.ports)] {
            if let Some(range) = range {
                let own = self.space.with(field, &[range]);
                same = self.space.intersection(same, own);
            }
        }
        let all = flow.clone();
        if let Some(same) = self.take(&mut flow, same) {
            on.push(same);
            // they may also get another one of the part
            if !to.is_one() {
                flow = all;
            }
        }
        if !flow.set.is_empty() {
            flow.now.translate(to.addresses.map(|(first, _)| first), to.ports.map(|(first, _)| first));
            flow.now.to = Some(to);
            on.push(flow);
        }
    }

    /// NETMAP of destinations: part by part, so that all of a part is the same to everything later.
    fn network(&mut self, mut flow: Flow, net: IpNet, on: &mut Vec<Flow>) {
        let (first, last) = range(net);
        let size = last - first;
        let blocks = self.blocks(flow.set, size);
        let parts = self.parts(Field::Destination, (first, last));
        for block in blocks.iter().take((PARTS / parts.len()).max(1)) {
            for (from, to) in &parts {
                let own =
                    self.space.with(Field::Destination, &[(block + (from - first), block + (to - first))]);
                let Some(mut taken) = self.take(&mut flow, own) else { continue };
                if *block != first {
                    taken.now.translate(Some(*from), None);
                    taken.now.to = Some(Chosen { addresses: Some((*from, *to)), ports: None });
                }
                on.push(taken);
            }
        }
        if !flow.set.is_empty() {
            flow.doubt = Doubt::Target;
            on.push(flow);
        }
    }

    /// The first addresses of networks that packets of a set are sent to; `size` is the number of the last address.
    fn blocks(&mut self, set: PacketSet, size: u128) -> Vec<u128> {
        let others = Field::ALL.into_iter().filter(|field| *field != Field::Destination);
        let only = others.fold(set, |set, field| self.space.forget(set, field));
        let all = (0, Field::Destination.largest(self.space.family()));
        let (cubes, _) = self.space.cubes(only, 1);
        let ranges = match cubes.first().and_then(|cube| cube.sides.first()) {
            Some((_, ranges)) => ranges.clone(),
            None => vec![all],
        };
        let mut blocks: Vec<u128> = Vec::new();
        for (first, last) in ranges {
            let mut block = first & !size;
            while block <= last && blocks.len() <= PARTS {
                if blocks.last() != Some(&block) {
                    blocks.push(block);
                }
                match block.checked_add(size).and_then(|end| end.checked_add(1)) {
                    Some(next) => block = next,
                    None => break,
                }
            }
        }
        blocks
    }

    /// A range of destinations or their ports in parts that nothing tells apart.
    fn parts(&self, field: Field, (first, last): Range) -> Vec<Range> {
        if first == last {
            return vec![(first, last)];
        }
        // the first values of parts
        let mut starts = vec![first];
        let mut cut = |ranges: &[Range]| {
            let borders = ranges.iter().flat_map(|(start, end)| [Some(*start), end.checked_add(1)]);
            starts.extend(borders.flatten().filter(|start| (first..=last).contains(start)));
        };
        let family = self.space.family();
        if field == Field::Destination {
            for (range, _) in self.routes.ranges(family) {
                cut(&[range]);
            }
            for name in self.interfaces.names() {
                cut(&self.routes.ranges_on(family, name));
            }
        }
        let machine = self.chains.machine();
        let chains = machine.tables().iter().flat_map(|table| table.chains());
        for condition in chains.flat_map(|chain| &chain.rules).flat_map(|rule| &rule.conditions) {
            match (&condition.on, field) {
                (On::Addresses(Side::Destination, ranges), Field::Destination) => cut(ranges),
                (On::Ports(Side::Destination, ranges), Field::DestinationPort) => {
                    ranges.iter().for_each(|(first, last)| cut(&[(u128::from(*first), u128::from(*last))]));
                }
                (On::Port(Side::Destination, first, last), Field::DestinationPort) => {
                    cut(&[(u128::from(*first), u128::from(*last))]);
                }
                (On::Set(set, SetLookup::Destination | SetLookup::DestinationPort), _) => {
                    cut(&within(&machine.sets[*set], field, (first, last)));
                }
                _ => {}
            }
        }
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|next| next - 1).chain([last]);
        starts.iter().copied().zip(ends).collect()
    }
}

/// Whether some rule looks at the port that packets come from.
pub(super) fn asks_for_source_ports(machine: &Machine<'_>) -> bool {
    let chains = machine.tables().iter().flat_map(|table| table.chains());
    chains.flat_map(|chain| &chain.rules).flat_map(|rule| &rule.conditions).any(|condition| {
        matches!(
            condition.on,
            On::Ports(Side::Source, _) | On::Port(Side::Source, ..) | On::Set(_, SetLookup::SourcePort)
        )
    })
}

/// The members of a set that a range has to do with.
fn within(set: &Set, field: Field, (first, last): Range) -> Vec<Range> {
    match (set, field) {
        (Set::Ranges(ranges), Field::Destination) => {
            let from = ranges.partition_point(|(_, end)| *end < first);
            let to = ranges.partition_point(|(start, _)| *start <= last);
            ranges[from.min(to)..to].to_vec()
        }
        (Set::Ranges(_), _) => Vec::new(),
        (Set::Ports(members), _) => {
            let value = |(address, _, port): &(u128, u8, u16)| match field {
                Field::Destination => *address,
                _ => u128::from(*port),
            };
            let values = members.iter().map(value).filter(|value| (first..=last).contains(value));
            values.map(|value| (value, value)).collect()
        }
    }
}
