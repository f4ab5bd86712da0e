//! `netpolc snapshot`: manifests → files with the rules of every node, to be committed.

use super::args::{Invalid, SnapshotArgs};
use super::output::{Output, naming};
use super::snapshot_folder::{self as folder, Problem};
use super::{BAD_INPUT, DONE, FINDINGS, load, messages};
use crate::diagnostic::{Diagnostic, Severity};
use crate::felix;
use crate::resolve::{Cluster, NodeRequest, Resolved};
use crate::snapshot::{self, File};
use rayon::prelude::*;
use std::io;
use std::path::{Component, Path};

/// Runs the command; gives the exit status.
pub fn run(args: &SnapshotArgs) -> io::Result<u8> {
    let interfaces = args.node_addresses.as_deref().map(load::interfaces).transpose()?;
    let loaded = load::load(&args.paths, args.jobs, args.invalid.into(), args.calico_version);
    let mut said = loaded.all_diagnostics();
    let cluster = Cluster::new(&loaded.collected.resources);
    said.extend_from_slice(cluster.diagnostics());
    let nodes: Vec<&str> = match &args.node {
        Some(node) => vec![node],
        None => cluster.node_names().collect(),
    };
    if nodes.is_empty() && !loaded.unusable {
        let message = "the input has no Node and no pod on a node, so there is nothing to compile for";
        said.push(Diagnostic::new("no-nodes", Severity::Error, None, message));
    }
    if let Some(node) = nodes.iter().find(|node| !is_name(node)) {
        return Err(io::Error::other(format!("node `{node}` has no name that a folder can have")));
    }
    let resolve = |node: &&str| cluster.view(&NodeRequest { node, interfaces: interfaces.as_deref() });
    let resolved: Vec<Resolved> = nodes.par_iter().map(resolve).collect();
    let unknown = resolved.iter().any(|node| node.view.is_none());
    said.extend(resolved.iter().flat_map(|node| node.diagnostics.iter().cloned()));
    let refused = args.invalid == Invalid::Fail && load::has_error(&said);
    if loaded.unusable || nodes.is_empty() || unknown || refused {
        messages::print(&said, &loaded.files)?;
        return Ok(BAD_INPUT);
    }
    let views = resolved.par_iter().filter_map(|node| node.view.as_ref());
    let files: Vec<Vec<File>> = views
        .map(|view| snapshot::files(view, &felix::render(view), loaded.version.version.name()))
        .collect();
    let mut files = files.concat();
    let mut text = String::new();
    let status = match args.check {
        true => check(args, &files, &mut text)?,
        false => {
            files.sort_by(|one, other| (&one.node, one.name).cmp(&(&other.node, other.name)));
            let done = folder::write(&args.out, &files, args.node.is_none()).map_err(told)?;
            let stale = if done.removed > 0 { format!(", {} removed", done.removed) } else { String::new() };
            text.push_str(&format!(
                "{}: {} written, {} as they were{stale}\n",
                args.out.display(),
                done.written,
                done.same
            ));
            DONE
        }
    };
    // what was assumed is in the files; what works otherwise than meant is for a person to see
    said.retain(|one| one.severity > Severity::Note || one.at.is_none());
    messages::print(&said, &loaded.files)?;
    Output::Stdout.write("", |out| out.write_all(text.as_bytes()))?;
    Ok(status)
}

fn check(args: &SnapshotArgs, files: &[File], text: &mut String) -> io::Result<u8> {
    let found = folder::check(&args.out, files, args.node.is_none()).map_err(told)?;
    for (_, diff) in &found.different {
        text.push_str(diff);
    }
    for path in &found.stale {
        text.push_str(&format!("stale: {} is of no node any more\n", path.display()));
    }
    if found.is_current() {
        text.push_str(&format!("{}: up to date\n", args.out.display()));
        return Ok(DONE);
    }
    let (different, stale) = (found.different.len(), found.stale.len());
    text.push_str(&format!(
        "{}: {different} to write, {stale} to remove; run `netpolc snapshot` without `--check`\n",
        args.out.display()
    ));
    Ok(FINDINGS)
}

fn told(problem: Problem) -> io::Error {
    naming(&problem.path, problem.tried, problem.error)
}

/// Whether a name is one part of a path.
fn is_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}
