//! The bits of the packet mark and what they are for.

/// Mark bits, allotted from the lowest bit of the mask upwards
/// (`felix/dataplane/driver.go:113`, v3.32.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// a policy or profile accepted the packet; carried from table to table
    pub accept: u32,
    /// a policy passed the packet to the next tier
    pub pass: u32,
    /// a policy denied the packet
    pub drop: u32,
    /// all match blocks of a rule hold; also "came from a workload" in raw
    pub scratch0: u32,
    /// the current match block holds
    pub scratch1: u32,
    /// WireGuard, 0 where it is off
    pub wireguard: u32,
    /// which endpoint the packet came from, in IPVS mode: all remaining bits
    pub endpoint: u32,
}

impl Marks {
    /// Allots the bits of `mask`. A mask with too few bits leaves the last ones at 0.
    pub fn new(mask: u32, wireguard: bool) -> Self {
        let mut left = mask;
        let mut next = || {
            let bit = left & left.wrapping_neg();
            left &= !bit;
            bit
        };
        let (accept, pass, drop, scratch0, scratch1) = (next(), next(), next(), next(), next());
        let wireguard = if wireguard { next() } else { 0 };
        Marks { accept, pass, drop, scratch0, scratch1, wireguard, endpoint: left }
    }

    /// The bits that static chains clear: all but the drop bit
    /// (`felix/rules/static.go:1452`, v3.32.1).
    pub fn all(&self) -> u32 {
        self.accept | self.pass | self.scratch0 | self.scratch1
    }

    /// The endpoint mark of packets that came from no endpoint of Calico's.
    pub fn non_calico_endpoint(&self) -> u32 {
        self.endpoint & self.endpoint.wrapping_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_mask_gives_felix_default_bits() {
        let marks = Marks::new(0xffff_0000, false);
        assert_eq!((marks.accept, marks.pass, marks.drop), (0x10000, 0x20000, 0x40000));
        assert_eq!((marks.scratch0, marks.scratch1, marks.wireguard), (0x80000, 0x100000, 0));
        assert_eq!((marks.endpoint, marks.all()), (0xffe00000, 0x1b0000));
        assert_eq!(marks.non_calico_endpoint(), 0x200000);
    }

    #[test]
    fn wireguard_takes_a_bit_before_the_endpoints() {
        let marks = Marks::new(0xffff_0000, true);
        assert_eq!((marks.wireguard, marks.endpoint), (0x200000, 0xffc00000));
    }

    #[test]
    fn the_mask_may_have_holes() {
        let marks = Marks::new(0b1010_1010_1010, false);
        assert_eq!(marks.accept, 0b10);
        assert_eq!(marks.pass, 0b1000);
        assert_eq!(marks.endpoint, 0b1000_0000_0000);
    }
}
