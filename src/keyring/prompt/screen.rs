//! The steps of a sign-in, on the terminal. Standard output and standard error belong to the tool that asks, which may
//! capture them.

use std::time::Duration;

use crate::{
    error::Error,
    registry::sign_in::Step,
    shown::{escaped, shown},
    system::terminal::TerminalWriter,
};

/// The terminal, with what it shows.
pub(super) struct Screen {
    terminal: Box<dyn TerminalWriter>,
    /// The minutes left that were shown last.
    minutes: Option<u64>,
}

impl Screen {
    pub(super) fn new(terminal: Box<dyn TerminalWriter>) -> Self {
        Self { terminal, minutes: None }
    }

    /// Shows a step: what to open, what to type, and each minute the time left, at most that of the lookup.
    pub(super) fn show(&mut self, step: &Step<'_>, limit: Duration) {
        match step {
            Step::Begins { index, tenant, .. } => {
                // The cursor may be at the end of the tool's progress bar.
                self.terminal.write("\n");
                self.line(&format!("{} needs a sign-in (tenant {}); Ctrl-C cancels it", shown(index), shown(tenant)));
            }
            Step::Browser { url, is_opened: true, .. } => {
                self.line(&format!("sign in with the browser that opens, or open {}", escaped(url)));
            }
            Step::Browser { url, is_opened: false, .. } => self.line(&format!("open {} to sign in", escaped(url))),
            Step::Code { url, code, .. } => {
                self.line(&format!("open {} and enter the code {}", escaped(url), shown(code)));
            }
            Step::Waits { remaining } => {
                let minutes = limit.min(*remaining).as_secs().div_ceil(60);
                if self.minutes != Some(minutes) {
                    self.minutes = Some(minutes);
                    self.line(&format!("waiting, {minutes} minute{} left", if minutes == 1 { "" } else { "s" }));
                }
            }
        }
    }

    pub(super) fn succeeded(&mut self, account: &str) {
        self.line(&format!("signed in as {}", shown(account)));
    }

    pub(super) fn failed(&mut self, error: &Error) {
        self.line(&error.warning());
    }

    fn line(&mut self, text: &str) {
        self.terminal.write(&format!("ringbearer: {text}\n"));
    }
}
