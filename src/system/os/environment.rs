//! The environment, captured once per lookup.

use std::{cmp::Ordering, collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::OsSystem;
use crate::system::{Env, Platform};

/// A copy of the process's environment.
///
/// It is captured while Python's interpreter lock is held: Python's `os.environ` writes to the C environment, and reading
/// that from another thread at the same time is a race. The copy also stays the same throughout a lookup. (ureq and the
/// platform verifier still read some settings of theirs once per agent; ureq's are overridden.)
#[derive(Clone)]
pub(crate) struct Environment(BTreeMap<Name, OsString>);

impl Environment {
    /// The environment as it is now.
    #[must_use]
    pub(crate) fn capture() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable, if it is set and UTF-8.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name)?.to_str()
    }

    /// Every variable, sorted by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter().map(|(Name(name), value)| (name, value))
    }

    /// A variable that need not be UTF-8.
    pub(super) fn raw(&self, name: &str) -> Option<&OsString> {
        self.0.get(&Name(name.into()))
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<Pairs: IntoIterator<Item = (OsString, OsString)>>(pairs: Pairs) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (Name(name), value)).collect())
    }
}

/// A name in the spelling that child processes get. Windows compares names without case.
#[derive(Clone)]
struct Name(OsString);

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        if cfg!(windows) {
            let [this, other] =
                [self, other].map(|Self(name)| name.as_encoded_bytes().iter().map(u8::to_ascii_uppercase));
            this.cmp(other)
        } else {
            self.0.cmp(&other.0)
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name {}

impl Env for Environment {
    fn platform(&self) -> Platform {
        Platform::CURRENT
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn raw_variable(&self, name: &str) -> Option<OsString> {
        self.raw(name).cloned()
    }

    fn variables_with_prefix(&self, prefix: &str) -> Vec<String> {
        let names = self.all().filter_map(|(name, _)| name.to_str());
        names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
    }

    fn working_directory(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }
}

impl Env for OsSystem {
    fn platform(&self) -> Platform {
        self.environment.platform()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.variable(name)
    }

    fn raw_variable(&self, name: &str) -> Option<OsString> {
        self.environment.raw_variable(name)
    }

    fn variables_with_prefix(&self, prefix: &str) -> Vec<String> {
        self.environment.variables_with_prefix(prefix)
    }

    fn working_directory(&self) -> Option<PathBuf> {
        self.environment.working_directory()
    }
}

/// The environment of the process itself, read without a copy: copying every variable takes longer than most lookups of
/// services that no registry claims. Requires Python's interpreter lock, like [`Environment::capture`].
#[cfg(feature = "python")]
pub(crate) struct LiveEnvironment;

#[cfg(feature = "python")]
impl Env for LiveEnvironment {
    fn platform(&self) -> Platform {
        Platform::CURRENT
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn raw_variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn variables_with_prefix(&self, prefix: &str) -> Vec<String> {
        Environment::capture().variables_with_prefix(prefix)
    }

    fn working_directory(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn pairs(environment: &Environment) -> Vec<(&str, &str)> {
        environment.all().filter_map(|(name, value)| name.to_str().zip(value.to_str())).collect()
    }

    #[test]
    fn names_keep_their_spelling() {
        let environment = environment(&[("ProgramFiles(x86)", "1"), ("MixedCase", "2")]);
        assert_eq!(pairs(&environment), [("MixedCase", "2"), ("ProgramFiles(x86)", "1")]);
    }

    #[test]
    fn names_are_compared_without_case_on_windows_alone() {
        let environment = environment(&[("Path", "1")]);
        let found = [environment.text("Path"), environment.text("PATH"), environment.text("path")];
        assert_eq!(found, if cfg!(windows) { [Some("1"); 3] } else { [Some("1"), None, None] });
    }

    #[test]
    fn a_name_in_another_case_is_the_same_variable_on_windows() {
        let environment = environment(&[("Path", "1"), ("PATH", "2")]);
        let expected: &[_] = if cfg!(windows) { &[("PATH", "2")] } else { &[("PATH", "2"), ("Path", "1")] };
        assert_eq!(pairs(&environment), expected);
    }
}
