//! The log of a command, on standard error.

use std::time::Duration;

use log::{Level, LevelFilter};

use crate::{
    keyring::lookup::{LOG_ROOT, Line},
    registry,
    system::{console::Console, os::Environment},
};

/// Which log lines a command prints, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    is_debugged: bool,
}

impl Log {
    /// As the environment configures it.
    #[must_use]
    pub(crate) fn of(environment: &Environment) -> Self {
        Self { is_debugged: registry::is_debugged(|name| environment.text(name)) }
    }

    /// The level of the printed lines.
    #[must_use]
    pub(crate) fn level(self) -> LevelFilter {
        if self.is_debugged { LevelFilter::Debug } else { LevelFilter::Warn }
    }

    /// Prints a line that was logged `elapsed` after the start; with debug output in the format of `debugging.py`.
    pub(crate) fn print(self, console: &dyn Console, line: &Line, elapsed: Duration) {
        let Line { level, target, message, .. } = line;
        let text = if self.is_debugged {
            let level = match level {
                Level::Warn => "WARNING",
                level => level.as_str(),
            };
            format!("{} {level} +{} ms: {message}\n", target.replace("::", "."), elapsed.as_millis())
        } else {
            format!("{LOG_ROOT}: {message}\n")
        };
        console.eprint(&text);
    }
}
