//! What passes may ask of a program: what its rules apply to, and which packets reach them.

use super::effect::{Judge, Look, Tables};
use super::proof::{Agreed, Different, compare, entry_marks};
use super::reach::{Hits, hits};
use crate::ir::{Family, Program};
use crate::kernel::symbolic::Interfaces;

/// Both families.
pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Keeps what has been learnt from pass to pass.
pub struct Lab<'k> {
    v4: Judge<'k>,
    v6: Judge<'k>,
    /// bits of the mark that only Felix's own rules look at
    pub private: u32,
}

impl<'k> Lab<'k> {
    /// Nothing learnt yet.
    pub fn new(interfaces: &'k Interfaces, private: u32) -> Self {
        Lab { v4: Judge::new(Family::V4, interfaces), v6: Judge::new(Family::V6, interfaces), private }
    }

    /// What is known of a family.
    pub fn judge(&mut self, family: Family) -> &mut Judge<'k> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// Looks into the tables of a family.
    pub fn look<T>(
        &mut self,
        program: &Program,
        family: Family,
        with: impl FnOnce(&mut Look<'_, 'k, '_>) -> T,
    ) -> T {
        let tables = tables(program, family);
        with(&mut self.judge(family).look(&tables))
    }

    /// The rules of a family that apply to packets; `None` if there are too many marks to tell.
    pub fn hits(&mut self, program: &Program, family: Family) -> Option<Hits> {
        let tables = tables(program, family);
        let judge = self.judge(family);
        let entry = entry_marks(judge, &tables)?;
        Some(hits(judge, &tables, &entry))
    }

    /// Whether two programs do the same.
    pub fn compare(&mut self, before: &Program, after: &Program) -> Result<Vec<Agreed>, Different> {
        let private = self.private;
        let mut agreed = Vec::new();
        for family in FAMILIES {
            let (before, after) = (tables(before, family), tables(after, family));
            agreed.extend(compare(self.judge(family), &before, &after, private)?);
        }
        Ok(agreed)
    }
}

/// The tables of a family, ready to be looked into.
pub fn tables(program: &Program, family: Family) -> Tables<'_> {
    let rules = match family {
        Family::V4 => &program.v4,
        Family::V6 => &program.v6,
    };
    Tables::new(rules, &program.sets)
}
