//! The networks that can be members of sets, ranked by the order of their text.
//!
//! Sets come out sorted and without repetition by walking a set of ranks. Each network knows the
//! nearest other one that covers it, so that leaving covered members out of a set is a short walk
//! up a chain (`felix/labelindex/overlap_suppressor.go`, v3.32.1).

use super::bits::Bits;
use ipnet::{Ipv4Net, Ipv6Net};

/// A network of one family.
pub trait Net: Copy + Eq {
    /// Orders as the network's text does, the length left out where it is full.
    type TextKey: Ord + Copy;

    /// Its key.
    fn text_key(self) -> Self::TextKey;

    /// First and last address as numbers.
    fn span(self) -> (u128, u128);

    /// Whether it is a single address.
    fn is_host(self) -> bool;
}

impl Net for Ipv4Net {
    type TextKey = u128;

    fn text_key(self) -> u128 {
        let mut writer = Digits::<4, 1>::default();
        for (index, octet) in self.addr().octets().into_iter().enumerate() {
            if index > 0 {
                writer.push(DOT);
            }
            writer.decimal(octet);
        }
        writer.length(self.prefix_len(), 32);
        writer.words[0]
    }

    fn span(self) -> (u128, u128) {
        (u32::from(self.network()).into(), u32::from(self.broadcast()).into())
    }

    fn is_host(self) -> bool {
        self.prefix_len() == 32
    }
}

impl Net for Ipv6Net {
    type TextKey = [u128; 2];

    fn text_key(self) -> [u128; 2] {
        let mut writer = Digits::<5, 2>::default();
        let groups = self.addr().segments();
        if groups[..6] == [0; 6] && groups[6] != 0 {
            // the one form that has dots: as C's inet_ntop prints it
            writer.push(COLON);
            writer.push(COLON);
            let [.., a, b, c, d] = self.addr().octets();
            for (index, octet) in [a, b, c, d].into_iter().enumerate() {
                if index > 0 {
                    writer.push(DOT);
                }
                writer.decimal(octet);
            }
        } else {
            writer.groups(groups);
        }
        writer.length(self.prefix_len(), 128);
        writer.words
    }

    fn span(self) -> (u128, u128) {
        (u128::from(self.network()), u128::from(self.broadcast()))
    }

    fn is_host(self) -> bool {
        self.prefix_len() == 128
    }
}

// Characters of addresses by their byte order; 0 is the end of the text.
const DOT: u8 = 1;
const SLASH: u8 = 2;
const ZERO: u8 = 3;
const COLON: u8 = 13;
const A: u8 = 14;

/// Packs a text into `WORDS` numbers, `WIDTH` bits a character, first character highest.
struct Digits<const WIDTH: u32, const WORDS: usize> {
    words: [u128; WORDS],
    used: usize,
}

impl<const WIDTH: u32, const WORDS: usize> Default for Digits<WIDTH, WORDS> {
    fn default() -> Self {
        Digits { words: [0; WORDS], used: 0 }
    }
}

impl<const WIDTH: u32, const WORDS: usize> Digits<WIDTH, WORDS> {
    fn push(&mut self, code: u8) {
        let per_word = (128 / WIDTH) as usize;
        let shift = 128 - WIDTH * (self.used % per_word + 1) as u32;
        self.words[self.used / per_word] |= u128::from(code) << shift;
        self.used += 1;
    }

    fn decimal(&mut self, value: u8) {
        if value >= 100 {
            self.push(ZERO + value / 100);
        }
        if value >= 10 {
            self.push(ZERO + value / 10 % 10);
        }
        self.push(ZERO + value % 10);
    }

    fn length(&mut self, prefix: u8, full: u8) {
        if prefix != full {
            self.push(SLASH);
            self.decimal(prefix);
        }
    }

    /// Groups in hexadecimal, the first longest run of at least two zero groups as `::`.
    fn groups(&mut self, groups: [u16; 8]) {
        let (mut start, mut length) = (0, 0);
        let mut index = 0;
        while index < 8 {
            let run = groups[index..].iter().take_while(|group| **group == 0).count();
            if run > length {
                (start, length) = (index, run);
            }
            index += run.max(1);
        }
        let mut index = 0;
        let mut separate = false;
        while index < 8 {
            if length > 1 && index == start {
                self.push(COLON);
                self.push(COLON);
                separate = false;
                index += length;
                continue;
            }
            if separate {
                self.push(COLON);
            }
            separate = true;
            let group = groups[index];
            let digits = (16 - group.leading_zeros()).div_ceil(4).max(1);
            for place in (0..digits).rev() {
                let digit = (group >> (4 * place) & 15) as u8;
                self.push(if digit < 10 { ZERO + digit } else { A + digit - 10 });
            }
            index += 1;
        }
    }
}

const NONE: u32 = u32::MAX;

/// Networks by rank, and which of them each thing stands for.
#[derive(Debug)]
pub struct Ranked<N> {
    /// distinct networks in text order
    nets: Vec<N>,
    /// rank of the nearest network that covers this one
    covering: Vec<u32>,
    /// ranks that cover another
    covers: Bits,
    /// where each thing's ranks begin in `ranks`; one more than there are things
    first: Vec<u32>,
    ranks: Vec<u32>,
}

impl<N: Net> Ranked<N> {
    /// Ranks networks, given with the things (below `things`) that they belong to, in any order.
    pub fn new(things: usize, entries: &[(u32, N)]) -> Self {
        let mut first = vec![0u32; things + 1];
        entries.iter().for_each(|(thing, _)| first[*thing as usize + 1] += 1);
        for thing in 0..things {
            first[thing + 1] += first[thing];
        }
        let mut keyed: Vec<(N::TextKey, u32)> =
            entries.iter().enumerate().map(|(index, (_, net))| (net.text_key(), index as u32)).collect();
        keyed.sort_unstable();
        let mut nets: Vec<N> = Vec::new();
        let mut ranks = vec![0; entries.len()];
        let mut next = first.clone();
        for (_, index) in keyed {
            let (thing, net) = entries[index as usize];
            if nets.last() != Some(&net) {
                nets.push(net);
            }
            let slot = &mut next[thing as usize];
            ranks[*slot as usize] = nets.len() as u32 - 1;
            *slot += 1;
        }
        let covering = covering(&nets);
        let mut covers = Bits::none(nets.len());
        covering.iter().filter(|rank| **rank != NONE).for_each(|rank| covers.insert(*rank));
        Ranked { nets, covering, covers, first, ranks }
    }

    /// The ranks of a thing's networks.
    pub fn of(&self, thing: u32) -> &[u32] {
        let thing = thing as usize;
        &self.ranks[self.first[thing] as usize..self.first[thing + 1] as usize]
    }

    /// The network of a rank.
    pub fn net(&self, rank: u32) -> N {
        self.nets[rank as usize]
    }

    /// The networks of many things in text order, without repetition, and without those that
    /// others among them cover, unless these are to be kept.
    pub fn members(&self, things: &Bits, keep_covered: bool) -> Vec<N> {
        let mut present = Bits::none(self.nets.len());
        for thing in things.iter() {
            self.of(thing).iter().for_each(|rank| present.insert(*rank));
        }
        let mut members = Vec::with_capacity(present.count());
        let mut coverers = self.covers.clone();
        coverers.intersect(&present);
        if keep_covered || coverers.is_empty() {
            members.extend(present.iter().map(|rank| self.net(rank)));
        } else {
            members.extend(
                present.iter().filter(|rank| !self.is_covered(*rank, &coverers)).map(|r| self.net(r)),
            );
        }
        members
    }

    fn is_covered(&self, rank: u32, coverers: &Bits) -> bool {
        let mut above = self.covering[rank as usize];
        while above != NONE {
            if coverers.contains(above) {
                return true;
            }
            above = self.covering[above as usize];
        }
        false
    }
}

/// For each network the index of the smallest other one that contains it.
fn covering<N: Net>(nets: &[N]) -> Vec<u32> {
    let mut covering = vec![NONE; nets.len()];
    if nets.iter().all(|net| net.is_host()) {
        return covering;
    }
    let mut order: Vec<(u128, std::cmp::Reverse<u128>, u32)> = nets
        .iter()
        .enumerate()
        .map(|(index, net)| {
            let (first, last) = net.span();
            (first, std::cmp::Reverse(last), index as u32)
        })
        .collect();
    order.sort_unstable();
    // networks nest: those that contain the current one are a stack
    let mut open: Vec<(u128, u32)> = Vec::new();
    for (first, std::cmp::Reverse(last), index) in order {
        while open.last().is_some_and(|(end, _)| *end < first) {
            open.pop();
        }
        if let Some((_, above)) = open.last() {
            covering[index as usize] = *above;
        }
        open.push((last, index));
    }
    covering
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::IpNet;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn text(net: IpNet) -> String {
        let mut text = String::new();
        crate::emit::text::address(&mut text, net.addr());
        if net.prefix_len() != net.max_prefix_len() {
            text.push_str(&format!("/{}", net.prefix_len()));
        }
        text
    }

    fn v4() -> impl Strategy<Value = Ipv4Net> {
        (any::<u32>(), any::<[bool; 2]>(), 1u8..=32).prop_map(|(bits, small, length)| {
            // few distinct addresses, so that networks repeat and cover each other
            let bits = if small[0] { bits & 0x0300_0003 } else { bits };
            let length = if small[1] { 32 } else { length };
            Ipv4Net::new(Ipv4Addr::from(bits), length).unwrap().trunc()
        })
    }

    fn v6() -> impl Strategy<Value = Ipv6Net> {
        let group = prop::sample::select(vec![0u16, 0, 0, 1, 0xa, 0x10, 0xffff, 0x2001]);
        (prop::array::uniform8(group), any::<bool>(), 1u8..=128).prop_map(|(groups, host, length)| {
            let address = Ipv6Addr::from(groups);
            // such addresses are IPv4 by the time they get here
            let address = if address.to_ipv4_mapped().is_some() { Ipv6Addr::LOCALHOST } else { address };
            Ipv6Net::new(address, if host { 128 } else { length }).unwrap().trunc()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn keys_order_as_texts(a4 in v4(), b4 in v4(), a6 in v6(), b6 in v6()) {
            prop_assert_eq!(a4.text_key().cmp(&b4.text_key()), text(a4.into()).cmp(&text(b4.into())));
            prop_assert_eq!(a6.text_key().cmp(&b6.text_key()), text(a6.into()).cmp(&text(b6.into())),
                "{} {}", a6, b6);
        }
    }

    /// Members by trying every pair.
    fn slow_members<N: Net + Into<IpNet>>(entries: &[(u32, N)], things: &[u32], keep: bool) -> Vec<String> {
        let chosen: Vec<IpNet> =
            entries.iter().filter(|(t, _)| things.contains(t)).map(|(_, net)| (*net).into()).collect();
        let covered = |net: &IpNet| chosen.iter().any(|other| other != net && other.contains(net));
        let mut texts: Vec<String> =
            chosen.iter().filter(|net| keep || !covered(net)).map(|net| text(*net)).collect();
        texts.sort();
        texts.dedup();
        texts
    }

    proptest! {
        #[test]
        fn members_are_sorted_and_not_covered(
            four in prop::collection::vec((0u32..12, v4()), 0..40),
            six in prop::collection::vec((0u32..12, v6()), 0..40),
            things in prop::collection::vec(0u32..12, 0..12),
            keep in any::<bool>(),
        ) {
            let mut bits = Bits::none(12);
            things.iter().for_each(|thing| bits.insert(*thing));
            let found: Vec<_> = Ranked::new(12, &four).members(&bits, keep).into_iter().map(|n| text(n.into())).collect();
            prop_assert_eq!(found, slow_members(&four, &things, keep));
            let found: Vec<_> = Ranked::new(12, &six).members(&bits, keep).into_iter().map(|n| text(n.into())).collect();
            prop_assert_eq!(found, slow_members(&six, &things, keep));
        }
    }
}
