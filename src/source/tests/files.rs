//! Files, folders, and the lines that excerpts show.

use super::*;
use std::fs;
use std::path::Path;

/// A folder that is removed again.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netpolc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(paths: &[&Path]) -> Loaded<(FileId, String)> {
    let inputs: Vec<_> = paths.iter().map(|path| Input::Path(path.to_path_buf())).collect();
    read(&inputs, &Options::default(), |object| (object.root.at().file, object.kind.to_owned()))
}

#[test]
fn folders_are_searched_in_order() {
    let folder = Folder::new("search");
    for (name, bytes) in [
        ("b.yaml", "kind: B\n"),
        ("a/z.yml", "kind: Z\n"),
        ("a/k.JSON", "{\"kind\": \"K\"}"),
        ("c.txt", "not: [yaml"),
        (".git/x.yaml", "kind: Hidden\n"),
        (".hidden.yaml", "kind: Hidden\n"),
    ] {
        folder.write(name, bytes);
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(&folder.0, folder.0.join("a/loop")).unwrap();
    let loaded = load(&[&folder.0]);
    assert_eq!(loaded.diagnostics, []);
    let name = |file| Path::new(loaded.files.name(file)).file_name().unwrap().to_str().unwrap().to_owned();
    let found: Vec<_> = loaded.values.iter().map(|(file, kind)| format!("{} {kind}", name(*file))).collect();
    assert_eq!(found, ["k.JSON K", "z.yml Z", "b.yaml B"]);
    // a file that is named is read whatever it is called
    assert_eq!(load(&[&folder.0.join(".hidden.yaml")]).objects(), 1);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let folder = Folder::new("unreadable");
    let good = folder.write("good.yaml", "kind: A\n");
    let missing = folder.0.join("missing.yaml");
    fs::create_dir(folder.0.join("empty")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", folder.0.join("broken.yaml")).unwrap();
    let loaded = load(&[&missing, &folder.0.join("empty"), &folder.0, &good]);
    let (root, said): (_, Vec<_>) =
        (format!("{}/", folder.0.display()), loaded.diagnostics.iter().map(|d| d.message.clone()).collect());
    let said: Vec<_> = said.iter().map(|message| message.replace(&root, "")).collect();
    let mut expected = vec!["`missing.yaml` does not exist", "`empty` contains no manifest"];
    if cfg!(unix) {
        expected.push("`broken.yaml` does not exist");
    }
    assert_eq!(said, expected);
    assert_eq!(loaded.objects(), 2);
    assert!(loaded.diagnostics.iter().all(|d| d.id == "input" && d.at.is_none()));

    let twice = read(&[Input::Stdin, Input::Stdin], &Options::default(), |_| ());
    assert!(twice.diagnostics.iter().any(|d| d.message == "`-` is named twice"));
}

#[test]
fn lines_are_given_for_kept_and_for_large_files() {
    let folder = Folder::new("lines");
    let small = "\u{feff}kind: A\r\nx: é\n";
    let large: String = (0..40_000).map(|n| format!("k{n}: ü\n")).collect();
    let large = format!("\u{feff}kind: A\n{large}");
    assert!(large.len() > 256 << 10);
    let (small, large) = (folder.write("small.yaml", small), folder.write("large.yaml", large));
    let loaded = load(&[&small, &large]);
    let line = |file, line| loaded.files.line(FileId(file), line);
    for file in [0, 1] {
        assert_eq!(line(file, 1).as_deref(), Some("kind: A"));
        assert_eq!(line(file, 0), None);
        assert_eq!(line(file, 1_000_000), None);
    }
    assert_eq!(line(0, 2).as_deref(), Some("x: é"));
    for n in [2, 256, 257, 258, 513, 40_001] {
        assert_eq!(line(1, n), Some(format!("k{}: ü", n - 2)));
    }
    assert_eq!(line(1, 40_002), None);
    assert_eq!(line(7, 1), None);
    assert_eq!(loaded.files.name(FileId(7)), "");
    fs::remove_file(&large).unwrap();
    assert_eq!(line(1, 3), None);
}

#[test]
fn lines_of_other_encodings_are_shown_as_far_as_they_can_be() {
    let loaded = read(&[text("in", b"a: b\nk: caf\xE9!\n".as_slice())], &Options::default(), |_| ());
    let at = loaded.diagnostics[0].at.unwrap();
    assert_eq!((at.line, at.column), (2, 7));
    assert_eq!(loaded.files.line(at.file, 2).as_deref(), Some("k: caf\u{fffd}!"));
}

#[test]
fn long_lines_are_given_in_excerpts() {
    let folder = Folder::new("excerpts");
    let long = format!("{{\"kind\": \"A\", \"x\": \"{}\", \"y\": 1}}", "é".repeat(1 << 20));
    let path = folder.write("long.json", &long);
    for input in [Input::Path(path), text("in", long.as_str())] {
        let loaded = read(&[input], &Options::default(), |object| object.root.get("y").unwrap().at());
        let at = loaded.values[0];
        assert_eq!((at.line, at.column), (1, 20 + (1 << 20) + 9));
        assert_eq!(loaded.files.line(at.file, 1), None);
        let excerpt = loaded.files.excerpt(at, 6).unwrap();
        assert_eq!(excerpt, Excerpt { text: " \"y\": 1}".into(), column: at.column - 6 });
        // in any order, and between the bytes of a character nowhere
        for column in [9_000, 9_001, 500_000, 70_000, 65_536, 500_000] {
            let middle = loaded.files.excerpt(Location { column, ..at }, 2).unwrap();
            assert_eq!(middle, Excerpt { text: "éééé".into(), column: column - 2 });
        }
        let start = loaded.files.excerpt(Location { column: 1, ..at }, 6).unwrap();
        assert_eq!(start, Excerpt { text: "{\"kind".into(), column: 1 });
    }
}
