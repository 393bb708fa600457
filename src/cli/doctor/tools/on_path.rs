//! The `keyring` programs on PATH: which one a tool would run, and whether it knows ringbearer.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Finding, INSTALL, Machine, State};
use crate::{
    error::{Kind, Result},
    system::{System, process::Command},
};

/// How long a keyring may take to list its backends.
const LIMIT: Duration = Duration::from_secs(30);

/// The programs, in the order of PATH.
pub(super) struct Keyrings<'all> {
    system: &'all dyn System,
    programs: Vec<PathBuf>,
    /// What was found out: each is asked once.
    known: RefCell<HashMap<PathBuf, Knowledge>>,
}

/// What can be told of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It lists ringbearer's backends.
    Ringbearer,
    /// It lists others.
    Others,
    /// It did not answer in time.
    Unknown,
}

impl<'all> Keyrings<'all> {
    pub(super) fn new(system: &'all dyn System) -> Self {
        Self { system, programs: system.programs_on_path("keyring"), known: RefCell::default() }
    }

    /// The first, and what it knows. pip passes over one in its own folder.
    pub(super) fn first(&self, passed_over: Option<&Path>) -> Result<Option<(PathBuf, Knowledge)>> {
        let is_fit = |program: &&PathBuf| program.parent() != passed_over || passed_over.is_none();
        let Some(program) = self.programs.iter().find(is_fit) else { return Ok(None) };
        let known = self.known.borrow().get(program).copied();
        let knowledge = match known {
            Some(known) => known,
            None => self.ask(program)?,
        };
        self.known.borrow_mut().insert(program.clone(), knowledge);
        Ok(Some((program.clone(), knowledge)))
    }

    fn ask(&self, program: &Path) -> Result<Knowledge> {
        Ok(match self.system.run(&Command::new(program.to_owned(), &["--list-backends"], LIMIT)) {
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
    /// The program that tools run.
    pub(super) fn keyring(&self) -> Result<Finding> {
        Ok(match self.keyrings.first(None)? {
            None => Finding::new(
                State::Doubtful,
                "keyring",
                "none on PATH: uv has nobody to ask, nor has a pip without ringbearer beside it",
            )
            .with_fix(INSTALL),
            Some((program, Knowledge::Others)) => Finding::new(
                State::Bad,
                "keyring",
                format!("{}, the first on PATH, does not know ringbearer", program.display()),
            )
            .with_fix(format!("{INSTALL}, and its folder in front on PATH")),
            Some((program, Knowledge::Unknown)) => {
                Finding::new(State::Doubtful, "keyring", format!("{} did not answer in time", program.display()))
            }
            Some((program, Knowledge::Ringbearer)) => {
                let head = self.system.head(&program, 2).unwrap_or_default();
                let sort = if head == b"#!" { "a script, with ringbearer behind it" } else { "native" };
                Finding::new(State::Good, "keyring", format!("{} ({sort})", program.display()))
            }
        })
    }
}
