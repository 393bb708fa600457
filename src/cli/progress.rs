//! A progress bar for work that takes longer than a second, at a terminal.

use std::time::{Duration, SystemTime};

use crate::system::{System, console::Console};

/// The delay before the bar appears.
const DELAY: Duration = Duration::from_secs(1);
/// The time between updates.
const INTERVAL: Duration = Duration::from_millis(100);
const WIDTH: usize = 30;

/// Removes the line of the cursor.
pub(super) const CLEAR_LINE: &str = "\r\u{1b}[K";

/// A bar on standard error.
pub(super) struct Bar<'all> {
    system: &'all dyn System,
    console: &'all dyn Console,
    what: &'static str,
    next: Option<SystemTime>,
    is_shown: bool,
}

impl<'all> Bar<'all> {
    pub(super) fn new(system: &'all dyn System, console: &'all dyn Console, what: &'static str) -> Self {
        let next = console.stderr_is_terminal().then(|| system.now() + DELAY);
        Self { system, console, what, next, is_shown: false }
    }

    /// Shows the progress, if an update is due.
    pub(super) fn show(&mut self, done: usize, all: usize) {
        let now = self.system.now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + INTERVAL);
        self.is_shown = true;
        let full = (WIDTH * done).checked_div(all).unwrap_or(WIDTH).min(WIDTH);
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full));
        self.console.eprint(&format!("\r{} [{bar}] {done} of {all}", self.what));
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            self.console.eprint(CLEAR_LINE);
        }
    }
}
