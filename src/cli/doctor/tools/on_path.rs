//! The `keyring` programs on PATH: the one that a tool would run, and whether it has ringbearer.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Finding, INSTALL, Machine, State,
    priority::{Rival, rival},
};
use crate::{
    cli::{
        backend_choice::MODULE,
        definitions::NATIVE_KEYRING,
        programs::shim::{self, Target},
        shown_path,
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
    known: RefCell<HashMap<PathBuf, (Knowledge, Option<Rival>)>>,
    /// Whether a program is the native one.
    native: RefCell<HashMap<PathBuf, bool>>,
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
    /// Finds the programs; none is run yet.
    pub(super) fn new(system: &'all dyn System) -> Self {
        Self {
            system,
            programs: system.programs_on_path("keyring"),
            known: RefCell::default(),
            native: RefCell::default(),
        }
    }

    /// The first program outside a folder, and what it has. pip skips its own folder.
    pub(super) fn first(&self, skipped: Option<&Path>) -> Result<Option<(PathBuf, Knowledge)>> {
        let is_eligible = |program: &&PathBuf| program.parent() != skipped || skipped.is_none();
        let Some(program) = self.programs.iter().find(is_eligible) else { return Ok(None) };
        self.known(program, &["--list-backends"]).map(|(knowledge, _)| Some((program.clone(), knowledge)))
    }

    /// The backend of another package that may be chosen in this `keyring`, after [`first`](Self::first).
    pub(super) fn rival(&self, program: &Path) -> Option<Rival> {
        self.known.borrow().get(program).and_then(|(_, rival)| rival.clone())
    }

    /// The backend of another package that may be chosen in the keyring that a Python interpreter imports.
    pub(super) fn rival_beside(&self, python: &Path) -> Result<Option<Rival>> {
        self.known(python, &["-m", "keyring", "--list-backends"]).map(|(_, rival)| rival)
    }

    fn known(&self, program: &Path, arguments: &[&str]) -> Result<(Knowledge, Option<Rival>)> {
        if let Some(known) = self.known.borrow().get(program) {
            return Ok(known.clone());
        }
        // Child processes run in the root directory, where a shim may select another version.
        let listing = match shim::target(self.system, program)? {
            Target::Missing => Ok(String::new()),
            Target::Unknown => Err(Kind::Timeout),
            Target::Program(target) => match self.system.run(&Command::new(target, arguments, LIMIT)) {
                Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                Err(error) => Err(error.kind()),
            },
        };
        let found = match listing {
            Ok(listing) if listing.contains(MODULE) => (Knowledge::Ringbearer, rival(&listing)),
            Err(Kind::Timeout) => (Knowledge::Unknown, None),
            Ok(_) | Err(_) => (Knowledge::Others, None),
        };
        self.known.borrow_mut().insert(program.to_owned(), found.clone());
        Ok(found)
    }

    /// Whether a `keyring` with ringbearer is the native program. A launcher looks like one, so its help is read.
    pub(super) fn is_native(&self, program: &Path) -> Result<bool> {
        if let Some(known) = self.native.borrow().get(program) {
            return Ok(*known);
        }
        let is_native = if self.system.head(program, 2).is_ok_and(|head| head == b"#!") {
            false
        } else {
            match self.system.run(&Command::new(program.to_owned(), &["--help"], LIMIT)) {
                Ok(output) => output.stdout.starts_with(NATIVE_KEYRING.as_bytes()),
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                Err(_) => false,
            }
        };
        self.native.borrow_mut().insert(program.to_owned(), is_native);
        Ok(is_native)
    }
}

impl Machine<'_> {
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
                let is_native = self.keyrings.is_native(&program)?;
                let kind = if is_native { "native" } else { "a script with ringbearer" };
                let found = Finding::new(State::Good, "keyring", format!("{} ({kind})", shown_path(&program)));
                self.with_rival(found, self.rival_in(&program)?)
            }
        })
    }
}
