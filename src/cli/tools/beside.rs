//! What is installed beside a program of Python's.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Kind, Result},
    system::{System, process::Command},
};

/// How long Python may take to say what it has.
const LIMIT: Duration = Duration::from_secs(20);

/// How much of a program is read, to see which Python it is for.
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

/// What a Python environment has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Beside {
    /// Its interpreter.
    pub(in crate::cli) python: PathBuf,
    /// Whether ringbearer is there.
    pub(in crate::cli) ringbearer: bool,
    /// Whether keyring is there.
    pub(in crate::cli) keyring: bool,
    /// The version of pip there, its first two numbers.
    pub(in crate::cli) pip: Option<(u32, u32)>,
}

impl Beside {
    /// The command that puts ringbearer there: environments of uv's have no pip.
    pub(in crate::cli) fn installing_ringbearer(&self) -> String {
        let python = self.python.display();
        match self.pip {
            Some(_) => format!("{python} -m pip install ringbearer"),
            None => format!("uv pip install --python {python} ringbearer"),
        }
    }
}

/// Asks the Python that a program belongs to; `None` if that cannot be told. Fails only if the caller gave up.
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

/// The Python in the first line of a script, or in the second where the first is too long for the system:
/// `#!/bin/sh` and `'''exec' /path/python "$0" "$@"`. <https://github.com/pypa/distlib/blob/0.4.0/distlib/scripts.py>
fn interpreter(system: &dyn System, program: &Path) -> Option<PathBuf> {
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
    let path = system.program_at(Path::new(path))?;
    path.file_name()?.to_str()?.contains("python").then_some(path)
}
