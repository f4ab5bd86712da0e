//! What can go from an object: one change for each list, and for each rule or peer.

use super::nets::{self, Fate};
use super::object::{Edit, Object, Part, Path, Shape, Step, What};
use crate::diagnostic::Location;
use crate::resolve::address;
use crate::syntax::port::{self, PortText};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;

/// Something that can be done without the rest, and means nothing by itself.
#[derive(Debug, Clone)]
pub struct Change {
    /// how to do it
    pub edits: Vec<Edit>,
    /// what goes and why, one line each, in the order of the text
    pub said: Vec<(Location, String)>,
}

/// Rules and peers that go, by their ways.
pub type Gone = BTreeSet<Path>;

/// The changes of all lists of an object, but of those in rules and peers that go. What repeats or lies in
/// others is one change, what joins another: a list of one network is rendered in another way than one of
/// two, so the second may not be possible where the first is.
pub fn lists(object: &Object, gone: &Gone) -> Vec<Change> {
    let mut all = Lists { object, gone, changes: Vec::new() };
    match object.shape {
        Shape::NetworkSet => {
            // a set cannot hold all addresses as one network, so this is not offered
            all.nets(&spec("nets"), address::parse_cidr_or_ip, &|fate| fate.prefix_len() > 0);
        }
        Shape::Calico => all.calico(),
        Shape::Kubernetes => all.kubernetes(),
        Shape::Cluster => all.cluster(),
    }
    all.changes
}

/// The way to a field of `spec`.
pub fn spec(field: &'static str) -> Path {
    vec![Step::Key("spec"), Step::Key(field)]
}

/// The directions of a policy, and the field of a rule that has the peers.
pub const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

struct Lists<'o> {
    object: &'o Object,
    gone: &'o Gone,
    changes: Vec<Change>,
}

/// A way with steps added.
pub fn join(path: &[Step], more: &[Step]) -> Path {
    [path, more].concat()
}

impl<'o> Lists<'o> {
    fn find(&self, path: &[Step]) -> Option<&'o Part> {
        self.object.root.find(path)
    }

    /// The ways to the items of a list that stay.
    fn staying(&self, path: &[Step]) -> Vec<Path> {
        let count = self.find(path).map_or(0, |list| list.items().len());
        let ways = (0..count).map(|index| join(path, &[Step::Item(index)]));
        ways.filter(|way| !self.gone.contains(way)).collect()
    }

    fn calico(&mut self) {
        for (direction, _) in DIRECTIONS {
            for rule in self.staying(&spec(direction)) {
                for side in ["source", "destination"] {
                    for field in ["nets", "notNets"] {
                        let way = join(&rule, &[Step::Key(side), Step::Key(field)]);
                        self.nets(&way, address::parse_cidr_or_ip, &|_| true);
                    }
                    for field in ["ports", "notPorts"] {
                        self.ports(&join(&rule, &[Step::Key(side), Step::Key(field)]));
                    }
                }
            }
        }
    }

    fn cluster(&mut self) {
        for (direction, peers) in DIRECTIONS {
            for rule in self.staying(&spec(direction)) {
                for peer in self.staying(&join(&rule, &[Step::Key(peers)])) {
                    self.nets(&join(&peer, &[Step::Key("networks")]), address::parse_cidr, &|_| true);
                }
            }
        }
    }

    fn kubernetes(&mut self) {
        for (direction, peers) in DIRECTIONS {
            for rule in self.staying(&spec(direction)) {
                let peers = join(&rule, &[Step::Key(peers)]);
                self.blocks(&peers);
                for peer in self.staying(&peers) {
                    let block = join(&peer, &[Step::Key("ipBlock")]);
                    let cidr = self.find(&join(&block, &[Step::Key("cidr")])).and_then(Part::text);
                    let cidr = cidr.and_then(address::parse_cidr);
                    // exceptions must be less than what they are taken from
                    self.nets(&join(&block, &[Step::Key("except")]), address::parse_cidr, &|whole| {
                        cidr.is_some_and(|cidr| cidr.contains(whole) && cidr != *whole)
                    });
                }
                self.policy_ports(&join(&rule, &[Step::Key("ports")]));
            }
        }
    }

    /// A list of networks as texts. `allowed`: whether a network may be made that was not there.
    fn nets(&mut self, path: &[Step], parse: fn(&str) -> Option<IpNet>, allowed: &dyn Fn(&IpNet) -> bool) {
        let Some(list) = self.find(path) else { return };
        let parsed = list.items().iter().enumerate();
        let parsed: Vec<(usize, IpNet)> =
            parsed.filter_map(|(index, item)| Some((index, parse(item.text()?)?))).collect();
        let mut fates = nets::networks(&parsed);
        fates.retain(|(_, fate)| match fate {
            Fate::Becomes(whole) | Fate::Joins(whole) => allowed(whole),
            Fate::Repeats(_) | Fate::LiesIn(_) => true,
        });
        let item = |index: usize| {
            let part = &list.items()[index];
            Entry { at: part.at, name: part.text().unwrap_or_default().to_owned() }
        };
        let replace = |index: usize, whole: &IpNet| {
            let value = What::Text(whole.to_string().into());
            vec![Edit::Replace(join(path, &[Step::Item(index)]), value)]
        };
        self.push(path, fates, &item, &replace);
    }

    /// The peers of a rule that are a block and nothing else.
    fn blocks(&mut self, path: &[Step]) {
        let plain = |way: &Path| {
            let peer = self.find(way)?;
            let block = peer.get("ipBlock").filter(|_| peer.entries().len() == 1)?;
            let cidr = block.get("cidr").filter(|_| block.entries().len() == 1)?;
            let Some(Step::Item(index)) = way.last() else { return None };
            Some((*index, address::parse_cidr(cidr.text()?)?))
        };
        let parsed: Vec<(usize, IpNet)> = self.staying(path).iter().filter_map(plain).collect();
        let fates = nets::networks(&parsed);
        let cidr = |index: usize| join(path, &[Step::Item(index), Step::Key("ipBlock"), Step::Key("cidr")]);
        let item = |index: usize| {
            let part = self.find(&cidr(index));
            let name = part.and_then(Part::text).unwrap_or_default().to_owned();
            Entry { at: part.map_or(self.object.root.at, |part| part.at), name }
        };
        let replace = |index: usize, whole: &IpNet| {
            vec![Edit::Replace(cidr(index), What::Text(whole.to_string().into()))]
        };
        let change = change(path, fates, &item, &replace);
        self.changes.extend(change);
    }

    /// A list of ports of Calico.
    fn ports(&mut self, path: &[Step]) {
        let Some(list) = self.find(path) else { return };
        let (mut ranges, mut names) = (Vec::new(), BTreeMap::new());
        let mut fates = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let range = match &item.what {
                What::Int(port) => u16::try_from(*port).ok().map(|port| (port, port)),
                What::Text(text) => match port::parse(text) {
                    Ok(PortText::Range(first, last)) => Some((first, last)),
                    Ok(PortText::Name(name)) => {
                        if names.insert(name, index).is_some() {
                            fates.push((index, Fate::Repeats(name.to_owned())));
                        }
                        None
                    }
                    Err(_) => None,
                },
                _ => None,
            };
            ranges.extend(range.map(|range| (index, range)));
        }
        fates.extend(nets::ports(&ranges).into_iter().map(|(index, fate)| (index, in_words(fate))));
        fates.sort_by_key(|(index, _)| *index);
        let item = |index: usize| Entry { at: list.items()[index].at, name: scalar(&list.items()[index]) };
        let replace = |index: usize, whole: &String| {
            vec![Edit::Replace(join(path, &[Step::Item(index)]), What::Text((**whole).into()))]
        };
        self.push(path, fates, &item, &replace);
    }

    /// A list of ports of Kubernetes: mappings of `protocol`, `port` and `endPort`.
    fn policy_ports(&mut self, path: &[Step]) {
        let Some(list) = self.find(path) else { return };
        let entries: Option<Vec<PolicyPort<'_>>> = list.items().iter().map(PolicyPort::new).collect();
        // an entry that is not understood may be about any port
        let Some(entries) = entries else { return };
        let mut fates = Vec::new();
        let protocols: BTreeSet<&str> = entries.iter().map(|entry| entry.protocol).collect();
        for protocol in protocols {
            let own = || entries.iter().enumerate().filter(|(_, entry)| entry.protocol == protocol);
            if let Some((every, _)) = own().find(|(_, entry)| entry.port == Named::Every) {
                let others = own().filter(|(index, _)| *index != every);
                fates.extend(others.map(|(index, entry)| match entry.port {
                    Named::Every => (index, Fate::Repeats("every port".to_owned())),
                    _ => (index, Fate::LiesIn("every port".to_owned())),
                }));
                continue;
            }
            let mut names = HashSet::new();
            fates.extend(own().filter_map(|(index, entry)| match entry.port {
                Named::Name(name) if !names.insert(name) => Some((index, Fate::Repeats(name.to_owned()))),
                _ => None,
            }));
            let ranges: Vec<_> = own()
                .filter_map(|(index, entry)| match entry.port {
                    Named::Range(first, last) => Some((index, (first, last))),
                    _ => None,
                })
                .collect();
            fates.extend(nets::ports(&ranges).into_iter().map(|(index, fate)| (index, in_words(fate))));
        }
        fates.sort_by_key(|(index, _)| *index);
        let item = |index: usize| Entry { at: list.items()[index].at, name: entries[index].name() };
        let replace = |index: usize, whole: &String| {
            let map = join(path, &[Step::Item(index)]);
            let (first, last) = whole.split_once(':').unwrap_or((whole, whole));
            let number = |text: &str| text.parse::<i64>().unwrap_or_default();
            let mut edits = Vec::new();
            if list.items()[index].get("port").is_some_and(|port| port.what != What::Int(number(first))) {
                edits.push(Edit::Replace(join(&map, &[Step::Key("port")]), What::Int(number(first))));
            }
            match list.items()[index].get("endPort") {
                Some(_) => {
                    edits.push(Edit::Replace(join(&map, &[Step::Key("endPort")]), What::Int(number(last))))
                }
                None => edits.push(Edit::Insert { map, after: "port", key: "endPort", value: number(last) }),
            }
            edits
        };
        self.push(path, fates, &item, &replace);
    }

    fn push<T: Display>(
        &mut self,
        path: &[Step],
        fates: Vec<(usize, Fate<T>)>,
        item: &dyn Fn(usize) -> Entry,
        replace: &dyn Fn(usize, &T) -> Vec<Edit>,
    ) {
        self.changes.extend(change(path, fates, item, replace));
    }
}

/// An entry of a list, for messages.
struct Entry {
    at: Location,
    name: String,
}

fn change<T: Display>(
    path: &[Step],
    fates: Vec<(usize, Fate<T>)>,
    item: &dyn Fn(usize) -> Entry,
    replace: &dyn Fn(usize, &T) -> Vec<Edit>,
) -> Vec<Change> {
    let mut changes = [(); 2].map(|()| Change { edits: Vec::new(), said: Vec::new() });
    for (index, fate) in fates {
        let Entry { at, name } = item(index);
        let said = match &fate {
            Fate::Repeats(whole) => format!("`{name}` repeats `{whole}`"),
            Fate::LiesIn(whole) => format!("`{name}` lies in `{whole}`"),
            Fate::Becomes(whole) => format!("`{name}` and others are `{whole}` together"),
            Fate::Joins(whole) => format!("`{name}` is part of `{whole}`, which the list has all of"),
        };
        let change = &mut changes[usize::from(matches!(fate, Fate::Becomes(_) | Fate::Joins(_)))];
        change.said.push((at, said));
        match fate {
            Fate::Becomes(whole) => change.edits.extend(replace(index, &whole)),
            _ => change.edits.push(Edit::Remove(path.to_vec(), index)),
        }
    }
    changes.into_iter().filter(|change| !change.edits.is_empty()).collect()
}

/// A range as Calico writes it.
fn in_words(fate: Fate<(u16, u16)>) -> Fate<String> {
    let text = |(first, last)| if first == last { format!("{first}") } else { format!("{first}:{last}") };
    match fate {
        Fate::Repeats(range) => Fate::Repeats(text(range)),
        Fate::LiesIn(range) => Fate::LiesIn(text(range)),
        Fate::Becomes(range) => Fate::Becomes(text(range)),
        Fate::Joins(range) => Fate::Joins(text(range)),
    }
}

fn scalar(part: &Part) -> String {
    match &part.what {
        What::Int(number) => number.to_string(),
        What::Text(text) => text.to_string(),
        _ => String::new(),
    }
}

/// An entry of a Kubernetes policy's `ports`.
struct PolicyPort<'o> {
    protocol: &'o str,
    port: Named<'o>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Named<'o> {
    Every,
    Range(u16, u16),
    Name(&'o str),
}

impl<'o> PolicyPort<'o> {
    /// `None` if it has more, or other things, than an entry has.
    fn new(part: &'o Part) -> Option<Self> {
        let known = |key: &str| matches!(key, "protocol" | "port" | "endPort");
        if !matches!(part.what, What::Map(_)) || !part.entries().iter().all(|entry| known(&entry.key)) {
            return None;
        }
        let given = |key| part.get(key).filter(|value| value.what != What::Null);
        let protocol = match given("protocol") {
            None => "TCP",
            Some(protocol) => protocol.text()?,
        };
        let number = |part: &Part| match part.what {
            What::Int(number) => u16::try_from(number).ok(),
            _ => None,
        };
        let port = match (given("port"), given("endPort")) {
            (None, None) => Named::Every,
            (Some(Part { what: What::Text(name), .. }), None) => Named::Name(name),
            (Some(first), None) => Named::Range(number(first)?, number(first)?),
            (Some(first), Some(last)) => Named::Range(number(first)?, number(last)?),
            (None, Some(_)) => return None,
        };
        let in_order = !matches!(port, Named::Range(first, last) if first > last);
        in_order.then_some(PolicyPort { protocol, port })
    }

    fn name(&self) -> String {
        match self.port {
            Named::Every => "every port".to_owned(),
            Named::Range(first, last) if first == last => first.to_string(),
            Named::Range(first, last) => format!("{first}:{last}"),
            Named::Name(name) => name.to_owned(),
        }
    }
}

/// How much an object says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// entries of lists of networks, exceptions of blocks included
    pub nets: usize,
    /// entries of lists of ports
    pub ports: usize,
    /// peers of Kubernetes' rules
    pub peers: usize,
    /// rules
    pub rules: usize,
}

/// How much an object says.
pub fn size(shape: Shape, root: &Part) -> Size {
    let mut size = Size::default();
    let count = |part: Option<&Part>| part.map_or(0, |list| list.items().len());
    if shape == Shape::NetworkSet {
        size.nets = count(root.find(&spec("nets")));
        return size;
    }
    for (direction, peers) in DIRECTIONS {
        for rule in root.find(&spec(direction)).into_iter().flat_map(Part::items) {
            size.rules += 1;
            size.ports += count(rule.get("ports")) + count(rule.get("protocols"));
            for side in ["source", "destination"].into_iter().filter_map(|side| rule.get(side)) {
                size.nets += count(side.get("nets")) + count(side.get("notNets"));
                size.ports += count(side.get("ports")) + count(side.get("notPorts"));
            }
            for peer in rule.get(peers).into_iter().flat_map(Part::items) {
                size.peers += 1;
                size.nets += count(peer.get("networks"));
                if let Some(block) = peer.get("ipBlock") {
                    size.nets += 1 + count(block.get("except"));
                }
            }
        }
    }
    size
}
