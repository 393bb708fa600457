//! Holds the layers: imports go downward only, at every depth. Each `use` (and each `crate::` or `super::` path in code) is
//! read from the source and held against the list.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test of the source reads the source")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The layers, lowest first, as `src/lib.rs` documents them. Modules of one layer do not import each other.
const LAYERS: [&[&str]; 10] = [
    &["error"],
    &["ini", "secret", "service", "shown", "variable"],
    &["system"],
    &["auth"],
    &["aws", "store"],
    &["registry"],
    &["tools"],
    &["keyring"],
    &["cli"],
    &["fuzz", "native", "python", "reference"],
];

#[test]
fn imports_go_to_lower_layers_only() {
    let modules = modules();
    let mut wrong = Vec::new();
    for (module, text) in &modules {
        for used in imports(module, text) {
            let (from, to) = (layer(&module[0]), layer(&used[0]));
            if used[0] != module[0] && to >= from {
                wrong.push(format!("{} imports {}", module.join("::"), used.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not go downward: {wrong:#?}");
    let seen: BTreeSet<&str> = modules.keys().map(|module| module[0].as_str()).collect();
    let known: BTreeSet<&str> = LAYERS.iter().copied().flatten().copied().collect();
    assert_eq!(seen, known, "the layers list every module and nothing else");
}

#[test]
fn modules_of_a_folder_do_not_import_each_other_in_a_circle() {
    let modules = modules();
    // For each folder: which of its modules imports which other.
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, text) in &modules {
        for used in imports(module, text) {
            let shared = module.iter().zip(&used).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (module.get(shared), used.get(shared)) {
                let folder = folders.entry(module[..shared].to_vec()).or_default();
                let is_module = modules.keys().any(|known| known.starts_with(&used[..=shared]));
                if is_module {
                    folder.entry(from.clone()).or_default().insert(to.clone());
                }
            }
        }
    }
    let circles: Vec<String> = folders
        .iter()
        .filter(|(_, imports)| !circle(imports).is_empty())
        .map(|(folder, imports)| format!("{}: {}", folder.join("::"), circle(imports).join(", ")))
        .collect();
    assert!(circles.is_empty(), "modules that import each other: {circles:#?}");
}

#[test]
fn one_file_knows_python_and_one_folder_the_operating_system() {
    for (module, text) in modules() {
        let uses = |name: &str| text.lines().any(|line| line.trim_start().starts_with("use ") && line.contains(name));
        assert!(module[0] == "python" || !uses("pyo3"), "{} uses pyo3", module.join("::"));
        assert!(module.starts_with(&path("system::os")) || !uses("ureq"), "{} uses ureq", module.join("::"));
    }
}

#[test]
fn the_reader_of_imports_reads_groups_and_paths() {
    let text = "use crate::{\n    error::{Error, Kind},\n    system::{self, http::Request},\n};\nfn f() { crate::auth::jwt::read() }\nuse super::feed::Feed;";
    let read: Vec<String> =
        imports(&path("registry::azure::session"), text).iter().map(|used| used.join("::")).collect();
    let expected = [
        "auth::jwt::read",
        "error::Error",
        "error::Kind",
        "registry::azure::feed::Feed",
        "system",
        "system::http::Request",
    ];
    assert_eq!(read, expected);
    let circular =
        [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")].map(|(from, to)| (from.to_owned(), [to.to_owned()].into()));
    assert_eq!(circle(&circular.into_iter().collect()), ["a", "b", "c"]);
}

/// The parts of a module's path below the crate.
type Module = Vec<String>;

fn path(text: &str) -> Module {
    text.split("::").map(str::to_owned).collect()
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no layer: add it to LAYERS and to src/lib.rs"))
}

/// Every module with its production code.
fn modules() -> BTreeMap<Module, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap().with_extension("");
        let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module[0].as_str(), "lib" | "bin") || module.ends_with(&path("tests")) {
            continue;
        }
        if module.ends_with(&path("mod")) {
            module.pop();
        }
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("mod tests {").next().unwrap();
        modules.insert(module, production.to_owned());
    }
    modules
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

/// The paths that a module names after `crate::`, `super::` and `self::`, also inside braces.
fn imports(module: &Module, text: &str) -> BTreeSet<Module> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for (keyword, levels) in [("crate::", None), ("self::", Some(0)), ("super::super::", Some(2)), ("super::", Some(1))]
    {
        for (start, _) in code.match_indices(keyword) {
            if code[..start].ends_with(|before: char| before.is_alphanumeric() || matches!(before, '_' | ':' | '$')) {
                continue;
            }
            let rest = &code[start + keyword.len()..];
            if rest.starts_with("super::") {
                continue;
            }
            let base = levels.map_or_else(Module::new, |up| module[..module.len().saturating_sub(up)].to_vec());
            read_tree(rest, &base, &mut found);
        }
    }
    found.retain(|used| !used.is_empty());
    found
}

/// Reads one tree of a `use`, such as `a::{b, c::D}`, and answers what follows it.
fn read_tree<'text>(text: &'text str, base: &Module, found: &mut BTreeSet<Module>) -> &'text str {
    let mut path = base.clone();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = group.trim_start();
                if let Some(after) = group.strip_prefix('}') {
                    return after;
                }
                let after = read_tree(group, &path, found);
                let after = after.split_once([',', '}']).map_or("", |(skipped, _)| &after[skipped.len()..]);
                if after.is_empty() {
                    return after;
                }
                group = after.strip_prefix(',').unwrap_or(after);
            }
        }
        let end = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        if !name.is_empty() && name != "self" {
            path.push(name.to_owned());
        }
        let is_continued = |after: &&str| after.starts_with(|next: char| next.is_alphanumeric() || "_{".contains(next));
        let Some(after) = rest.strip_prefix("::").filter(is_continued) else {
            found.insert(path);
            return rest;
        };
        rest = after;
    }
}

/// The modules that can be reached from themselves.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reaches_itself = |start: &String| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&String> = imports.get(start).into_iter().flatten().collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(imports.get(module).into_iter().flatten());
            }
        }
        reached.contains(start)
    };
    imports.keys().filter(|module| reaches_itself(module)).cloned().collect()
}
