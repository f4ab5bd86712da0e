//! `netpolc trace`: packets → what a node's kernel does with them.

use super::args::{Format, TraceArgs};
use super::load::{self, Loaded};
use super::output::{Output, naming, to_json};
use super::{BAD_INPUT, DONE, messages, node_dump};
use crate::diagnostic::Diagnostic;
use crate::felix;
use crate::ir::Program;
use crate::kernel::Kernel;
use crate::kernel::route::Routes;
use crate::kube_proxy::OTHER_MODE;
use crate::resolve::view::NodeView;
use crate::resolve::{Cluster, NodeRequest};
use crate::trace::end::{self, Which};
use crate::trace::journey::{self, Journey, Stop};
use crate::trace::query::{Node, Query};
use crate::trace::{answer, assume, row};
use crate::verify;
use std::io;
use std::path::Path;

/// Runs the command; gives the exit status.
pub fn run(args: &TraceArgs) -> io::Result<u8> {
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    if args.paths.is_empty() && interfaces.is_none() {
        let message = "without manifests, the node's addresses are not known: give the output of `ip -j addr` there \
                       with `--node-addresses`";
        return Err(io::Error::other(message));
    }
    let mut routes = Vec::new();
    for path in &args.node_routes {
        routes.extend(load::routes(path)?);
    }
    let mut loaded = match &*args.paths {
        [] => Loaded::nothing(args.node.as_deref().unwrap_or(THE_NODE)),
        paths => load::load(paths, args.jobs, args.invalid.into(), args.calico_version),
    };
    let mut said = loaded.all_diagnostics();
    let mut saved = verify::Node::default();
    let wrong = node_dump::read(&args.dump, args.ipsets.as_deref(), &mut loaded.files, &mut saved)?;
    let unusable = loaded.unusable || loaded.collected.fatal || !wrong.is_empty();
    said.extend(wrong);
    if unusable {
        messages::print(&said, &loaded.files)?;
        return Ok(BAD_INPUT);
    }
    let cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    let Some(name) = args.node.as_deref().or(args.paths.is_empty().then_some(THE_NODE)) else {
        return Err(io::Error::other("name the node with `--node`"));
    };
    let resolved = cluster.view(&NodeRequest { node: name, interfaces: interfaces.as_deref() });
    said.extend(resolved.diagnostics);
    let Some(view) = resolved.view else {
        messages::print(&said, &loaded.files)?;
        return Ok(BAD_INPUT);
    };
    if args.node_routes.is_empty() {
        routes = assume::routes(&cluster, &view, &mut said);
    }
    let routes = Routes::new(&assume::interfaces(&view, interfaces.is_some()), &routes);
    let compiled = felix::render(&view);
    let dumped = !args.dump.is_empty();
    let program = if dumped { saved.program(&compiled) } else { compiled };
    let traced = Traced { loaded: &loaded, cluster: &cluster, view: &view, program: &program, dumped };
    match &args.packets {
        Some(packets) => traced.batch(packets, routes, &said),
        None => traced.ask(args, routes, said),
    }
}

/// What the node of a dump is called, if nobody says its name.
const THE_NODE: &str = "of the dump";

/// What is walked through.
struct Traced<'t> {
    loaded: &'t Loaded,
    cluster: &'t Cluster<'t>,
    view: &'t NodeView,
    program: &'t Program,
    /// the program was saved on the node
    dumped: bool,
}

impl Traced<'_> {
    /// The batch form: rows with their answers.
    fn batch(&self, packets: &Path, routes: Routes, said: &[Diagnostic]) -> io::Result<u8> {
        let text = std::fs::read_to_string(packets).map_err(|error| naming(packets, "read", error))?;
        let kernel = Kernel::new(self.program, routes);
        let answers = rows(&kernel, &text)
            .map_err(|(line, error)| io::Error::other(format!("`{}`:{line}: {error}", packets.display())))?;
        messages::print(said, &self.loaded.files)?;
        Output::Stdout.write("", |out| out.write_all(answers.as_bytes()))?;
        Ok(DONE)
    }

    /// From one end to the other.
    fn ask(&self, args: &TraceArgs, routes: Routes, mut said: Vec<Diagnostic>) -> io::Result<u8> {
        let Traced { loaded, cluster, view, .. } = *self;
        let find = |word: &Option<String>, which: Which| {
            end::find(word.as_deref().unwrap_or_default(), which, cluster, view).map_err(io::Error::other)
        };
        let (from, mut to) = (find(&args.from, Which::From)?, find(&args.to, Which::To)?);
        if from.is_outside() {
            to = to.seen_from_outside();
        }
        let ports = if args.port.is_empty() { to.ports.clone() } else { args.port.clone() };
        let protocol = match &args.proto {
            Some(text) => Some(row::protocol_number(text).map_err(io::Error::other)?),
            None => (!ports.is_empty()).then_some(crate::kernel::packet::TCP),
        };
        let names = |file| loaded.files.name(file).to_owned();
        let with_proxy;
        let program = match self.dumped {
            // what kube-proxy does stands in the node's rules
            true => self.program,
            false => {
                with_proxy = journey::with_kube_proxy(self.program.clone(), cluster, view, &mut said);
                &with_proxy
            }
        };
        let node = Node::new(view, program, routes);
        let (from_name, to_name) = (from.name.clone(), to.name.clone());
        let query = Query { from, to, protocol, ports };
        let mut journey = Journey { cluster, report: answer::Report::new(&names), said };
        let is_answered = journey.follow(Stop { view, node: &node }, &query);
        let Journey { mut report, mut said, .. } = journey;
        // the answers have a note of it
        said.retain(|one| one.id != OTHER_MODE);
        messages::print(&said, &loaded.files)?;
        if !is_answered {
            let message = format!("`{from_name}` and `{to_name}` have no address family in common");
            return Err(io::Error::other(message));
        }
        if !self.dumped {
            report.under(&loaded.version);
        }
        match args.format {
            Format::Text => Output::Stdout.write("", |out| out.write_all(report.text().as_bytes()))?,
            Format::Json => Output::Stdout.write("", |out| out.write_all(&to_json(&report.document())?))?,
        }
        Ok(DONE)
    }
}

/// All rows with their answers; the 1-based line of a row that cannot be read, and why.
fn rows(kernel: &Kernel<'_>, packets: &str) -> Result<String, (usize, String)> {
    let mut lines = packets.lines();
    let header = row::COLUMNS.join("\t");
    if lines.next() != Some(&header) {
        return Err((1, format!("the first line must name the columns: {}", row::COLUMNS.join(" "))));
    }
    let mut out = format!("{header}\t{}\n", row::ANSWERS.join("\t"));
    for (index, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let (mut packet, connection) = row::parse(line).map_err(|error| (index + 2, error))?;
        row::answer(&mut out, line, kernel.send(&mut packet, connection, &mut ()));
    }
    Ok(out)
}
