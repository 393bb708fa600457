//! The programs that pyenv's shims run. A shim is a script without an interpreter of its own:
//! `exec "/home/ada/.pyenv/libexec/pyenv" exec "$program" "$@"`.
//! <https://github.com/pyenv/pyenv#understanding-shims>

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Kind, Result},
    system::{System, process::Command},
};

/// The number of bytes read from a program to recognize a shim.
const HEAD: usize = 1024;

/// The time limit for pyenv to find a program.
const LIMIT: Duration = Duration::from_secs(10);

/// What a program on PATH runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Target {
    /// The program itself, or the one of the Python version that pyenv selects for the working directory.
    Program(PathBuf),
    /// Nothing: that version does not have it.
    Missing,
    /// Unknown: pyenv did not answer in time.
    Unknown,
}

/// Follows a shim. Fails only if the lookup is cancelled.
pub(in crate::cli) fn target(system: &dyn System, program: &Path) -> Result<Target> {
    let Some((pyenv, root)) = pyenv(system, program) else { return Ok(Target::Program(program.to_owned())) };
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let mut command = Command::new(pyenv, &["which", &name], LIMIT);
    if let Some(root) = root {
        command = command.variable("PYENV_ROOT", root);
    }
    // Child processes run in the root directory, but pyenv reads `.python-version` of this one.
    if let Some(directory) = system.working_directory() {
        command = command.variable("PYENV_DIR", directory.to_string_lossy());
    }
    let output = match system.run(&command) {
        Ok(output) => output,
        Err(error) if error.kind() == Kind::Cancelled => return Err(error),
        Err(error) if error.kind() == Kind::Timeout => return Ok(Target::Unknown),
        Err(_) => return Ok(Target::Missing),
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    let found = printed.lines().next().map(|line| Path::new(line.trim()));
    // Versions of pyenv before 2.3.3 follow a `.python-version` that leads out of their directory (CVE-2022-35861).
    let found = found.filter(|path| !path.components().any(|part| part == Component::ParentDir));
    let found = found.and_then(|path| system.program_at(path));
    Ok(found.filter(|_| output.is_success()).map_or(Target::Missing, Target::Program))
}

/// The pyenv that a shim runs, and its root directory; `None` for other programs.
fn pyenv(system: &dyn System, program: &Path) -> Option<(PathBuf, Option<String>)> {
    let head = system.head(program, HEAD).ok()?;
    let text = std::str::from_utf8(&head).ok()?.strip_prefix("#!")?;
    let quoted = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start)?.split_once('"'));
    let (pyenv, rest) = quoted("exec \"")?;
    let pyenv = system.program_at(Path::new(pyenv)).filter(|path| path.file_stem().is_some_and(|stem| stem == "pyenv"));
    Some((
        pyenv.filter(|_| rest.starts_with(" exec "))?,
        quoted("export PYENV_ROOT=\"").map(|(root, _)| root.to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    fn shim(pyenv: &str) -> String {
        let (root, pyenv) = (absolute("/pyenv"), absolute(pyenv));
        format!(
            "#!/usr/bin/env bash\nset -e\n\nprogram=\"${{0##*/}}\"\n\nexport PYENV_ROOT=\"{root}\"\nexec \"{pyenv}\" exec \"$program\" \"$@\"\n"
        )
    }

    fn found(system: &FakeSystem, program: &str) -> Target {
        target(system, Path::new(&absolute(program))).unwrap()
    }

    #[test]
    fn a_shim_of_pyenv_leads_to_the_selected_version() {
        let python = absolute("/pyenv/versions/3.12.1/bin/pip");
        let printed = format!("{python}\n");
        let system = FakeSystem::default().program("pip").run("pyenv", &["which", "pip"], 0, &printed, "");
        system.write("/pyenv/shims/pip", shim("/pyenv/libexec/pyenv").as_bytes());
        assert_eq!(found(&system, "/pyenv/shims/pip"), Target::Program(python.into()));
        system.assert_done();
    }

    #[test]
    fn a_shim_of_a_program_that_the_version_lacks_leads_nowhere() {
        let system = FakeSystem::default().run("pyenv", &["which", "pip"], 127, "", "pyenv: pip: command not found");
        system.write("/pyenv/shims/pip", shim("/pyenv/libexec/pyenv").as_bytes());
        assert_eq!(found(&system, "/pyenv/shims/pip"), Target::Missing);
    }

    #[test]
    fn other_programs_are_their_own_targets() {
        let system = FakeSystem::default().program("other");
        for text in [shim("/bin/other"), "#!/bin/sh\nexec \"$0\"\n".to_owned(), "\x7fELF".to_owned(), String::new()] {
            system.write("/bin/pip", text.as_bytes());
            assert_eq!(found(&system, "/bin/pip"), Target::Program(absolute("/bin/pip").into()), "{text}");
        }
        assert_eq!(found(&system, "/bin/missing"), Target::Program(absolute("/bin/missing").into()));
    }
}
