//! The outside world behind one seam: environment, clock, files, network, child processes, the ssh-agent's
//! socket and randomness. Nothing outside [`os`] touches any of them directly (`clippy.toml` forbids it).
//!
//! A [`System`] lives for one lookup. It knows when the lookup must be over and whether the caller
//! gave up, and holds every wait to that, so that no provider can forget it.

pub(crate) mod agent;
pub(crate) mod console;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), allow(dead_code))] // The hooks for fuzzing need less of it than the tests do.
pub(crate) mod fake;
pub(crate) mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub(crate) mod http;
pub(crate) mod os;
pub(crate) mod places;
pub(crate) mod process;
pub(crate) mod retry;
pub(crate) mod shared_memory;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::{error::Result, secret::Secret};

/// What went wrong with a file or a socket, in the words of the operating system, without its number.
#[must_use]
pub(crate) fn io_message(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error ").next().unwrap_or_default();
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The word that the caller gave up. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct CancellationToken(Arc<Word>);

#[derive(Default)]
struct Word {
    is_given: AtomicBool,
    /// How to find out, where nobody else could say it: the caller is the one who works.
    ask: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl CancellationToken {
    /// A word that is found out by asking.
    pub(crate) fn from_callback(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Word { is_given: AtomicBool::new(false), ask: Some(Box::new(ask)) }))
    }

    /// Says that the caller gave up.
    pub(crate) fn cancel(&self) {
        self.0.is_given.store(true, Ordering::Relaxed);
    }

    /// Whether the caller gave up.
    #[must_use]
    pub(crate) fn is_cancelled(&self) -> bool {
        if !self.0.is_given.load(Ordering::Relaxed) && self.0.ask.as_ref().is_some_and(|ask| ask()) {
            self.cancel();
        }
        self.0.is_given.load(Ordering::Relaxed)
    }

    /// Whether both are the word of the same lookup.
    #[must_use]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a lookup may see and do.
pub(crate) trait System: files::Files + agent::AgentSocket + shared_memory::SharedMemory + Send + Sync {
    /// An environment variable as it is; `None` if it is unset or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// Every environment variable, in the order of the names.
    fn variables(&self) -> Vec<(OsString, OsString)>;

    /// The time of day.
    fn now(&self) -> SystemTime;

    /// How long the lookup may still take.
    fn remaining(&self) -> Duration;

    /// Fails if the caller gave up or the lookup's time is over.
    fn check(&self) -> Result<()>;

    /// The word that the caller gave up, for those who wait for what this lookup makes.
    fn cancellation(&self) -> CancellationToken;

    /// Waits. Fails at once if the caller gives up, or if the lookup would be over before the wait is.
    fn pause(&self, length: Duration) -> Result<()>;

    /// Reads a regular file of at most `cap` bytes; a larger one is an error, never cut.
    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>>;

    /// Sends one request once, without redirects. An answer of any status is `Ok`.
    fn send(&self, request: &http::Request) -> std::result::Result<http::Response, http::Failure>;

    /// Looks a program up on PATH: never in the working directory, never through a relative entry.
    fn find_program(&self, name: &str) -> Option<PathBuf>;

    /// The program at an absolute path, if it is a file that may be run.
    fn program_at(&self, path: &Path) -> Option<PathBuf>;

    /// Every program of this name on PATH, in its order, by the rules of [`find_program`](Self::find_program).
    fn programs_on_path(&self, name: &str) -> Vec<PathBuf>;

    /// Where a path leads when every symbolic link in it is followed.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;

    /// The real path of the program that runs this.
    fn own_program(&self) -> Option<PathBuf>;

    /// The working directory, for telling what other programs read there. Nothing is configured by it.
    fn working_directory(&self) -> Option<PathBuf>;

    /// Runs a child process to its end, within its limit and the lookup's.
    fn run(&self, command: &process::Command) -> Result<process::Output>;

    /// Fills `buffer` with random bytes fit for keys.
    fn random(&self, buffer: &mut [u8]) -> Result<()>;

    /// An environment variable without the blanks around it; blank counts as unset.
    fn setting(&self, name: &str) -> Option<String> {
        let value = self.variable(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// An environment variable that holds a secret, without the blanks around it; blank counts as unset.
    fn secret_setting(&self, name: &str) -> Option<Secret> {
        self.variable(name).as_deref().and_then(Secret::from_trimmed)
    }
}
