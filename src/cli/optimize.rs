//! `netpolc optimize`: manifests → the same policies with fewer networks, ports and rules.

use super::args::{OptimizeArgs, ReportFormat};
use super::output::{Output, to_json, write_file};
use super::report::{about_unusable, formed};
use super::{BAD_INPUT, DONE, FINDINGS, load, messages};
use crate::diagnostic::{Diagnostic, render};
use crate::model::Counts;
use crate::optimize::manifests::{self, Optimized, Request, report};
use crate::source::{self, Files, Input, Opened};
use std::io;
use std::num::NonZero;

/// Runs the command; gives the exit status.
pub fn run(args: &OptimizeArgs) -> io::Result<u8> {
    let inputs: Vec<Input> = args
        .paths
        .iter()
        .map(|path| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) })
        .collect();
    let opened = match source::open(&inputs) {
        Ok(opened) => opened,
        Err(wrong) => return unusable(args, &wrong, &Files::default()),
    };
    let prints_text = opened.iter().any(|text| text.path.is_none()) && !args.check && !args.patch;
    if prints_text && args.format != ReportFormat::Text {
        let message = "`-` prints the new text, which leaves no place for a report; add `--check`";
        return Err(io::Error::other(message));
    }
    let request = Request {
        node: args.node.as_deref(),
        threads: args.jobs.map_or(0, NonZero::get),
        invalid: args.invalid.into(),
        version: args.calico_version,
    };
    let mut done = manifests::run(&opened, &request);
    done.diagnostics.extend(load::passed_over(&done.counts));
    if done.counts == Counts::default() && !load::has_error(&done.diagnostics) {
        done.diagnostics.push(load::no_objects());
    }
    if done.unusable {
        return unusable(args, &done.diagnostics, &done.files);
    }
    if let Some(path) = &args.proof {
        let text = to_json(&report::proof_document(&done))?;
        write_file(path, &text)?;
    }
    let writes = !args.check && !args.patch;
    if writes {
        write(&opened, &done)?;
    }
    print(args, &opened, &done, writes, prints_text)?;
    messages::print(&done.diagnostics, &done.files)?;
    Ok(if args.check && !done.outcomes.is_empty() { FINDINGS } else { DONE })
}

/// Input that cannot be used: says why, on standard error and in the form that was asked for.
fn unusable(args: &OptimizeArgs, said: &[Diagnostic], files: &Files) -> io::Result<u8> {
    if args.format != ReportFormat::Text {
        let document = about_unusable("optimize", said, files);
        let json = || to_json(&render::json::document(said, files));
        let report = formed(args.format, &document, String::new, json)?;
        Output::Stdout.write("", |out| out.write_all(&report))?;
    }
    messages::print(said, files)?;
    Ok(BAD_INPUT)
}

/// Writes the files that are other than before.
fn write(opened: &[Opened], done: &Optimized) -> io::Result<()> {
    for patched in &done.patched {
        if let Some(path) = &opened[patched.input].path {
            write_file(path, &patched.bytes)?;
        }
    }
    Ok(())
}

/// Prints what was asked for. The summary goes to standard error where a text or a patch is printed.
fn print(
    args: &OptimizeArgs,
    opened: &[Opened],
    done: &Optimized,
    writes: bool,
    prints_text: bool,
) -> io::Result<()> {
    if args.format != ReportFormat::Text {
        let written = writes && !done.patched.is_empty();
        let document = manifests::document::document(done, written);
        let json = || to_json(&report::document(done, written));
        let report = formed(args.format, &document, String::new, json)?;
        return Output::Stdout.write("", |out| out.write_all(&report));
    }
    let mut text: Vec<u8> = Vec::new();
    if args.check {
        text.extend(report::findings(done).bytes());
    } else if args.patch {
        for patched in &done.patched {
            let name = &opened[patched.input].name;
            text.extend(manifests::unified(name, &patched.before, &patched.splices).bytes());
        }
    } else if prints_text {
        for (index, own) in opened.iter().enumerate().filter(|(_, own)| own.path.is_none()) {
            let new = done.patched.iter().find(|patched| patched.input == index);
            text.extend(new.map_or(&own.bytes, |new| &new.bytes));
        }
    } else {
        text.extend(report::summary(done).bytes());
    }
    Output::Stdout.write("", |out| out.write_all(&text))?;
    if args.check || args.patch || prints_text {
        anstream::eprint!("{}", report::summary(done));
    }
    Ok(())
}
