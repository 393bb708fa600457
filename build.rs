//! Sets the build information that `ringbearer --version` prints.

#![expect(clippy::disallowed_methods, reason = "a build script reads the source tree and runs git")]

use std::{env, fs, path::Path, process::Command};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&root);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-env-changed=RINGBEARER_COMMIT");
    println!("cargo::rustc-env=RINGBEARER_COMMIT={}", commit(root).unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=RINGBEARER_TLS={}", tls(root));
    println!("cargo::rustc-env=RINGBEARER_TARGET={}", env::var("TARGET").unwrap_or_default());
}

/// The commit: RINGBEARER_COMMIT, which packagers may set, else that of the git repository in this directory. Repositories of
/// parent directories may belong to another project.
fn commit(root: &Path) -> Option<String> {
    if let Ok(commit) = env::var("RINGBEARER_COMMIT") {
        return Some(commit);
    }
    let repository = root.join(".git");
    if !repository.exists() {
        return None;
    }
    // Git appends to this file on every commit and checkout.
    let log = repository.join("logs").join("HEAD");
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let output = Command::new("git").current_dir(root).args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|commit| output.status.success() && !commit.is_empty())
}

/// The TLS libraries, with their versions from the lock file.
fn tls(root: &Path) -> String {
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let version = |name: &str| {
        let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
        let line = entry.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("version = ")));
        line.map_or_else(String::new, |version| format!(" {}", version.trim_matches('"')))
    };
    format!("rustls{} with ring{}", version("rustls"), version("ring"))
}
