//! The steps of a sign-in: a short text with a countdown at a terminal, plain lines elsewhere, or JSON.

use std::time::Duration;

use serde_json::json;

use crate::{
    cli::{cache::in_words, in_ascii, print, progress::CLEAR_LINE, shown},
    error::{Error, Result},
    registry::sign_in::Step,
    shown::escaped,
    system::console::Console,
};

/// Shows steps on standard error, or prints them as JSON on standard output.
pub(super) struct Progress<'all> {
    console: &'all dyn Console,
    /// The name of the registry.
    title: &'static str,
    json: bool,
    /// The organisation, once it is known.
    organisation: Option<String>,
    /// The line of the countdown, if one is shown.
    countdown: Option<String>,
    failure: Option<Error>,
}

impl<'all> Progress<'all> {
    pub(super) fn new(console: &'all dyn Console, title: &'static str, json: bool) -> Self {
        Self { console, title, json, organisation: None, countdown: None, failure: None }
    }

    /// Shows a step.
    pub(super) fn show(&mut self, step: &Step<'_>) {
        if let Step::Begins { organisation, .. } = step {
            self.organisation = Some((*organisation).to_owned());
        }
        if self.json {
            let printed = event(step).map_or(Ok(()), |event| print_line(self.console, &event));
            self.failure = printed.err().or_else(|| self.failure.take());
        } else {
            self.show_text(step);
        }
    }

    fn show_text(&mut self, step: &Step<'_>) {
        match *step {
            Step::Begins { organisation, .. } => {
                self.add(&format!("Sign in to {} ({})\n\n", shown(organisation), self.title));
            }
            // A page may be longer than the terminal is wide: it stands above the countdown, which is one line.
            Step::Browser { url, port, is_opened } => {
                let what = if is_opened {
                    "A browser opens. If it does not, open this page:"
                } else {
                    "No browser could be started. Open this page in one on this machine:"
                };
                self.add(&format!("{what}\n\n  {}\n\n", escaped(url)));
                if !is_opened {
                    let forward = format!("ssh -L {port}:localhost:{port} HOST");
                    self.add(&format!("If the browser is on another machine, first run there:\n\n  {forward}\n\n"));
                }
            }
            Step::Code { url, code, expires_in } => {
                self.add(&format!(
                    "Open this page in any browser:\n\n  {}\n\nand enter the code:\n\n  {}\n\n",
                    escaped(url),
                    shown(code)
                ));
                if !self.console.stderr_is_terminal() {
                    self.add(&format!("The code expires in {}.\n", in_words(expires_in)));
                }
            }
            Step::Waits { remaining } => self.count_down(remaining),
        }
    }

    /// Adds text below the last one.
    fn add(&mut self, text: &str) {
        self.clear();
        self.console.eprint(text);
    }

    /// Shows the time left, at a terminal.
    fn count_down(&mut self, remaining: Duration) {
        let seconds = remaining.as_secs();
        let line = format!("{}:{:02} left (Ctrl-C cancels)", seconds / 60, seconds % 60);
        if self.console.stderr_is_terminal() && self.countdown.as_ref() != Some(&line) {
            self.console.eprint(&format!("{CLEAR_LINE}{line}"));
            self.countdown = Some(line);
        }
    }

    /// Removes the countdown.
    fn clear(&mut self) {
        if self.countdown.take().is_some() {
            self.console.eprint(CLEAR_LINE);
        }
    }

    /// Ends the progress. Returns the organisation, if it is known. Fails if an event could not be printed.
    pub(super) fn end(mut self) -> Result<Option<String>> {
        self.failure.take().map_or_else(|| Ok(self.organisation.take()), Err)
    }
}

/// Also after Ctrl-C.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints an object on a line.
pub(super) fn print_line(console: &dyn Console, value: &serde_json::Value) -> Result<()> {
    print(console, &(in_ascii(&value.to_string()) + "\n")).map(drop)
}

/// A step as JSON, if programs need it.
fn event(step: &Step<'_>) -> Option<serde_json::Value> {
    match *step {
        Step::Browser { url, port, is_opened } => {
            Some(json!({ "event": "browser", "url": url, "port": port, "opened": is_opened }))
        }
        Step::Code { url, code, expires_in } => {
            Some(json!({ "event": "code", "url": url, "code": code, "expires_in": expires_in.as_secs() }))
        }
        Step::Begins { .. } | Step::Waits { .. } => None,
    }
}
