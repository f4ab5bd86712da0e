//! `netpolc trace`: packets → what a node's kernel does with them.

use super::args::TraceArgs;
use super::load;
use super::output::{Output, naming};
use super::{BAD_INPUT, DONE, messages};
use crate::felix;
use crate::kernel::Kernel;
use crate::kernel::route::Routes;
use crate::resolve::{Cluster, NodeRequest};
use crate::syntax::ip_route::{self, Route};
use crate::trace::row;
use std::io;
use std::path::Path;

/// Runs the command; gives the exit status.
pub fn run(args: &TraceArgs) -> io::Result<u8> {
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    let mut routes = Vec::new();
    for path in &args.node_routes {
        routes.extend(read_routes(path)?);
    }
    let packets =
        std::fs::read_to_string(&args.packets).map_err(|error| naming(&args.packets, "read", error))?;
    let loaded = load::load(&args.paths, args.jobs, args.invalid.into());
    let mut said = loaded.all_diagnostics();
    if loaded.unusable || loaded.collected.fatal {
        messages::print(&said, &loaded.files)?;
        return Ok(BAD_INPUT);
    }
    let cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    let resolved = cluster.view(&NodeRequest { node: &args.node, interfaces: interfaces.as_deref() });
    said.extend(resolved.diagnostics);
    let Some(view) = resolved.view else {
        messages::print(&said, &loaded.files)?;
        return Ok(BAD_INPUT);
    };
    let program = felix::render(&view);
    let kernel = Kernel::new(&program, Routes::new(&view.interfaces, &routes));
    let answers = batch(&kernel, &packets)
        .map_err(|(line, error)| io::Error::other(format!("`{}`:{line}: {error}", args.packets.display())))?;
    messages::print(&said, &loaded.files)?;
    Output::Stdout.write("", |out| out.write_all(answers.as_bytes()))?;
    Ok(DONE)
}

fn read_routes(path: &Path) -> io::Result<Vec<Route>> {
    let text = std::fs::read_to_string(path).map_err(|error| naming(path, "read", error))?;
    ip_route::parse(&text).map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))
}

/// All rows with their answers; the 1-based line of a row that cannot be read, and why.
fn batch(kernel: &Kernel<'_>, packets: &str) -> Result<String, (usize, String)> {
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
