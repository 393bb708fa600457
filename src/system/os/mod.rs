//! The real outside world. This folder is the only place that touches it, which is why the methods that
//! `clippy.toml` forbids everywhere else are allowed here.
#![allow(clippy::disallowed_methods)]

mod agent;
mod console;
mod environment;
mod files;
mod network;
mod process;
mod proxy;
mod shared_memory;
#[cfg(feature = "executables")]
pub(crate) mod signals;
mod trust;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use log::debug;
use ring::rand::{SecureRandom, SystemRandom};

pub(crate) use self::{console::StdConsole, environment::Environment, network::Network};
use super::{CancellationToken, System, http, process as child};
use crate::error::{Error, Kind, Result};

/// How long a whole lookup may take unless RINGBEARER_TIMEOUT says otherwise.
pub(crate) const LOOKUP_LIMIT: Duration = Duration::from_secs(120);

/// The environment variable with the limit of a whole lookup, in seconds.
const LOOKUP_LIMIT_VARIABLE: &str = "RINGBEARER_TIMEOUT";

/// How often a wait looks whether the caller gave up.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Lets another program take the place of this one, with the environment as it was captured. Comes back only if that
/// fails or, where the operating system cannot do it, with the exit code of the program, which was waited for.
pub(crate) fn exec(environment: &Environment, exec: &child::Exec) -> Result<u8> {
    process::exec(environment, exec)
}

/// The real system, for one lookup.
pub(crate) struct OsSystem {
    environment: Environment,
    network: Arc<Network>,
    cancel: CancellationToken,
    end: Instant,
}

impl OsSystem {
    /// A lookup that starts now and may take so long, with the environment as it was captured. `network`
    /// outlives it, so that the next lookup finds the connections open.
    #[must_use]
    pub(crate) fn new(
        environment: Environment,
        network: Arc<Network>,
        cancel: CancellationToken,
        limit: Duration,
    ) -> Self {
        let end = Instant::now() + limit;
        Self { environment, network, cancel, end }
    }

    /// The end of the lookup, or of this wait, whichever comes first.
    fn end_within(&self, limit: Duration) -> Instant {
        Instant::now().checked_add(limit).map_or(self.end, |end| self.end.min(end))
    }
}

/// The question whether the caller gave up, asked no more often than a wait looks up: for Python it means to
/// take its lock.
pub(crate) fn throttled(question: impl Fn() -> bool + Send + Sync) -> impl Fn() -> bool + Send + Sync {
    let next = Mutex::new(Instant::now() + POLL_INTERVAL);
    move || {
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = Instant::now() >= *next;
        if is_due {
            *next = Instant::now() + POLL_INTERVAL;
        }
        is_due && question()
    }
}

/// The limit of a lookup that starts with this environment, where `usual` is its limit otherwise.
#[must_use]
pub(crate) fn lookup_limit(environment: &Environment, usual: Duration) -> Duration {
    let Some(value) = environment.text(LOOKUP_LIMIT_VARIABLE).filter(|value| !value.trim().is_empty()) else {
        return usual;
    };
    let seconds = value.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    if seconds.is_none() {
        debug!("{LOOKUP_LIMIT_VARIABLE} is not a number of seconds up to 86400: taking {usual:?}");
    }
    seconds.map_or(usual, Duration::from_secs_f64)
}

fn too_long() -> Error {
    Error::new(Kind::Timeout, "the lookup took too long")
        .with_hint(format!("{LOOKUP_LIMIT_VARIABLE}=SECONDS gives it more time"))
}

impl System for OsSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.environment.text(name).map(str::to_owned)
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.environment.all().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "the caller gave up"));
        }
        if self.remaining().is_zero() {
            return Err(too_long());
        }
        Ok(())
    }

    fn cancellation(&self) -> CancellationToken {
        self.cancel.clone()
    }

    fn pause(&self, length: Duration) -> Result<()> {
        self.check()?;
        if length >= self.remaining() {
            return Err(too_long());
        }
        let end = self.end_within(length);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
            self.check()?;
        }
    }

    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>> {
        files::read(path, cap)
    }

    fn send(&self, request: &http::Request) -> std::result::Result<http::Response, http::Failure> {
        self.network.send(&self.environment, request, self.remaining())
    }

    fn find_program(&self, name: &str) -> Option<PathBuf> {
        process::on_path(&self.environment, name).next()
    }

    fn programs_on_path(&self, name: &str) -> Vec<PathBuf> {
        process::on_path(&self.environment, name).collect()
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn own_program(&self) -> Option<PathBuf> {
        std::fs::canonicalize(std::env::current_exe().ok()?).ok()
    }

    fn working_directory(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }

    fn program_at(&self, path: &Path) -> Option<PathBuf> {
        (path.is_absolute() && process::is_executable(path)).then(|| path.to_owned())
    }

    fn run(&self, command: &child::Command) -> Result<child::Output> {
        self.check()?;
        process::run(&self.environment, command, self.end_within(command.limit), &self.cancel)
    }

    fn random(&self, buffer: &mut [u8]) -> Result<()> {
        SystemRandom::new()
            .fill(buffer)
            .map_err(|_| Error::new(Kind::Internal, "the operating system gives no random bytes"))
    }
}
