//! Many nodes: what does not depend on the node is made once, and nodes are made at the same time.

use super::archive::{Archive, Form};
use super::cache::{Cache, Entry};
use super::piece::{Compressed, File, Pods, Stored, Texts};
use super::{SETS_FILE, dialect, json, optimized, origin, rules_file, rules_text, wants};
use crate::cli::args::{CompileArgs, Emit, Format, Invalid};
use crate::cli::load::{self, Loaded};
use crate::cli::output::naming;
use crate::cli::{BAD_INPUT, DONE};
use crate::diagnostic::{Diagnostic, Severity};
use crate::emit;
use crate::felix::{self, Alike, Shared};
use crate::ir::{Chain, Family, IpSet, Program, RuleSet};
use crate::resolve::content::Contents;
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
    texts: Texts,
    contents: Contents,
    cache: Option<Cache>,
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
        let packed = self.archive == Some(Form::Gzip);
        let together = Together {
            chains: Shared::default(),
            // the cache has rules compressed, so that an archive takes them as they are
            texts: Texts::new(Compressed { rules: packed || self.args.cache.is_some(), sets: packed }),
            contents: Contents::default(),
            cache: self.args.cache.as_deref().map(Cache::open).transpose()?,
        };
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
        if let Some(failure) = together.cache.as_ref().and_then(Cache::failure) {
            let message = format!("not everything is kept for the next run: {failure}");
            said.push(Diagnostic::new("cache", Severity::Note, None, message));
        }
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
        if self.archive.is_none() {
            let folder = if self.args.all_nodes { out.join(node) } else { out.to_owned() };
            write(&folder, files)?;
            done.files = Some(Vec::new());
            return Ok(done);
        }
        let prefix = if self.args.all_nodes { format!("{node}/") } else { String::new() };
        let named = files.into_iter().map(|File { name, pieces }| (format!("{prefix}{name}"), pieces));
        done.files = Some(named.collect());
        Ok(done)
    }

    /// The program of a node, its sets as they were before -O, and what -O has to say.
    fn program(
        &self,
        view: &NodeView,
        alike: &Alike,
    ) -> io::Result<(Program, Option<Vec<IpSet>>, Option<String>)> {
        let program = felix::render_alike(view, alike);
        if self.args.optimize == 0 {
            return Ok((program, None, None));
        }
        let before = program.sets.clone();
        let (fewer, told) = optimized(self.args, view, program)?;
        Ok((fewer, Some(before), Some(told)))
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
        if let Some(cache) = &together.cache {
            return self.kept(view, &alike, cache, summary, together);
        }
        let (program, before, told) = self.program(view, &alike)?;
        *summary = told;
        if args.format == Format::Json {
            let text = json(args, loaded, view, &program, said)?;
            let mut text = String::from_utf8(text).map_err(io::Error::other)?;
            let pieces = vec![together.texts.own(&mut text)?];
            return Ok(vec![File { name: "compile.json".to_owned(), pieces }]);
        }
        let rules = self.rules(&program, &together.texts)?;
        let mut files: Vec<File> = rules
            .into_iter()
            .zip(self.families(&program))
            .map(|(pieces, rules)| File { name: rules_file(args, rules.family), pieces })
            .collect();
        if wants(args, Emit::Ipsets) {
            let own = |set: &IpSet| changed(set, before.as_deref()).then(|| set_text(set));
            let sets = program.sets.iter().map(|set| (set, own(set)));
            files.push(File { name: SETS_FILE.to_owned(), pieces: together.texts.sets(alike.number, sets)? });
        }
        Ok(files)
    }

    /// The texts of the rules that are wanted.
    fn rules(&self, program: &Program, texts: &Texts) -> io::Result<Vec<Vec<Arc<Stored>>>> {
        let (args, loaded) = (self.args, self.loaded);
        let mut pods = Pods::default();
        let text = |rules: &RuleSet| {
            let write = |out: &mut String, chain: &Chain| {
                emit::write_chain(out, chain, rules.family, dialect(args), &mut |out, rule| {
                    origin(args, loaded, out, rule);
                });
            };
            match args.optimize {
                0 => texts.rules(rules, dialect(args), &write, &mut pods),
                // no two nodes have the same
                _ => Ok(vec![texts.own_rules(&mut rules_text(args, loaded, rules))?]),
            }
        };
        self.families(program).map(text).collect()
    }

    /// The files of a node, its rules from the cache, or into it.
    fn kept(
        &self,
        view: &NodeView,
        alike: &Alike,
        cache: &Cache,
        summary: &mut Option<String>,
        together: &Together,
    ) -> io::Result<Vec<File>> {
        let args = self.args;
        // what -O does depends on members, rules as Felix has them do not
        let content = together.contents.of(view, args.optimize > 0);
        let key = cache.key(&format!("{:?} {:?} {}", args.emit, args.dialect, args.optimize), content);
        let entry = match cache.get(&key) {
            Some(entry) => entry,
            None => {
                let (program, before, summary) = self.program(view, alike)?;
                let rules = self.rules(&program, &together.texts)?;
                let text = |set| changed(set, before.as_deref()).then(|| set_text(set));
                let sets = program.sets.iter().map(|set| (set.name.to_string(), text(set))).collect();
                let entry = Entry { rules, summary, sets };
                cache.put(&key, &entry);
                entry
            }
        };
        *summary = entry.summary;
        let sets = felix::sets(view);
        let families = [(Emit::Iptables, Family::V4), (Emit::Ip6tables, Family::V6)];
        let families = families.into_iter().filter(|(part, _)| wants(args, *part));
        let mut files = Vec::new();
        for ((_, family), mut pieces) in families.zip(entry.rules) {
            if self.archive != Some(Form::Gzip) {
                pieces = pieces.iter().map(|piece| piece.unpacked()).collect::<io::Result<_>>()?;
            }
            files.push(File { name: rules_file(args, family), pieces });
        }
        if wants(args, Emit::Ipsets) {
            // the entry's sets are the view's, by its key
            let named = entry.sets.into_iter().filter_map(|(name, text)| {
                let place = sets.binary_search_by(|set| (*set.name).cmp(&name)).ok()?;
                Some((&sets[place], text))
            });
            let pieces = together.texts.sets(alike.number, named)?;
            files.push(File { name: SETS_FILE.to_owned(), pieces });
        }
        Ok(files)
    }

    /// The rules that are wanted.
    fn families<'p>(&self, program: &'p Program) -> impl Iterator<Item = &'p RuleSet> {
        let v4 = wants(self.args, Emit::Iptables).then_some(&program.v4);
        v4.into_iter().chain(wants(self.args, Emit::Ip6tables).then_some(&program.v6))
    }
}

/// Whether -O has changed a set: it leaves members out.
fn changed(set: &IpSet, before: Option<&[IpSet]>) -> bool {
    before.is_some_and(|before| {
        let old = before.binary_search_by(|old| old.name.cmp(&set.name));
        old.map_or(true, |old| before[old].members != set.members)
    })
}

fn set_text(set: &IpSet) -> String {
    let mut text = String::new();
    emit::ipset::write_set(&mut text, set);
    text
}

/// Writes files into a folder.
fn write(folder: &Path, files: Vec<File>) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| naming(folder, "create folder", error))?;
    for File { name, pieces } in files {
        let path = folder.join(name);
        let told = |error| naming(&path, "write", error);
        let mut file = fs::File::create(&path).map_err(told)?;
        for piece in pieces {
            file.write_all(&piece.bytes).map_err(told)?;
        }
    }
    Ok(())
}
