//! Lists of networks and of ports: the fewest entries that mean the same.

use crate::space::nets::{fewest, joined, range};
use ipnet::IpNet;

/// What becomes of an entry of a list. Entries that are not named stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<T> {
    /// it goes, because it repeats this entry
    Repeats(T),
    /// it goes, because it lies in this entry
    LiesIn(T),
    /// it becomes this, which several entries are together
    Becomes(T),
    /// it goes, because it is part of what another entry becomes
    Joins(T),
}

/// Something with a first and a last number.
trait Span: Copy + PartialEq {
    fn span(&self) -> (u128, u128);
}

impl Span for IpNet {
    fn span(&self) -> (u128, u128) {
        range(*self)
    }
}

impl Span for (u16, u16) {
    fn span(&self) -> (u128, u128) {
        (self.0.into(), self.1.into())
    }
}

/// The fates of entries that are `whole` together.
fn of_group<T: Span>(members: &[(usize, T)], whole: &T) -> Vec<(usize, Fate<T>)> {
    let mut sorted: Vec<&(usize, T)> = members.iter().collect();
    // what lies in another comes behind it
    sorted.sort_by_key(|(index, own)| (own.span().0, std::cmp::Reverse(own.span().1), *index));
    let (mut fates, mut parts) = (Vec::new(), Vec::new());
    let mut widest: Option<T> = None;
    for (index, own) in sorted {
        match widest.filter(|widest| own.span().1 <= widest.span().1) {
            Some(widest) if widest == *own => fates.push((*index, Fate::Repeats(widest))),
            Some(widest) => fates.push((*index, Fate::LiesIn(widest))),
            None => {
                widest = Some(*own);
                parts.push(*index);
            }
        }
    }
    if parts.len() > 1 {
        parts.sort_unstable();
        fates.push((parts[0], Fate::Becomes(*whole)));
        fates.extend(parts[1..].iter().map(|index| (*index, Fate::Joins(*whole))));
    }
    fates
}

/// Networks with their places in a list; families never join. In order of the places.
pub fn networks(nets: &[(usize, IpNet)]) -> Vec<(usize, Fate<IpNet>)> {
    let mut fates = Vec::new();
    for v4 in [true, false] {
        let own: Vec<(usize, IpNet)> =
            nets.iter().filter(|(_, net)| net.addr().is_ipv4() == v4).copied().collect();
        let few = fewest(&own.iter().map(|(_, net)| *net).collect::<Vec<_>>());
        if few.len() == own.len() {
            continue;
        }
        let whole = |net: &IpNet| few.partition_point(|one| one.network() <= net.network()) - 1;
        let groups = grouped(own, few.len(), whole).zip(&few);
        fates.extend(groups.flat_map(|(members, whole)| of_group(&members, whole)));
    }
    fates.sort_by_key(|(index, _)| *index);
    fates
}

/// Ranges of ports with their places in a list. In order of the places.
pub fn ports(ports: &[(usize, (u16, u16))]) -> Vec<(usize, Fate<(u16, u16)>)> {
    let few = joined(ports.iter().map(|(_, range)| *range).collect());
    if few.len() == ports.len() {
        return Vec::new();
    }
    let whole = |range: &(u16, u16)| few.partition_point(|one| one.0 <= range.0) - 1;
    let groups = grouped(ports.to_vec(), few.len(), whole);
    let mut fates: Vec<_> = groups.zip(&few).flat_map(|(members, whole)| of_group(&members, whole)).collect();
    fates.sort_by_key(|(index, _)| *index);
    fates
}

/// Entries by the number of what they lie in.
fn grouped<T>(
    entries: Vec<(usize, T)>,
    count: usize,
    group: impl Fn(&T) -> usize,
) -> std::vec::IntoIter<Vec<(usize, T)>> {
    let mut groups: Vec<Vec<(usize, T)>> = std::iter::repeat_with(Vec::new).take(count).collect();
    for entry in entries {
        groups[group(&entry.1)].push(entry);
    }
    groups.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<(usize, String)> {
        let nets: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).enumerate().collect();
        networks(&nets)
            .into_iter()
            .map(|(index, fate)| match fate {
                Fate::Repeats(net) => (index, format!("repeats {net}")),
                Fate::LiesIn(net) => (index, format!("in {net}")),
                Fate::Becomes(net) => (index, format!("becomes {net}")),
                Fate::Joins(net) => (index, format!("joins {net}")),
            })
            .collect()
    }

    #[test]
    fn what_is_there_stays_where_it_is() {
        assert_eq!(
            nets(&["10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "192.0.2.1/32"]),
            [(0, "in 10.0.0.0/8".to_owned()), (2, "repeats 10.0.0.0/8".to_owned())]
        );
        assert_eq!(nets(&["10.0.0.0/8", "192.0.2.1/32"]), []);
    }

    #[test]
    fn siblings_join_in_the_place_of_the_first() {
        assert_eq!(
            nets(&["10.0.1.0/24", "fd00::/65", "10.0.0.0/24", "fd00::8000:0:0:0/65", "10.0.0.9/32"]),
            [
                (0, "becomes 10.0.0.0/23".to_owned()),
                (1, "becomes fd00::/64".to_owned()),
                (2, "joins 10.0.0.0/23".to_owned()),
                (3, "joins fd00::/64".to_owned()),
                (4, "in 10.0.0.0/24".to_owned()),
            ]
        );
    }

    #[test]
    fn all_addresses_of_one_family_are_not_those_of_the_other() {
        assert_eq!(nets(&["0.0.0.0/0", "::/0"]), []);
        assert_eq!(nets(&["0.0.0.0/0", "::/0", "::1/128", "255.255.255.255/32"]).len(), 2);
    }

    #[test]
    fn ports_join_where_they_touch() {
        let all = [
            (0, (80, 80)),
            (1, (443, 443)),
            (2, (81, 90)),
            (3, (85, 85)),
            (4, (443, 443)),
            (7, (65535, 65535)),
        ];
        assert_eq!(
            ports(&all),
            [
                (0, Fate::Becomes((80, 90))),
                (2, Fate::Joins((80, 90))),
                (3, Fate::LiesIn((81, 90))),
                (4, Fate::Repeats((443, 443))),
            ]
        );
        assert_eq!(ports(&all[..2]), []);
    }
}
