//! Every ```console block of the documentation is run, so that what it shows is what happens.
//!
//! Lines that begin with `$ ` are run by `sh` in the repository root, with the built program first
//! in PATH; a line that ends in `\` or `|` goes on in the next. The lines that follow are the output,
//! standard error included. `...` on a line of its own stands for any lines. A command with nothing
//! below it may print what it likes. No command may change the repository.

mod common;

use common::{Run, relative, root};
use regex_lite::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Example {
    line: usize,
    command: String,
    output: Vec<String>,
}

fn goes_on(line: &str) -> bool {
    line.ends_with(['\\', '|'])
}

fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    let mut continued = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
            continued = false;
        } else if inside {
            if continued {
                let command = &mut found.last_mut().expect("a command goes on").command;
                command.push('\n');
                command.push_str(line);
                continued = goes_on(line);
            } else if let Some(command) = line.strip_prefix("$ ") {
                found.push(Example { line: index + 1, command: command.to_owned(), output: Vec::new() });
                continued = goes_on(line);
            } else {
                let example =
                    found.last_mut().unwrap_or_else(|| panic!("line {}: output of no command", index + 1));
                example.output.push(line.to_owned());
            }
        }
    }
    found
}

/// Whether the lines are those of the pattern, in which `...` stands for any number of lines.
fn matches(pattern: &[String], lines: &[&str]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "..." => (0..=lines.len()).any(|skip| matches(rest, &lines[skip..])),
        Some((first, rest)) => lines.first() == Some(&first.as_str()) && matches(rest, &lines[1..]),
    }
}

fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<_> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)).into();
    documents
        .extend(common::files("docs").into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")));
    documents
}

#[test]
fn what_the_documentation_shows_is_what_happens() {
    let program = Path::new(env!("CARGO_BIN_EXE_netpolc"));
    let folder = program.parent().expect("a program is in a folder").as_os_str();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(folder.into()).chain(std::env::split_paths(&path))).unwrap();
    let mut count = 0;
    let mut wrong = String::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for example in examples(&text) {
            count += 1;
            let mut shell = Command::new("sh");
            let command = format!("exec 2>&1; {}", example.command);
            let result = Run::of(shell.args(["-c", &command]).current_dir(root()).env("PATH", &path));
            let lines: Vec<_> = result.stdout.lines().collect();
            if !example.output.is_empty() && !matches(&example.output, &lines) {
                let place = format!("{}:{}", relative(&document), example.line);
                wrong += &format!("{place}: {}\nprinted:\n{}\n", example.command, result.stdout);
            }
        }
    }
    assert!(count > 0, "no examples found");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Words in backticks that look like paths of the repository, and targets of links.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const FOLDERS: [&str; 6] = ["src/", "tests/", "fixtures/", "docs/", "grammar/", "snapshots/"];
    let quoted =
        text.split('`').skip(1).step_by(2).filter(|word| FOLDERS.iter().any(|f| word.starts_with(f)));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    quoted.chain(links.filter_map(|link| link.split('#').next()))
}

#[test]
fn every_path_that_the_documentation_names_is_there() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for path in paths(&text).filter(|path| !path.contains(' ')) {
            let beside = document.parent().expect("a document is in a folder").join(path);
            assert!(beside.exists() || root().join(path).exists(), "{}: `{path}`", relative(&document));
        }
    }
}

#[test]
fn dots_stand_for_any_lines() {
    let pattern = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
    assert!(matches(&pattern(&["a", "...", "d"]), &["a", "b", "c", "d"]));
    assert!(matches(&pattern(&["a", "...", "d"]), &["a", "d"]));
    assert!(matches(&pattern(&["..."]), &[]));
    assert!(!matches(&pattern(&["a", "...", "d"]), &["a", "b"]));
    assert!(!matches(&pattern(&["a"]), &["a", "b"]));
}

#[test]
fn a_console_block_is_read_as_commands_and_output() {
    let text = "x\n```console\n$ one \\\n    more\nout\n$ two\n```\n$ not this\n```sh\n$ nor this\n```\n";
    let found: Vec<_> = examples(text).into_iter().map(|e| (e.line, e.command, e.output)).collect();
    assert_eq!(
        found,
        [(3, "one \\\n    more".to_owned(), vec!["out".to_owned()]), (6, "two".to_owned(), Vec::new())]
    );
}

/// The text of every source file outside of tests.
fn sources() -> Vec<String> {
    let mut folders = vec![root().join("src")];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                texts.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
            }
        }
    }
    texts
}

/// Identifiers that the sources give to diagnostics: the first text in a call that makes one.
fn ids(sources: &[String]) -> BTreeSet<String> {
    let calls = "Diagnostic::(?:error|warning|note|new)|Fault::new|warn|turn_away|lost";
    let call = Regex::new(&format!(r#"(?:{calls})\(\s*(?:[a-z_.()]+,\s*)?"([a-z]+(?:-[a-z]+)*)""#)).unwrap();
    let constant = Regex::new(r#"const ID: &str = "([a-z-]+)""#).unwrap();
    let found = sources.iter().flat_map(|text| call.captures_iter(text).chain(constant.captures_iter(text)));
    let mut ids: BTreeSet<String> = found.map(|captures| captures[1].to_owned()).collect();
    // a signal between two parsers, which nobody sees
    ids.remove("unfit");
    ids
}

#[test]
fn the_page_of_diagnostics_has_what_the_sources_say_and_nothing_else() {
    let page = std::fs::read_to_string(root().join("docs/diagnostics.md")).unwrap();
    let sources = sources();
    let ids = ids(&sources);
    assert!(ids.len() > 50, "{ids:?}");
    let documented = |id: &&String| netpolc::check::find(id).is_some() || page.contains(&format!("`{id}`"));
    let undocumented: Vec<_> = ids.iter().filter(|id| !documented(id)).collect();
    assert!(undocumented.is_empty(), "not in docs/diagnostics.md: {undocumented:?}");
    let rows = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    for id in rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let quoted = format!("\"{id}\"");
        assert!(sources.iter().any(|text| text.contains(&quoted)), "`{id}` is said nowhere");
    }
}
