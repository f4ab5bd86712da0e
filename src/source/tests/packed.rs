//! Packed files, as files.

use super::files::Folder;
use super::*;
use crate::source::packed::tests::{gzip, zstd};

fn places(inputs: &[Input]) -> Loaded<(Location, String)> {
    read(inputs, &Options::default(), |object| (object.root.at(), object.kind.to_owned()))
}

/// More than a window.
fn list() -> String {
    let items: String = (0..20_000).map(|n| format!("- kind: K{}\n  note: ünpacked {n}\n", n % 7)).collect();
    format!("\u{feff}kind: List\nitems:\n{items}")
}

#[test]
fn packed_files_are_read_as_what_is_in_them() {
    let folder = Folder::new("packed");
    let (small, large, json) = ("kind: A\n---\nkind: B\n", list(), "{\"kind\": \"J\",}");
    for (name, text) in [("a.yaml", small), ("b.yml", &large), ("c.json", json)] {
        folder.write(&format!("plain/{name}"), text);
        folder.write(&format!("gz/{name}.gz"), gzip(text.as_bytes()));
        folder.write(&format!("zst/{name}.ZST"), zstd(text.as_bytes()));
    }
    folder.write("gz/other.gz", gzip(b"kind: Hidden"));
    let [plain, gz, zst] = ["plain", "gz", "zst"].map(|name| places(&[Input::Path(folder.0.join(name))]));
    assert_eq!(plain.values.len(), 20_002);
    // a file named as JSON allows no comma, packed or not
    assert_eq!(plain.diagnostics.len(), 1);
    for other in [gz, zst] {
        assert!(other.values == plain.values);
        assert_eq!(other.diagnostics, plain.diagnostics);
        assert!(other.files.digests().eq(plain.files.digests()));
        let line = |loaded: &Loaded<_>, line| loaded.files.line(FileId(1), line);
        for n in [1, 2, 3, 4, 4, 20_001, 3, 40_002, 40_003] {
            assert_eq!(line(&other, n), line(&plain, n), "line {n}");
        }
        for (line, column) in [(4, 12), (4, 9), (40_002, 1), (3, 8)] {
            let at = Location { file: FileId(1), line, column };
            assert_eq!(other.files.excerpt(at, 4), plain.files.excerpt(at, 4), "{line}:{column}");
        }
    }
}

#[test]
fn packed_text_from_elsewhere_is_read_too() {
    let plain = places(&[text("<stdin>", list())]);
    for packed in [gzip(list().as_bytes()), zstd(list().as_bytes())] {
        let loaded = places(&[text("<stdin>", packed)]);
        assert!(loaded.values == plain.values && loaded.values.len() == 20_000);
        assert_eq!(loaded.files.line(FileId(0), 40_002), plain.files.line(FileId(0), 40_002));
        assert_eq!(loaded.files.line(FileId(0), 40_002).as_deref(), Some("  note: ünpacked 19999"));
    }
}

#[test]
fn long_packed_lines_are_given_in_excerpts() {
    let long = format!("{{\"kind\": \"A\", \"x\": \"{}\", \"y\": 1}}", "é".repeat(1 << 20));
    let loaded = read(&[text("a.json", gzip(long.as_bytes()))], &Options::default(), |object| {
        object.root.get("y").unwrap().at()
    });
    let at = loaded.values[0];
    let excerpt = loaded.files.excerpt(at, 6).unwrap();
    assert_eq!(excerpt, Excerpt { text: " \"y\": 1}".into(), column: at.column - 6 });
    for column in [9_000, 9_001, 500_000, 70_000, 65_536, 500_000] {
        let middle = loaded.files.excerpt(Location { column, ..at }, 2).unwrap();
        assert_eq!(middle, Excerpt { text: "éééé".into(), column: column - 2 });
    }
}

#[test]
fn damaged_files_give_nothing_and_are_named() {
    let folder = Folder::new("damaged");
    for (name, packed) in [("a.yaml.gz", gzip(list().as_bytes())), ("b.yaml.zst", zstd(list().as_bytes()))] {
        let path = folder.write(name, &packed[..packed.len() - 3]);
        let other = folder.write("other.yaml", "kind: A\n");
        let loaded = places(&[Input::Path(path.clone()), Input::Path(other)]);
        assert_eq!(loaded.values.iter().map(|(_, kind)| &**kind).collect::<Vec<_>>(), ["A"]);
        let [said] = &*loaded.diagnostics else { panic!("{:?}", loaded.diagnostics) };
        assert_eq!(
            said.message,
            format!("`{}` is cut off: what it has packed ends too early", path.display())
        );
    }
}

#[test]
fn what_is_written_back_is_not_unpacked() {
    let wrong = open(&[text("a.yaml.gz", gzip(b"kind: A\n"))]).unwrap_err();
    assert_eq!(wrong[0].message, "`a.yaml.gz` is compressed, and what is changed here is written back");
}
