//! The environment, captured at one moment.

use std::{collections::BTreeMap, ffi::OsString};

/// A copy of the process's environment.
///
/// It is captured while Python's lock is held: Python's `os.environ` writes to the C environment, and
/// reading that at the same time from another thread is a race. It also keeps one lookup consistent with
/// itself. (What remains: ureq and the platform verifier look for settings of theirs once for each agent;
/// what ureq finds is overruled.)
#[derive(Clone)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment as it is now.
    #[must_use]
    pub(crate) fn capture() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable, if it is set and UTF-8.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(&key(name))?.to_str()
    }

    /// Every variable as it is.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// A variable as it is, for paths.
    pub(super) fn raw(&self, name: &str) -> Option<&OsString> {
        self.0.get(&key(name))
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<Pairs: IntoIterator<Item = (OsString, OsString)>>(pairs: Pairs) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (canonical(name), value)).collect())
    }
}

fn key(name: &str) -> OsString {
    canonical(OsString::from(name))
}

/// The spelling of a name by which it is found: Windows does not tell `Path` from `PATH`.
fn canonical(name: OsString) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name }
}
