//! Sends packets through one node, many at a time, and compares what becomes of each with what `trace` says.

use super::case::Case;
use super::common::Numbers;
use super::common::packets::values;
use super::draw::{Places, is_ordinary, written};
use super::frame;
use super::lab::Lab;
use super::record::{Record, Records};
use super::sent::Sent;
use super::setup;
use netpolc::felix;
use netpolc::ir::{Family, Matcher, Program};
use netpolc::kernel::Kernel;
use netpolc::kernel::conntrack::Connection;
use netpolc::kernel::packet::TCP;
use netpolc::kernel::route::Routes;
use netpolc::optimize;
use netpolc::resolve::view::NodeView;
use netpolc::trace::row;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::net::IpAddr;

/// Packets that are under way together. They have no ports in common, so more make it hard to find them.
const TOGETHER: usize = 64;

/// What came of one cluster.
#[derive(Default)]
pub struct Report {
    /// first packets
    pub first: usize,
    /// answers
    pub answers: usize,
    /// outcomes, without interfaces
    pub fates: Vec<String>,
    /// what differs: rows, and what is said of them
    pub wrong: Vec<(String, String)>,
}

/// Stays on one processor: frames that wait then do so in one queue, in their order.
pub fn stay_on_one_processor() {
    let mut one = CpuSet::new();
    one.set(nix::sched::sched_getcpu().expect("a processor")).expect("its number");
    sched_setaffinity(Pid::from_raw(0), &one).expect("a processor of this process");
}

/// Sends packets to a cluster's node, and the answers to those that got through: those that were recorded, if they are
/// asked for, and so many random ones. The node has the rules as they are, or as they are optimized; what it does must be
/// what `trace` says of the rules as they are.
pub fn run(case: &Case, number: usize, count: usize, level: u8) -> Report {
    let (view, routes) = case.view();
    let program = case.program(&view);
    let loaded = match level {
        0 => program.clone(),
        _ => optimize::optimize(&program, level, felix::private_marks(&view)).program,
    };
    let rows = if level == 0 { Vec::new() } else { case.recorded() };
    let kernel = Kernel::new(&program, Routes::new(&view.interfaces, &routes));
    let interfaces = setup::interfaces(&view, &routes);
    let work = || {
        stay_on_one_processor();
        let mut lab = Lab::new(&view, &routes, &loaded);
        let mut report = Report::default();
        let families = families(&view);
        for family in &families {
            let mut numbers = Numbers::new((number as u64) << 8 | u64::from(*family == Family::V6));
            let values = values(&program, *family, &kernel.routes);
            let places = Places::new(*family, &values, &view, &kernel.routes);
            let packets = packets(&places, &mut numbers, &interfaces, &view, &program, &kernel);
            let recorded = rows.iter().map(|row| Sent::recorded(&kernel, row));
            let recorded =
                recorded.filter(|sent| sent.packet.family == *family && can_be_measured(sent, &view));
            let mut waiting: Vec<Sent<'_>> =
                recorded.chain(packets.take(count.div_ceil(families.len()))).collect();
            while !waiting.is_empty() {
                let (batch, rest) = together(waiting);
                waiting = rest;
                send(&mut lab, &kernel, &batch, &mut report);
            }
        }
        if !report.wrong.is_empty() {
            let rows: String = report.wrong.iter().map(|(rows, _)| &**rows).collect();
            let header = row::COLUMNS.join("\t");
            let how = case.how_to_repeat(&format!("{header}\n{rows}"));
            report.wrong.iter_mut().for_each(|(_, text)| *text = format!("{}: {text}\n  {how}", case.name));
        }
        report
    };
    // a thread of its own, as it does not come back from where it goes
    std::thread::scope(|scope| {
        scope.spawn(work).join().unwrap_or_else(|_| panic!("in cluster {}", case.name))
    })
}

/// IPv6 only where the node has an address that others can reach.
fn families(view: &NodeView) -> Vec<Family> {
    let mut addresses = view.interfaces.iter().flat_map(|own| &own.addresses);
    let has_v6 = addresses.any(|net| match net.addr() {
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    });
    if has_v6 { vec![Family::V4, Family::V6] } else { vec![Family::V4] }
}

/// Packets that can be measured.
fn packets<'k>(
    places: &'k Places<'k>,
    numbers: &'k mut Numbers,
    interfaces: &'k [String],
    view: &'k NodeView,
    program: &Program,
    kernel: &'k Kernel<'_>,
) -> impl Iterator<Item = Sent<'k>> {
    let tables = program.v4.tables.iter().chain(&program.v6.tables);
    let mut rules = tables.flat_map(|table| &table.chains).flat_map(|chain| &chain.rules);
    // whether there are more connections than that depends on what was before
    let counts =
        rules.any(|rule| rule.matches.iter().any(|one| matches!(one.on, Matcher::ConnectionsAbove(_))));
    let drawn = std::iter::repeat_with(move || places.draw(numbers, interfaces, view)).flatten();
    let asked = drawn
        .filter(move |packet| !(counts && packet.protocol == TCP))
        .map(|packet| Sent::new(kernel, packet, Connection::First));
    asked.filter(|sent| can_be_measured(sent, view))
}

fn can_be_measured(sent: &Sent<'_>, view: &NodeView) -> bool {
    let to = written(sent.packet.family, sent.said.end.destination);
    let is_ordinary = to.is_loopback() || is_ordinary(to, view);
    is_ordinary && sent.can_be_measured()
}

/// The first packets that can be under way together, and the rest.
fn together(packets: Vec<Sent<'_>>) -> (Vec<Sent<'_>>, Vec<Sent<'_>>) {
    let (mut batch, mut rest) = (Vec::new(), Vec::new());
    let mut taken = HashSet::new();
    for packet in packets {
        let marks = packet.marks();
        if batch.len() < TOGETHER && marks.iter().all(|mark| !taken.contains(mark)) {
            taken.extend(marks);
            batch.push(packet);
        } else {
            rest.push(packet);
        }
    }
    (batch, rest)
}

/// Sends packets that are strangers to each other, then the answers.
fn send(lab: &mut Lab, kernel: &Kernel<'_>, batch: &[Sent<'_>], report: &mut Report) {
    lab.forget_connections();
    let numbered = |at: usize| at as u16 + 1;
    let first: Vec<(u16, &Sent<'_>)> =
        batch.iter().enumerate().map(|(at, sent)| (numbered(at), sent)).collect();
    let records = play(lab, &first);
    let mut answers = Vec::new();
    for ((number, sent), record) in first.iter().zip(&records) {
        let differs = compare(sent, record, String::new(), report);
        let untranslated = record
            .left
            .first()
            .and_then(|(_, bytes)| Some(frame::parse(bytes)?.is_untranslated(&sent.packet)));
        if !differs
            && untranslated == Some(true)
            && let Some(answer) = sent.answer(kernel)
            && answer.can_be_measured()
        {
            answers.push((*number, answer, &sent.row));
        }
    }
    report.first += batch.len();
    report.answers += answers.len();
    let second: Vec<(u16, &Sent<'_>)> = answers.iter().map(|(number, answer, _)| (*number, answer)).collect();
    let records = play(lab, &second);
    for (number, answer, before) in &answers {
        compare(answer, &records[usize::from(*number) - 1], format!("{before}\n"), report);
    }
}

/// Sends packets, and sees what becomes of them.
fn play(lab: &mut Lab, packets: &[(u16, &Sent<'_>)]) -> Vec<Record> {
    let mut records = Records(vec![Record::default(); TOGETHER]);
    for (number, sent) in packets {
        let packet = &sent.packet;
        let bytes = frame::build(packet, *number, sent.connection != Connection::First);
        match packet.in_interface {
            "" => {
                let sent = lab.originate(packet.family, packet.destination, &bytes, &mut records);
                records.0[usize::from(*number) - 1].refused = !sent;
            }
            interface => lab.arrive(interface, packet.family, &bytes, &mut records),
        }
    }
    lab.settle(&mut records);
    records.0
}

/// Whether the kernel did something else than `trace` says.
fn compare(sent: &Sent<'_>, record: &Record, before: String, report: &mut Report) -> bool {
    let (said, was) = (sent.outcome(), record.outcome(sent.packet.in_interface.is_empty()));
    report.fates.push(said.split(':').next().filter(|word| *word != "dropped").unwrap_or(&said).to_owned());
    // where there is no route the kernel may tell the sender, but not each time
    let same = said == was || (said == "unroutable" && was == "dropped:prerouting");
    if !same {
        let row = format!("{before}{}\n", sent.row);
        let text = format!("trace says {said}, the kernel {was}:\n{row}");
        report.wrong.push((row, text));
    }
    !same
}
