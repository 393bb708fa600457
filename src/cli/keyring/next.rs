//! The next `keyring` on PATH, which gets the requests that this program does not answer.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use log::debug;

use crate::{
    auth::cache_key::fingerprint,
    cli::FAILED,
    error::{Error, Kind, Result},
    secret::Secret,
    system::{
        System,
        process::{Command, Exec},
    },
};

/// The keyrings that have passed this request on: their number, a fingerprint of the request, and one of each program's path,
/// separated by dots. Another request on the way (a backend may run a keyring itself) resets all but the number.
const PASSED_VARIABLE: &str = "RINGBEARER_KEYRINGS_PASSED";

/// The maximum number of keyrings in a row, whatever the requests.
const CHAIN_LIMIT: u32 = 100;

/// The time limit for the next keyring to list its backends.
const LISTING_LIMIT: Duration = Duration::from_secs(60);

/// Lists the backends.
const LISTING: &str = "--list-backends";

/// Another `keyring`, and the new value of the variable.
pub(in crate::cli) struct Next {
    program: PathBuf,
    passed: String,
}

impl Next {
    /// The first one on PATH that is neither this program (also under another name or link) nor one that has passed this
    /// request on: a script that runs this program must not cause a loop.
    pub(in crate::cli) fn find(system: &dyn System, words: &[OsString]) -> Option<Self> {
        let request = fingerprint(words.join(OsStr::new("\0")).as_encoded_bytes());
        let value = system.variable(PASSED_VARIABLE).unwrap_or_default();
        let mut parts = value.split('.');
        let count: u32 = parts.next().and_then(|count| count.parse().ok()).unwrap_or_default();
        let mut passed: Vec<String> =
            if parts.next() == Some(&request) { parts.map(str::to_owned).collect() } else { Vec::new() };
        let name = |path: &Path| fingerprint(path.as_os_str().as_encoded_bytes());
        passed.extend(system.own_program().as_deref().map(name));
        if count >= CHAIN_LIMIT {
            debug!("{count} keyrings in a row: no further one is run");
            return None;
        }
        let (program, real) = system.programs_on_path("keyring").into_iter().find_map(|program| {
            let real = name(&system.real_path(&program).ok()?);
            (!passed.contains(&real)).then_some((program, real))
        })?;
        passed.push(real);
        Some(Self { program, passed: format!("{}.{request}.{}", count + 1, passed.join(".")) })
    }

    /// Replaces this process by it, with the same arguments. `variables` are added to the environment. `filters_stderr`
    /// hides its tracebacks.
    pub(in crate::cli) fn exec(
        self,
        words: &[OsString],
        mut variables: Vec<(String, Secret)>,
        filters_stderr: bool,
    ) -> Exec {
        debug!("running {}", self.program.display());
        variables.push((PASSED_VARIABLE.to_owned(), Secret::new(self.passed)));
        Exec { program: self.program, arguments: words.to_vec(), variables, failure_code: FAILED, filters_stderr }
    }

    /// The backends that the next keyring lists; none if there is no other keyring.
    pub(in crate::cli) fn backends(system: &dyn System) -> Result<Vec<String>> {
        let Some(next) = Self::find(system, &[LISTING.into()]) else { return Ok(Vec::new()) };
        let command =
            Command::new(next.program.clone(), &[LISTING], LISTING_LIMIT).variable(PASSED_VARIABLE, next.passed);
        let output = system.run(&command)?;
        if !output.is_success() {
            return Err(Error::new(Kind::Process, format!("{} cannot list its backends", next.program.display()))
                .with_hint("run it directly to see why"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }
}
