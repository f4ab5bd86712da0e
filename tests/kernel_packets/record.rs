//! What was seen of packets, and what became of them.

use super::frame;
use super::lab::{self, place};

/// What was seen of one packet.
#[derive(Default, Clone)]
pub struct Record {
    /// where it was, in order
    pub places: Vec<u8>,
    /// the interfaces it left on, and how it looked
    pub left: Vec<(String, Vec<u8>)>,
    /// the kernel told the sender, and said that there is no route
    pub answer: Option<bool>,
    /// the kernel did not take it from its process
    pub refused: bool,
}

/// What was seen, by the numbers of packets, which begin with 1.
pub struct Records(pub Vec<Record>);

impl Records {
    fn of(&mut self, number: u16) -> Option<&mut Record> {
        self.0.get_mut(usize::from(number).checked_sub(1)?)
    }
}

impl lab::Watch for Records {
    fn reported(&mut self, place: u8, bytes: &[u8]) {
        let Some(seen) = frame::parse(bytes) else { return };
        if let Some(record) = seen.number.and_then(|number| self.of(number)) {
            record.places.push(place);
        } else if place == place::OUTPUT
            && let Some(answer) = seen.answer()
            && let Some(record) = self.of(answer.about)
        {
            record.answer = Some(answer.no_route);
        }
    }

    fn left(&mut self, interface: &str, bytes: &[u8]) {
        if let Some(record) =
            frame::parse(bytes).and_then(|seen| seen.number).and_then(|number| self.of(number))
        {
            record.left.push((interface.to_owned(), bytes.to_vec()));
        }
    }
}

impl Record {
    /// What became of it, in the words of `trace`.
    pub fn outcome(&self, is_local: bool) -> String {
        let was = |place: u8| self.places.contains(&place);
        if let [(interface, _)] = &self.left[..] {
            let verb = if is_local { "sent" } else { "forwarded" };
            return format!("{verb}:{interface}");
        }
        assert!(self.left.is_empty(), "a packet left more than once");
        if was(place::DELIVERED) {
            return "delivered_local".to_owned();
        }
        if self.refused || self.answer == Some(true) {
            return "unroutable".to_owned();
        }
        if self.answer.is_some() {
            return "rejected".to_owned();
        }
        let hook = if was(place::INPUT) {
            "input"
        } else if is_local && was(place::ARRIVED) {
            "prerouting"
        } else if was(place::POSTROUTING) {
            "postrouting"
        } else if was(place::FORWARD) {
            "forward"
        } else if is_local {
            "output"
        } else {
            "prerouting"
        };
        format!("dropped:{hook}")
    }
}
