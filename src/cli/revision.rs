//! What diff is given: a path, `-`, or `REV:PATH` of a git repository → inputs.

use super::load;
use crate::source::Input;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The inputs that a word stands for: a path, if there is one, else what git knows by this name.
pub fn inputs(word: &Path) -> io::Result<Vec<Input>> {
    let name = word.to_string_lossy();
    if word.exists() || word.as_os_str() == "-" || !name.contains(':') {
        return Ok(load::input(word));
    }
    let told = |said: String| {
        let message = format!(
            "`{name}` is no file or folder here, and git does not know it as a revision and a path: {said}"
        );
        io::Error::other(message)
    };
    let object =
        git(&["rev-parse".as_ref(), "--verify".as_ref(), "--end-of-options".as_ref(), word.as_ref()])
            .map_err(told)?;
    let object = String::from_utf8_lossy(&object).trim().to_owned();
    let kind = git(&["cat-file".as_ref(), "-t".as_ref(), object.as_ref()]).map_err(told)?;
    match kind.trim_ascii() {
        b"blob" => Ok(vec![blob(&object, name.into_owned())?]),
        b"tree" => tree(&object, &name),
        _ => Err(io::Error::other(format!("`{name}` is neither a file nor a folder in git: write REV:PATH"))),
    }
}

/// All manifests in a folder, in the order in which a folder on disk is read.
fn tree(object: &str, name: &str) -> io::Result<Vec<Input>> {
    let listed = git(&["ls-tree".as_ref(), "-r".as_ref(), "-z".as_ref(), object.as_ref()])
        .map_err(|said| io::Error::other(format!("git cannot list `{name}`: {said}")))?;
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let entry = String::from_utf8_lossy(entry);
        // mode, type and object, then the path
        let Some((head, path)) = entry.split_once('\t') else { continue };
        let mut head = head.split(' ');
        let (mode, kind, object) = (head.next(), head.next(), head.next());
        let (Some(object), Some("blob")) = (object, kind) else { continue };
        let path = PathBuf::from(path);
        let hidden = path.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
        if mode != Some("120000") && !hidden && crate::source::is_manifest(&path) {
            found.push((path, object.to_owned()));
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(io::Error::other(format!(
            "`{name}` contains no manifest: folders are searched for `.yaml`, `.yml` and `.json`"
        )));
    }
    let between = if name.ends_with([':', '/']) { "" } else { "/" };
    let all =
        found.into_iter().map(|(path, object)| blob(&object, format!("{name}{between}{}", path.display())));
    all.collect()
}

fn blob(object: &str, name: String) -> io::Result<Input> {
    let bytes = git(&["cat-file".as_ref(), "blob".as_ref(), object.as_ref()])
        .map_err(|said| io::Error::other(format!("git cannot read `{name}`: {said}")))?;
    Ok(Input::Text { name, bytes })
}

/// What git prints, or what it says is wrong.
fn git(arguments: &[&OsStr]) -> Result<Vec<u8>, String> {
    let output = Command::new("git").args(arguments).output();
    let output = output.map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next().unwrap_or("git has failed without a word");
    Err(said.to_owned())
}
