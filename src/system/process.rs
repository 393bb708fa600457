//! Child processes.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use zeroize::Zeroizing;

use crate::{error::Result, secret::Secret};

/// The largest output accepted on either stream, in bytes.
pub(crate) const OUTPUT_CAP: usize = 1024 * 1024;

/// A program to run: an argument list, never a shell. Standard input is null or `input`, and the working directory is the root
/// of the file system, on Windows %SystemRoot%, so that the program reads no configuration from the user's.
#[derive(Clone)]
pub(crate) struct Command {
    /// The program, by its absolute path.
    pub(crate) program: PathBuf,
    /// The arguments, never a secret: every user of the machine can read them.
    pub(crate) arguments: Vec<String>,
    /// Variables added to the environment.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// What it reads on standard input, which may be secret; `None` for null.
    pub(crate) input: Option<Secret>,
    /// The time limit.
    pub(crate) limit: Duration,
}

impl Command {
    /// A command with these arguments and a time limit.
    #[must_use]
    pub(crate) fn new(program: PathBuf, arguments: &[&str], limit: Duration) -> Self {
        Self {
            program,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            variables: Vec::new(),
            input: None,
            limit,
        }
    }

    /// Adds an environment variable.
    #[must_use]
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Sets what the program reads on standard input.
    #[cfg(any(unix, test))]
    #[must_use]
    pub(crate) fn with_input(mut self, input: Secret) -> Self {
        self.input = Some(input);
        self
    }

    /// The name of the program without directory and extension, for messages.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        self.program.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// A program to replace this one, by `exec(2)`; on Windows one that runs in its place. It inherits the standard streams, the
/// working directory and the environment.
pub(crate) struct Exec {
    /// The program.
    pub(crate) program: PathBuf,
    /// The arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Variables added to the environment. They may be secret.
    pub(crate) variables: Vec<(String, Secret)>,
    /// The exit code if the program cannot be run.
    pub(crate) failure_code: u8,
    /// Whether a copy of this program filters what it prints on standard error.
    pub(crate) filters_stderr: bool,
}

/// The result of a child process.
pub(crate) struct Output {
    /// The exit code; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    /// The standard output. It may be a secret.
    pub(crate) stdout: Zeroizing<Vec<u8>>,
    /// The standard error.
    pub(crate) stderr: Zeroizing<Vec<u8>>,
}

impl Output {
    /// Whether the exit code is 0.
    #[must_use]
    pub(crate) fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// The standard error as text, to search. Quote only what is known to be harmless.
    #[must_use]
    pub(crate) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Output(status {:?}, {} bytes)", self.status, self.stdout.len())
    }
}

/// Finds and runs programs.
pub(crate) trait Processes {
    /// The first program of a name on PATH: never from the working directory, never through a relative entry.
    fn find_program(&self, name: &str) -> Option<PathBuf>;

    /// Every program of a name on PATH, in its order, by the rules of [`find_program`](Self::find_program).
    fn programs_on_path(&self, name: &str) -> Vec<PathBuf>;

    /// The program at an absolute path, if it is an executable file.
    fn program_at(&self, path: &Path) -> Option<PathBuf>;

    /// The real path of the running executable.
    fn own_program(&self) -> Option<PathBuf>;

    /// Runs a child process to its end, within its limit and the lookup's deadline.
    fn run(&self, command: &Command) -> Result<Output>;

    /// Starts a program with null streams that outlives this one, and does not wait for it. `limit` and `input` do not apply.
    fn start(&self, command: &Command) -> Result<()>;
}
