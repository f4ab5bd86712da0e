//! Numbers for the names of interfaces.

use crate::ir::{Matcher, Program};
use crate::kernel::route::{LOOPBACK, Routes};
use crate::space::Range;
use std::collections::BTreeSet;

/// Every name that rules, routes or addresses speak of has a number, and so has each kind of name that
/// nothing speaks of: those that begin as a pattern says, and all others.
#[derive(Debug)]
pub struct Interfaces {
    /// sorted; number 0 is for no interface at all, and the first name has number 1
    names: Vec<Box<str>>,
    /// prefixes of patterns, sorted; their numbers follow those of the names
    prefixes: Vec<Box<str>>,
}

/// The number of packets that came in on no interface, because the node made them.
pub const NO_INTERFACE: u16 = 0;

impl Interfaces {
    /// Numbers for everything that a program and a node's routes know, and for `more`.
    pub fn new<'n>(
        program: &'n Program,
        routes: &'n Routes,
        more: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        Self::all([program], routes.interfaces().chain(more))
    }

    /// Numbers for everything that programs know.
    pub fn of_programs<'n>(programs: impl IntoIterator<Item = &'n Program>) -> Self {
        Self::all(programs, [])
    }

    /// Numbers for everything that programs know, and for `names`.
    pub fn all<'n>(
        programs: impl IntoIterator<Item = &'n Program>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let mut names: BTreeSet<&str> = names.into_iter().collect();
        let mut prefixes: BTreeSet<&str> = [""].into();
        names.insert(LOOPBACK);
        let tables =
            programs.into_iter().flat_map(|program| program.v4.tables.iter().chain(&program.v6.tables));
        let chains = tables.flat_map(|table| table.hooks.iter().chain(&table.chains));
        for rule in chains.flat_map(|chain| &chain.rules) {
            for one in &rule.matches {
                if let Matcher::InInterface(name) | Matcher::OutInterface(name) = &one.on {
                    match name.strip_suffix('+') {
                        Some(prefix) => prefixes.insert(prefix),
                        None => names.insert(name),
                    };
                }
            }
        }
        Interfaces {
            names: names.into_iter().filter(|name| !name.is_empty()).map(Into::into).collect(),
            prefixes: prefixes.into_iter().map(Into::into).collect(),
        }
    }

    /// The number of a name: its own, or that of its kind.
    pub fn number(&self, name: &str) -> u16 {
        if name.is_empty() {
            return NO_INTERFACE;
        }
        match self.names.binary_search_by(|own| (**own).cmp(name)) {
            Ok(place) => place as u16 + 1,
            Err(_) => self.kind(self.kind_of(name)),
        }
    }

    /// The longest prefix that a name begins with.
    fn kind_of(&self, name: &str) -> usize {
        let fitting = (0..).zip(&self.prefixes).filter(|(_, prefix)| name.starts_with(&***prefix));
        fitting.max_by_key(|(_, prefix)| prefix.len()).map_or(0, |(place, _)| place)
    }

    fn kind(&self, place: usize) -> u16 {
        (self.names.len() + place) as u16 + 1
    }

    /// The numbers of what a pattern matches: a name, or a prefix and `+`.
    pub fn matching(&self, pattern: &str) -> Vec<Range> {
        let single = |number: u16| (u128::from(number), u128::from(number));
        let Some(prefix) = pattern.strip_suffix('+') else { return vec![single(self.number(pattern))] };
        let names =
            (1..).zip(&self.names).filter(|(_, name)| name.starts_with(prefix)).map(|(number, _)| number);
        let kinds = self.prefixes.iter().enumerate().filter(|(_, own)| own.starts_with(prefix));
        // `+` alone compares nothing, and so matches even where there is no interface
        let none = prefix.is_empty().then_some(NO_INTERFACE);
        let kinds = kinds.map(|(place, _)| self.kind(place));
        names.chain(kinds).chain(none).map(single).collect()
    }

    /// What a number stands for: a name, a prefix and `…`, or "" for no interface.
    pub fn name(&self, number: u16) -> String {
        let Some(place) = usize::from(number).checked_sub(1) else { return String::new() };
        match self.names.get(place) {
            Some(name) => name.to_string(),
            None => {
                let prefix = self.prefixes.get(place - self.names.len());
                format!("{}…", prefix.map_or("", |prefix| &**prefix))
            }
        }
    }

    /// How many numbers there are; they begin with that of no interface, 0.
    pub fn count(&self) -> u16 {
        (self.names.len() + self.prefixes.len()) as u16 + 1
    }

    /// The names that have a number of their own.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}
