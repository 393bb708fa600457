//! The next `keyring` on PATH: it gets what is not ours to do.

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

/// Which keyrings a question came through already: how many in all, a fingerprint of the question, and one of each
/// program's path, with dots in between. Another question on the way (a backend may ask a keyring itself) begins anew.
const PASSED_VARIABLE: &str = "RINGBEARER_KEYRINGS_PASSED";

/// How many keyrings may be passed on one way, whatever they are asked.
const MOST: u32 = 100;

/// How long the next keyring may take to list its backends.
const LISTING_LIMIT: Duration = Duration::from_secs(60);

/// What it is asked for.
const LISTING: &str = "--list-backends";

/// Another `keyring`.
pub(in crate::cli) struct Next {
    program: PathBuf,
    passed: String,
}

impl Next {
    /// The first on PATH that is not this program, by whatever name or link, and that the question did not come
    /// through: a script that leads back here must not go round for ever.
    pub(in crate::cli) fn find(system: &dyn System, words: &[OsString]) -> Option<Self> {
        let question = fingerprint(words.join(OsStr::new("\0")).as_encoded_bytes());
        let told = system.variable(PASSED_VARIABLE).unwrap_or_default();
        let mut told = told.split('.');
        let count: u32 = told.next().and_then(|count| count.parse().ok()).unwrap_or_default();
        let mut passed: Vec<String> =
            if told.next() == Some(&question) { told.map(str::to_owned).collect() } else { Vec::new() };
        let name = |path: &Path| fingerprint(path.as_os_str().as_encoded_bytes());
        passed.extend(system.own_program().as_deref().map(name));
        if count >= MOST {
            debug!("{count} keyrings were asked in a row: no other is");
            return None;
        }
        let (program, real) = system.programs_on_path("keyring").into_iter().find_map(|program| {
            let real = name(&system.real_path(&program).ok()?);
            (!passed.contains(&real)).then_some((program, real))
        })?;
        passed.push(real);
        Some(Self { program, passed: format!("{}.{question}.{}", count + 1, passed.join(".")) })
    }

    /// Lets it take the place of this program, with the same words. `variables` come on top of the environment.
    pub(in crate::cli) fn exec(self, words: &[OsString], mut variables: Vec<(String, Secret)>) -> Exec {
        debug!("{} takes over", self.program.display());
        variables.push((PASSED_VARIABLE.to_owned(), Secret::new(self.passed)));
        Exec { program: self.program, arguments: words.to_vec(), variables, failure_code: FAILED }
    }

    /// What the next keyring lists as its backends; nothing if there is none.
    pub(in crate::cli) fn backends(system: &dyn System) -> Result<Vec<String>> {
        let Some(next) = Self::find(system, &[LISTING.into()]) else { return Ok(Vec::new()) };
        let command =
            Command::new(next.program.clone(), &[LISTING], LISTING_LIMIT).variable(PASSED_VARIABLE, next.passed);
        let output = system.run(&command)?;
        if !output.is_success() {
            return Err(Error::new(Kind::Process, format!("{} cannot list its backends", next.program.display()))
                .with_hint("run it by itself to see why"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }
}
