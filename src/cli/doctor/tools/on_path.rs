//! The `keyring` programs on PATH: the one that a tool would run, and whether it has ringbearer.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Finding, INSTALL, Machine, State};
use crate::{
    cli::{
        definitions::NATIVE_KEYRING,
        shown_path,
        tools::shim::{self, Target},
    },
    error::{Kind, Result},
    system::{System, process::Command},
};

/// The time limit for a keyring to list its backends.
const LIMIT: Duration = Duration::from_secs(30);

/// The `keyring` programs, in the order of PATH.
pub(super) struct Keyrings<'all> {
    system: &'all dyn System,
    programs: Vec<PathBuf>,
    /// The findings so far; each program runs once.
    known: RefCell<HashMap<PathBuf, Knowledge>>,
}

/// Whether a `keyring` has ringbearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It lists the backends of ringbearer.
    Ringbearer,
    /// It lists other backends only, or fails.
    Others,
    /// It timed out.
    Unknown,
}

impl<'all> Keyrings<'all> {
    pub(super) fn new(system: &'all dyn System) -> Self {
        Self { system, programs: system.programs_on_path("keyring"), known: RefCell::default() }
    }

    /// The first program outside a folder, and what it has. pip skips its own folder.
    pub(super) fn first(&self, skipped: Option<&Path>) -> Result<Option<(PathBuf, Knowledge)>> {
        let is_eligible = |program: &&PathBuf| program.parent() != skipped || skipped.is_none();
        let Some(program) = self.programs.iter().find(is_eligible) else { return Ok(None) };
        let known = self.known.borrow().get(program).copied();
        let knowledge = match known {
            Some(known) => known,
            None => self.ask(program)?,
        };
        self.known.borrow_mut().insert(program.clone(), knowledge);
        Ok(Some((program.clone(), knowledge)))
    }

    fn ask(&self, program: &Path) -> Result<Knowledge> {
        // Children run in the root directory, from where a shim may lead elsewhere.
        let Target::Program(program) = shim::target(self.system, program)? else { return Ok(Knowledge::Others) };
        Ok(match self.system.run(&Command::new(program, &["--list-backends"], LIMIT)) {
            Ok(output) if String::from_utf8_lossy(&output.stdout).contains("ringbearer.backends.") => {
                Knowledge::Ringbearer
            }
            Err(error) if error.kind() == Kind::Cancelled => return Err(error),
            Err(error) if error.kind() == Kind::Timeout => Knowledge::Unknown,
            Ok(_) | Err(_) => Knowledge::Others,
        })
    }
}

impl Machine<'_> {
    /// Whether a `keyring` with ringbearer is the native program. A launcher looks like one, so its help is read.
    fn is_native(&self, program: &Path) -> Result<bool> {
        if self.system.head(program, 2).is_ok_and(|head| head == b"#!") {
            return Ok(false);
        }
        match self.system.run(&Command::new(program.to_owned(), &["--help"], LIMIT)) {
            Ok(output) => Ok(output.stdout.starts_with(NATIVE_KEYRING.as_bytes())),
            Err(error) if error.kind() == Kind::Cancelled => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The `keyring` that tools run.
    pub(super) fn keyring(&self) -> Result<Finding> {
        Ok(match self.keyrings.first(None)? {
            None => Finding::new(
                State::Doubtful,
                "keyring",
                "not on PATH: uv needs it, and so does a pip without ringbearer",
            )
            .with_fix(INSTALL),
            Some((program, Knowledge::Others)) => Finding::new(
                State::Bad,
                "keyring",
                format!("{}, the first on PATH, does not have ringbearer", shown_path(&program)),
            )
            .with_fix(format!("{INSTALL}, and put its folder first on PATH")),
            Some((program, Knowledge::Unknown)) => {
                Finding::new(State::Doubtful, "keyring", format!("{} timed out", shown_path(&program)))
            }
            Some((program, Knowledge::Ringbearer)) => {
                let kind = if self.is_native(&program)? { "native" } else { "a script with ringbearer" };
                Finding::new(State::Good, "keyring", format!("{} ({kind})", shown_path(&program)))
            }
        })
    }
}
