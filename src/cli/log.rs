//! The log of a command: on standard error, for a person.

use std::time::Duration;

use log::{Level, LevelFilter};

use crate::{
    keyring::lookup::{LOG_ROOT, Line},
    system::{console::Console, os::Environment},
};

/// Print every step on standard error, if one of them is set and not 0.
const DEBUG_VARIABLES: [&str; 2] = ["RINGBEARER_DEBUG", "ARTIFACTS_KEYRING_NOFUSS_DEBUG"];

/// What a command prints of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    is_debugged: bool,
}

impl Log {
    /// What the environment asks for.
    #[must_use]
    pub(crate) fn of(environment: &Environment) -> Self {
        let is_on = |name: &&str| environment.text(name).is_some_and(|value| !matches!(value.trim(), "" | "0"));
        Self { is_debugged: DEBUG_VARIABLES.iter().any(is_on) }
    }

    /// The lines that are printed.
    #[must_use]
    pub(crate) fn level(self) -> LevelFilter {
        if self.is_debugged { LevelFilter::Debug } else { LevelFilter::Warn }
    }

    /// Prints a line, `since` the beginning; where every step is told, as the Python package prints it.
    pub(crate) fn tell(self, console: &dyn Console, line: &Line, since: Duration) {
        let Line { level, target, message, .. } = line;
        let text = if self.is_debugged {
            let level = match level {
                Level::Warn => "WARNING",
                level => level.as_str(),
            };
            format!("{} {level} +{} ms: {message}\n", target.replace("::", "."), since.as_millis())
        } else {
            format!("{LOG_ROOT}: {message}\n")
        };
        console.eprint(&text);
    }
}
