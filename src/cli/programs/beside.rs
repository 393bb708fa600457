//! The packages in the environment of a Python program.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::launcher;
use crate::{
    cli::{shell::ShellSyntax, shown_path},
    error::{Kind, Result},
    system::{Platform, System, process::Command},
};

/// The time limit for Python to list its packages.
const LIMIT: Duration = Duration::from_secs(20);

/// The number of bytes read from a program to find its interpreter.
const HEAD: usize = 1024;

/// Prints whether ringbearer and keyring can be imported, and the version of pip.
const PROGRAM: &str = "\
import importlib.util
def has(name): return importlib.util.find_spec(name) is not None
version = ''
if has('pip'):
    import importlib.metadata
    version = importlib.metadata.version('pip')
print(int(has('ringbearer')), int(has('keyring')), version)
";

/// The relevant packages of a Python environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Beside {
    /// Its interpreter.
    pub(in crate::cli) python: PathBuf,
    /// Whether ringbearer is installed.
    pub(in crate::cli) ringbearer: bool,
    /// Whether keyring is installed.
    pub(in crate::cli) keyring: bool,
    /// The major and minor version of pip.
    pub(in crate::cli) pip: Option<(u32, u32)>,
}

impl Beside {
    /// The command that installs ringbearer there; environments created by uv have no pip.
    pub(in crate::cli) fn install_command(&self, shell: ShellSyntax) -> String {
        let python = shown_path(&self.python);
        match self.pip {
            Some(_) => shell.command(&python, &["-m", "pip", "install", "ringbearer"]),
            None => shell.command("uv", &["pip", "install", "--python", &python, "ringbearer"]),
        }
    }
}

/// Runs the interpreter of a program; `None` if it is unknown. Fails only if the lookup is cancelled.
pub(in crate::cli) fn look(system: &dyn System, program: &Path) -> Result<Option<Beside>> {
    let Some(python) = interpreter(system, program) else { return Ok(None) };
    let output = match system.run(&Command::new(python.clone(), &["-c", PROGRAM], LIMIT)) {
        Ok(output) => output,
        Err(error) if error.kind() == Kind::Cancelled => return Err(error),
        Err(_) => return Ok(None),
    };
    Ok(read(python, &String::from_utf8_lossy(&output.stdout)))
}

fn read(python: PathBuf, printed: &str) -> Option<Beside> {
    let mut words = printed.split_whitespace();
    let (ringbearer, keyring) = (words.next()? == "1", words.next()? == "1");
    let version = words.next().and_then(|version| {
        let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        Some((numbers.next()?, numbers.next().unwrap_or(0)))
    });
    Some(Beside { python, ringbearer, keyring, pip: version })
}

/// The largest launcher that is read, in bytes. Those of pip and uv have about 0.1 MB.
const LAUNCHER_CAP: usize = 1024 * 1024;

/// The interpreter of a program in Python; `None` for other programs.
fn interpreter(system: &dyn System, program: &Path) -> Option<PathBuf> {
    of_script(system, program).or_else(|| of_launcher(system, program)).filter(|path| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.to_ascii_lowercase().contains("python"))
    })
}

/// The interpreter of a launcher of Windows: the one that it names, else that of the environment whose `Scripts` it is in.
fn of_launcher(system: &dyn System, program: &Path) -> Option<PathBuf> {
    if system.platform() != Platform::Windows {
        return None;
    }
    let folder = program.parent()?;
    let content = system.read_file(program, LAUNCHER_CAP).unwrap_or_default();
    // A relative path counts from the launcher.
    let named = launcher::interpreter(&content).map(|named| folder.join(named));
    let near = [Some(folder), folder.parent()].into_iter().flatten().map(|folder| folder.join("python.exe"));
    named.into_iter().chain(near).find_map(|path| system.program_at(&path))
}

/// The interpreter in the first line of a script, or in the second if the first would be too long for the system:
/// `#!/bin/sh` and `'''exec' /path/python "$0" "$@"`. <https://github.com/pypa/distlib/blob/0.4.0/distlib/scripts.py>
fn of_script(system: &dyn System, program: &Path) -> Option<PathBuf> {
    let head = system.head(program, HEAD).ok()?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.lines();
    let first = lines.next()?.strip_prefix("#!")?.trim();
    let path = match lines.next().and_then(|line| line.strip_prefix("'''exec' ")) {
        Some(rest) => match rest.chars().next()? {
            quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
            _ => rest.split(' ').next()?,
        },
        None => first.split(' ').next()?,
    };
    system.program_at(Path::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        fake::{FakeSystem, absolute},
        fuzz::seed,
    };

    /// A system with `python.exe`, which answers, and a program with this content.
    fn windows(program: &str, content: &[u8]) -> FakeSystem {
        let system =
            FakeSystem::default().on(Platform::Windows).run("python.exe", &["-c", PROGRAM], 0, "1 0 26.2\r\n", "");
        system.write(program, content);
        system
    }

    fn found(system: &FakeSystem, program: &str) -> Option<PathBuf> {
        look(system, Path::new(&absolute(program))).unwrap().map(|beside| beside.python)
    }

    #[test]
    fn a_launcher_names_its_interpreter() {
        let python = absolute("/venv/Scripts/python.exe");
        let named = [b"MZ", python.as_bytes(), &u32::try_from(python.len()).unwrap().to_le_bytes(), b"UVSC"].concat();
        let system = windows("/bin/twine.exe", &named);
        assert_eq!(found(&system, "/bin/twine.exe"), Some(PathBuf::from(python)));
        let relative = [&b"MZpython.exe"[..], &[10, 0, 0, 0], b"UVSC"].concat();
        let system = windows("/venv/Scripts/pip.exe", &relative);
        assert_eq!(
            found(&system, "/venv/Scripts/pip.exe"),
            Some(PathBuf::from(absolute("/venv/Scripts")).join("python.exe"))
        );
    }

    #[test]
    fn other_launchers_have_python_beside_or_above() {
        for content in [&b"MZ"[..], b""] {
            let system = windows("/Python312/Scripts/pip.exe", content);
            let python = found(&system, "/Python312/Scripts/pip.exe").unwrap();
            assert!(python.ends_with("python.exe"), "{python:?}");
        }
        // Other platforms have none.
        let system = FakeSystem::default().on(Platform::Linux);
        system.write("/bin/pip", &seed("launcher", "distlib"));
        assert_eq!(found(&system, "/bin/pip"), None);
    }

    #[test]
    fn fixes_are_written_for_the_shell() {
        let python = PathBuf::from(absolute("/Program Files/Python/python.exe"));
        let mut beside = Beside { python, ringbearer: false, keyring: false, pip: Some((26, 2)) };
        let python = shown_path(&beside.python);
        let expected = format!("& \"{python}\" -m pip install ringbearer");
        assert_eq!(beside.install_command(ShellSyntax::PowerShell), expected);
        beside.pip = None;
        let expected = format!("uv pip install --python \"{python}\" ringbearer");
        assert_eq!(beside.install_command(ShellSyntax::Cmd), expected);
    }
}
