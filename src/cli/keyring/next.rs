//! The next `keyring` on PATH: it gets what is not ours to do.

use std::{ffi::OsString, path::PathBuf};

use log::debug;

use crate::{
    error::{Error, Kind, Result},
    sys::System,
};

/// The keyrings that a question came through already, as PATH lists folders.
const PASSED_VARIABLE: &str = "RINGBEARER_KEYRINGS_PASSED";

/// Another `keyring`.
pub(in crate::cli) struct Next {
    /// Where it was found.
    pub(in crate::cli) program: PathBuf,
    passed: OsString,
}

impl Next {
    /// The first on PATH that is not this program, by whatever name or link, and that the question did not come
    /// through: a script that leads back here must not go round for ever.
    pub(in crate::cli) fn find(system: &dyn System) -> Option<Self> {
        let mut passed: Vec<_> = std::env::split_paths(&system.variable(PASSED_VARIABLE).unwrap_or_default()).collect();
        passed.extend(system.own_program());
        let (program, real) = system.programs_on_path("keyring").into_iter().find_map(|program| {
            let real = system.real_path(&program).ok()?;
            (!passed.contains(&real)).then_some((program, real))
        })?;
        passed.push(real);
        // A folder whose name holds the separator cannot be told on: better no next one than an endless round.
        let passed = std::env::join_paths(passed).ok()?;
        Some(Self { program, passed })
    }

    /// Puts it in the place of this program, with the same words. `variables` come on top of the environment.
    pub(in crate::cli) fn take_over(
        &self,
        system: &dyn System,
        words: &[OsString],
        variables: &[(&str, OsString)],
    ) -> Result<u8> {
        debug!("{} takes over", self.program.display());
        let mut variables = variables.to_vec();
        variables.push((PASSED_VARIABLE, self.passed.clone()));
        system.become_program(&self.program, words, &variables)
    }

    /// What it lists as its backends.
    pub(in crate::cli) fn backends(&self, system: &dyn System) -> Result<Vec<String>> {
        let limit = std::time::Duration::from_secs(60);
        let command = crate::sys::process::Command::new(self.program.clone(), &["--list-backends"], limit);
        let output = system.run(&command)?;
        if !output.is_success() {
            return Err(Error::new(Kind::Process, format!("{} cannot list its backends", self.program.display()))
                .with_hint("run it by itself to see why"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }
}
