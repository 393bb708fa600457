//! The environment of the process: its variables and its platform.

use std::{ffi::OsString, path::PathBuf};

use super::platform::Platform;
use crate::secret::Secret;

/// Reads the environment.
pub(crate) trait Env {
    /// The platform whose conventions apply.
    fn platform(&self) -> Platform;

    /// An environment variable as it is; `None` if it is unset or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// An environment variable that need not be UTF-8.
    fn raw_variable(&self, name: &str) -> Option<OsString>;

    /// The names of the environment variables that begin with a prefix, sorted.
    fn variables_with_prefix(&self, prefix: &str) -> Vec<String>;

    /// The working directory, to report which files other programs read there. Nothing is configured by it.
    fn working_directory(&self) -> Option<PathBuf>;

    /// An environment variable without surrounding white space; blank counts as unset.
    fn setting(&self, name: &str) -> Option<String> {
        let value = self.variable(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// An environment variable that holds a secret, without surrounding white space; blank counts as unset. One that is not
    /// UTF-8 counts as set, with U+FFFD in it: as a wrong secret it is an error, not an absence.
    fn secret_setting(&self, name: &str) -> Option<Secret> {
        if let Some(value) = self.variable(name) {
            return Secret::from_trimmed(&value);
        }
        Secret::from_trimmed(&self.raw_variable(name)?.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn a_secret_that_is_not_utf8_is_set_and_a_setting_is_not() {
        let fake = FakeSystem::default().variable("NAME", "t\u{fffd}ken");
        assert_eq!((Env::variable(&fake, "NAME"), fake.setting("NAME")), (None, None));
        assert_eq!(fake.secret_setting("NAME"), Some(Secret::new("t\u{fffd}ken".to_owned())));
        assert_eq!(fake.secret_setting("OTHER"), None);
        assert_eq!(FakeSystem::default().variable("NAME", " ").secret_setting("NAME"), None);
    }
}
