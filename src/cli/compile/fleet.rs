//! Many nodes: what does not depend on the node is made once, and nodes are made at the same time.

use super::archive::{Archive, Form};
use super::piece::{File, Piece, SetTexts, Stored};
use super::{SETS_FILE, json, optimized, rules_file, rules_text, wants};
use crate::cli::args::{CompileArgs, Emit, Format, Invalid};
use crate::cli::load::{self, Loaded};
use crate::cli::output::naming;
use crate::cli::{BAD_INPUT, DONE};
use crate::diagnostic::Diagnostic;
use crate::felix::{self, Shared};
use crate::ir::IpSet;
use crate::resolve::view::{Interface, NodeView};
use crate::resolve::{Cluster, NodeRequest};
use rayon::prelude::*;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Nodes that are made before any is written, for each thread.
const AHEAD: usize = 4;

/// What all nodes are made of.
pub struct Fleet<'f> {
    pub args: &'f CompileArgs,
    pub loaded: &'f Loaded,
    pub cluster: &'f Cluster<'f>,
    pub interfaces: Option<&'f [Interface]>,
    /// one archive of all, instead of folders
    pub archive: Option<Form>,
}

/// What nodes share while they are made.
struct Together {
    chains: Shared,
    sets: SetTexts,
}

/// What came of a node.
struct Done {
    diagnostics: Vec<Diagnostic>,
    /// what -O has to say
    summary: Option<String>,
    /// files for the archive; `None` if there is no such node, or what was said forbids to use it
    files: Option<Vec<(String, Vec<Arc<Stored>>)>>,
}

impl Fleet<'_> {
    /// Makes nodes and writes them; adds to `said` what there is to say.
    pub fn compile(&self, nodes: &[&str], said: &mut Vec<Diagnostic>) -> io::Result<u8> {
        let Some(out) = self.args.out.as_deref() else { return Ok(BAD_INPUT) };
        let mut archive = self.archive.map(|form| Archive::new(out, form)).transpose()?;
        let together =
            Together { chains: Shared::default(), sets: SetTexts::new(self.archive == Some(Form::Gzip)) };
        let threads = self.args.jobs.map_or_else(rayon::current_num_threads, std::num::NonZero::get);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(io::Error::other)?;
        // what is said of the input as a whole; a node's document has that, and nothing of other nodes
        let of_all = said.clone();
        for some in nodes.chunks(AHEAD * threads) {
            let make = || some.par_iter().map(|node| self.node(node, out, &of_all, &together)).collect();
            let done: Vec<io::Result<Done>> = pool.install(make);
            for done in done {
                let Done { diagnostics, summary, files } = done?;
                said.extend(diagnostics);
                let Some(files) = files else { return Ok(BAD_INPUT) };
                if let Some(summary) = summary {
                    anstream::eprintln!("{summary}");
                }
                for (name, pieces) in files {
                    archive.as_mut().map_or(Ok(()), |archive| archive.add(&name, &pieces))?;
                }
            }
        }
        archive.map_or(Ok(()), Archive::finish)?;
        Ok(DONE)
    }

    /// Makes a node, and writes it if it gets a folder.
    fn node(&self, node: &str, out: &Path, of_all: &[Diagnostic], together: &Together) -> io::Result<Done> {
        let resolved = self.cluster.view(&NodeRequest { node, interfaces: self.interfaces });
        let mut done = Done { diagnostics: resolved.diagnostics, summary: None, files: None };
        let Some(view) = resolved.view else { return Ok(done) };
        let errors = load::has_error(of_all) || load::has_error(&done.diagnostics);
        if self.args.invalid == Invalid::Fail && errors {
            return Ok(done);
        }
        let said = [of_all, &done.diagnostics].concat();
        let files = self.files(&view, &said, &mut done.summary, together)?;
        let Some(form) = self.archive else {
            write(&out.join(node), files)?;
            done.files = Some(Vec::new());
            return Ok(done);
        };
        let prefix = if self.args.all_nodes { format!("{node}/") } else { String::new() };
        let mut stored = Vec::new();
        for File { name, pieces } in files {
            let pieces = pieces.into_iter().map(|piece| piece.stored(form == Form::Gzip));
            stored.push((format!("{prefix}{name}"), pieces.collect::<io::Result<_>>()?));
        }
        done.files = Some(stored);
        Ok(done)
    }

    /// The files of a node.
    fn files(
        &self,
        view: &NodeView,
        said: &[Diagnostic],
        summary: &mut Option<String>,
        together: &Together,
    ) -> io::Result<Vec<File>> {
        let (args, loaded) = (self.args, self.loaded);
        let alike = together.chains.alike(view);
        let mut program = felix::render_alike(view, &alike);
        let mut as_rendered = None;
        if args.optimize > 0 {
            let before = program.sets.clone();
            let (fewer, told) = optimized(args, view, program)?;
            (program, *summary, as_rendered) = (fewer, Some(told), Some(before));
        }
        let mut files = Vec::new();
        if args.format == Format::Json {
            let pieces = vec![Piece::Own(json(args, loaded, view, &program, said)?)];
            return Ok(vec![File { name: "compile.json".to_owned(), pieces }]);
        }
        for (part, rules) in [(Emit::Iptables, &program.v4), (Emit::Ip6tables, &program.v6)] {
            if wants(args, part) {
                let text = rules_text(args, loaded, rules);
                files.push(File {
                    name: rules_file(args, rules.family),
                    pieces: vec![Piece::Own(text.into_bytes())],
                });
            }
        }
        if wants(args, Emit::Ipsets) {
            // an optimized program has members left out
            let changed = |set: &IpSet| {
                as_rendered.as_ref().is_some_and(|before| {
                    let old = before.binary_search_by(|old| old.name.cmp(&set.name));
                    old.map_or(true, |old| before[old].members != set.members)
                })
            };
            let pieces = together.sets.pieces(alike.number, &program.sets, &changed)?;
            files.push(File { name: SETS_FILE.to_owned(), pieces });
        }
        Ok(files)
    }
}

/// Writes files into a folder.
fn write(folder: &Path, files: Vec<File>) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
    for File { name, pieces } in files {
        let path = folder.join(name);
        let told = |error| naming(&path, "write", error);
        let mut file = fs::File::create(&path).map_err(told)?;
        for piece in pieces {
            file.write_all(&piece.stored(false)?.bytes).map_err(told)?;
        }
    }
    Ok(())
}
