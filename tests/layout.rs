//! The house has floors, and imports go downward only. This test reads every `use crate::` (and every
//! `crate::` path in code) and holds it against the list.

// A test of the source reads the source, and fails where it cannot.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The floors, lowest first, as the documentation of `src/lib.rs` has them. Rooms of one floor do not
/// know each other, except where `NEIGHBOURS` says so.
const FLOORS: [&[&str]; 6] = [
    &["error", "secret", "service"],
    &["sys"],
    &["ini", "jwt", "oauth", "job_token", "named_file", "caching", "token", "identity", "provider", "backend"],
    &["azure", "chainguard", "menda", "store"],
    &["keyring", "lookup", "session_cache", "single_flight"],
    &["cli", "fuzz", "native", "python"],
];

/// Who may use a room of its own floor, and which.
const NEIGHBOURS: [(&str, &str); 8] = [
    ("backend", "identity"),
    ("job_token", "named_file"),
    ("job_token", "provider"),
    ("native", "cli"),
    ("oauth", "token"),
    ("python", "cli"),
    ("session_cache", "single_flight"),
    ("token", "caching"),
];

#[test]
fn imports_go_downward_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in rust_files(&source) {
        let room = room_of(&source, &path);
        if matches!(room.as_str(), "lib" | "bin") {
            continue;
        }
        seen.insert(room.clone());
        let text = fs::read_to_string(&path).unwrap();
        let production = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for used in rooms_used(production) {
            let allowed = used == room
                || floor_of(&used) < floor_of(&room)
                || NEIGHBOURS.contains(&(room.as_str(), used.as_str()));
            if !allowed {
                wrong.push(format!("{} uses {used}", path.strip_prefix(&source).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not go downward: {wrong:#?}");
    let known: BTreeSet<String> = FLOORS.iter().copied().flatten().map(ToString::to_string).collect();
    assert_eq!(seen, known, "the floors list what is there, and nothing else");
}

#[test]
fn one_file_knows_python_and_one_folder_the_outside_world() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in rust_files(&source) {
        let room = room_of(&source, &path);
        let text = fs::read_to_string(&path).unwrap();
        let uses = |name: &str| text.lines().any(|line| line.trim_start().starts_with("use ") && line.contains(name));
        assert!(room == "python" || !uses("pyo3"), "{} uses pyo3", path.display());
        assert!(path.starts_with(source.join("sys/real")) || !uses("ureq"), "{} uses ureq", path.display());
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The top-level module that a file belongs to.
fn room_of(source: &Path, path: &Path) -> String {
    let first = path.strip_prefix(source).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn floor_of(room: &str) -> usize {
    FLOORS
        .iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("{room} has no floor: add it to FLOORS and to src/lib.rs"))
}

/// The top-level modules that a text names after `crate::`, also inside braces.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (start, _) in text.match_indices("crate::") {
        let rest = &text[start + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ if depth > 0 => {}
                    ',' => drop(used.insert(std::mem::take(&mut name))),
                    _ => name.push(character),
                }
            }
            used.insert(name);
        } else {
            used.insert(rest.to_owned());
        }
    }
    let word = |text: &String| {
        text.trim().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect::<String>()
    };
    used.iter().map(word).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_reader_of_imports_reads_groups_and_paths() {
    let text = "use crate::{\n    error::{Error, Kind},\n    sys::System,\n};\nfn f() { crate::jwt::read() }\nuse crate::token::Token;";
    let used: Vec<_> = rooms_used(text).into_iter().collect();
    assert_eq!(used, ["error", "jwt", "sys", "token"]);
}
