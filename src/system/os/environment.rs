//! The environment, captured once per lookup.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::OsSystem;
use crate::system::Env;

/// A copy of the process's environment.
///
/// It is captured while Python's interpreter lock is held: Python's `os.environ` writes to the C environment, and reading
/// that from another thread at the same time is a race. The copy also stays the same throughout a lookup. (ureq and the
/// platform verifier still read some settings of theirs once per agent; ureq's are overridden.)
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

    /// Every variable, sorted by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// A variable that need not be UTF-8.
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

/// The canonical spelling of a name: Windows compares names without case.
fn canonical(name: OsString) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name }
}

impl Env for OsSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.environment.text(name).map(str::to_owned)
    }

    fn raw_variable(&self, name: &str) -> Option<OsString> {
        self.environment.raw(name).cloned()
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.environment.all().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn working_directory(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }
}
