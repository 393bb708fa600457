//! Findings: printed at once for people, collected as JSON for programs.

use std::{cell::Cell, time::SystemTime};

use serde_json::{Map, Value, json};

use crate::{
    cli::{World, in_ascii, print},
    error::{Error, Kind, Result, single_line},
    system::System,
};

/// The verdict of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Works.
    Good,
    /// Does not work.
    Bad,
    /// May not work.
    Doubtful,
    /// Not used.
    Off,
    /// Neutral.
    Note,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Bad => "FAIL",
            Self::Doubtful => "warn",
            Self::Off => "skip",
            Self::Note => "-",
        }
    }

    /// The colour of the word (ECMA-48, section 8.3.117).
    fn colour(self) -> &'static str {
        match self {
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[31m",
            Self::Doubtful => "\u{1b}[33m",
            Self::Off | Self::Note => "\u{1b}[2m",
        }
    }
}

/// One finding.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) state: State,
    pub(super) name: String,
    pub(super) detail: String,
    /// What to do.
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn new(state: State, name: &str, detail: impl Into<String>) -> Self {
        Self { state, name: name.to_owned(), detail: detail.into(), fix: None }
    }

    pub(super) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// A failure, with its hint as the fix.
    pub(super) fn of_error(name: &str, error: &Error) -> Self {
        Self { fix: error.hint().map(str::to_owned), ..Self::new(State::Bad, name, error.message()) }
    }
}

/// The width of a finding's name and time, in characters.
const COLUMNS: usize = 28;

/// A report under way.
pub(super) struct Report<'all> {
    world: &'all World<'all>,
    json: bool,
    coloured: bool,
    last: Cell<SystemTime>,
    sections: Vec<(String, Vec<Value>, Map<String, Value>)>,
}

impl<'all> Report<'all> {
    pub(super) fn new(world: &'all World<'all>, json: bool) -> Self {
        let coloured = world.console.stdout_is_terminal()
            && world.system.setting("NO_COLOR").is_none()
            && world.system.setting("TERM").is_none_or(|terminal| terminal != "dumb");
        Self { world, json, coloured, last: Cell::new(world.system.now()), sections: Vec::new() }
    }

    /// Starts a section.
    pub(super) fn section(&mut self, title: &str) -> Result<()> {
        let title = &single_line(title);
        let gap = if self.sections.is_empty() { "" } else { "\n" };
        self.sections.push((title.to_owned(), Vec::new(), Map::new()));
        let (bold, plain) = if self.coloured { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        self.last.set(self.world.system.now());
        self.show(&format!("{gap}{bold}{title}{plain}\n"))
    }

    /// Adds a finding with the time since the previous one.
    pub(super) fn add(&mut self, finding: &Finding) -> Result<()> {
        // Settings and answers may hold control characters.
        let (name, detail) = (single_line(&finding.name), single_line(&finding.detail));
        let (state, fix) = (finding.state, finding.fix.as_deref().map(single_line));
        let now = self.world.system.now();
        let took = now.duration_since(self.last.replace(now)).unwrap_or_default();
        if let Some((_, findings, _)) = self.sections.last_mut() {
            findings.push(json!({
                "state": format!("{state:?}").to_ascii_lowercase(), "name": name, "detail": detail, "fix": fix,
                "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            }));
        }
        let time = if took.as_millis() > 0 { format!(" {} ms", took.as_millis()) } else { String::new() };
        let (colour, dim, plain) =
            if self.coloured { (state.colour(), "\u{1b}[2m", "\u{1b}[0m") } else { ("", "", "") };
        // A long name takes the room before the time.
        let room = COLUMNS.saturating_sub(name.chars().count());
        let text = format!("  {colour}{:4}{plain}  {name}{dim}{time:>room$}{plain}  {detail}\n", state.word());
        let fix = fix.as_ref().map_or_else(String::new, |fix| format!("{:38}{colour}->{plain} {fix}\n", ""));
        self.show(&(text + &fix))
    }

    /// Adds a field to the JSON of the section.
    pub(super) fn fact(&mut self, key: &str, value: Value) {
        if let Some((_, _, facts)) = self.sections.last_mut() {
            facts.insert(key.to_owned(), value);
        }
    }

    /// Prints the summary, or the whole JSON document.
    pub(super) fn end(self, is_good: bool, last: &str) -> Result<()> {
        if !self.json {
            return self.show(&format!("\n{last}\n"));
        }
        let sections: Vec<_> = self
            .sections
            .into_iter()
            .map(|(title, findings, mut facts)| {
                facts.insert("title".to_owned(), title.into());
                facts.insert("findings".to_owned(), findings.into());
                Value::Object(facts)
            })
            .collect();
        let document = json!({
            "ringbearer": env!("CARGO_PKG_VERSION"), "ok": is_good, "summary": last, "sections": sections,
        });
        let text = serde_json::to_string_pretty(&document)
            .map_err(|_| Error::new(Kind::Internal, "the answer cannot be written as JSON"))?;
        print(self.world.console, &format!("{}\n", in_ascii(&text))).map(drop)
    }

    pub(super) fn system(&self) -> &'all dyn System {
        self.world.system
    }

    fn show(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { print(self.world.console, text).map(drop) }
    }
}
