//! The environment variables of the process.

use std::{ffi::OsString, path::PathBuf};

use crate::secret::Secret;

/// Reads the environment.
pub(crate) trait Env {
    /// An environment variable as it is; `None` if it is unset or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// Every environment variable, sorted by name.
    fn variables(&self) -> Vec<(OsString, OsString)>;

    /// The working directory, to report which files other programs read there. Nothing is configured by it.
    fn working_directory(&self) -> Option<PathBuf>;

    /// An environment variable without surrounding white space; blank counts as unset.
    fn setting(&self, name: &str) -> Option<String> {
        let value = self.variable(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// An environment variable that holds a secret, without surrounding white space; blank counts as unset.
    fn secret_setting(&self, name: &str) -> Option<Secret> {
        self.variable(name).as_deref().and_then(Secret::from_trimmed)
    }
}
