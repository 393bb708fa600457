//! The bar of work that takes longer than a second, where a person watches.

use std::time::{Duration, SystemTime};

use crate::system::{System, console::Console};

/// How long work goes on in silence.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar moves.
const PACE: Duration = Duration::from_millis(100);
const WIDTH: usize = 30;

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
        let next = console.stderr_is_terminal().then(|| system.now() + PATIENCE);
        Self { system, console, what, next, is_shown: false }
    }

    /// Shows how far the work has come, if it is time to.
    pub(super) fn show(&mut self, done: usize, all: usize) {
        let now = self.system.now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + PACE);
        self.is_shown = true;
        let full = (WIDTH * done).checked_div(all).unwrap_or(WIDTH).min(WIDTH);
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full));
        self.console.eprint(&format!("\r{} [{bar}] {done} of {all}", self.what));
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            self.console.eprint("\r\u{1b}[K");
        }
    }
}
