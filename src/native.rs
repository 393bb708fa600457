//! The native programs: from `main` to a lookup in a thread of its own, and back to an exit code.
//!
//! What `python.rs` is for Python, this is for the operating system: it has the arguments, the signals and the streams.

use std::{
    ffi::OsString,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use log::{Level, LevelFilter};

use crate::{
    cli::{self, Memory, World},
    error::Result,
    lookup::{Event, LOG_ROOT, Line, LogToLookup, Lookup},
    sys::{
        console::Console,
        real::{Environment, Real, Standard, signals::Signals},
    },
};

/// How often a wait looks for a signal.
const GLANCE: Duration = Duration::from_millis(20);

/// Print every step on standard error, if one of them is set and not 0.
const DEBUG_VARIABLES: [&str; 2] = ["RINGBEARER_DEBUG", "ARTIFACTS_KEYRING_NOFUSS_DEBUG"];

/// Which of the programs is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `keyring`: what tools call.
    Keyring,
    /// `ringbearer`: what people call.
    Ringbearer,
}

/// Runs a program to its end.
#[must_use]
// The edge, as python.rs is: there is no other place for the arguments to come from.
#[allow(clippy::disallowed_methods)]
pub fn main(program: Program) -> ExitCode {
    let signals = Signals::watch();
    LogToLookup::install();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let code = match program {
        Program::Keyring => Ok(Work::Keyring(cli::keyring::read(words))),
        Program::Ringbearer => cli::parse(words).map(Work::Ringbearer),
    }
    .and_then(|work| run(work, &signals))
    .unwrap_or_else(|error| cli::report(&Standard, &error));
    signals.raise();
    ExitCode::from(code)
}

/// What is to be done.
enum Work {
    Keyring(cli::keyring::Call),
    Ringbearer(cli::Command),
}

impl Work {
    fn limit(&self, memory: &Memory) -> Duration {
        match self {
            Self::Keyring(call) => call.limit(memory),
            Self::Ringbearer(command) => command.limit(memory),
        }
    }

    fn run(&self, world: &World<'_>) -> Result<u8> {
        match self {
            Self::Keyring(call) => cli::keyring::run(world, call),
            Self::Ringbearer(command) => cli::run(world, command, None),
        }
    }
}

#[allow(clippy::disallowed_methods)] // For the times in what is printed.
fn run(work: Work, signals: &Signals) -> Result<u8> {
    let environment = Environment::capture();
    let is_debugged = DEBUG_VARIABLES
        .iter()
        .any(|name| environment.text(name).is_some_and(|value| !matches!(value.trim(), "" | "0")));
    let level = if is_debugged { LevelFilter::Debug } else { LevelFilter::Warn };
    let memory = Memory::default();
    let limit = work.limit(&memory);
    let network = Arc::clone(&memory.network);
    let start = Instant::now();
    let mut lookup = Lookup::start(environment, network, level, limit, move |system: &Real| {
        work.run(&World { system, console: &Standard, memory: &memory })
    })?;
    loop {
        match lookup.next_event(GLANCE) {
            Some(Event::Log(line)) => tell(&line, is_debugged, start.elapsed()),
            Some(Event::Done(outcome)) => return outcome,
            None => {}
        }
        if signals.caught() {
            lookup.give_up();
        }
    }
}

/// A line for a person; where every step is told, as the Python package prints it.
fn tell(line: &Line, is_debugged: bool, since: Duration) {
    let Line { level, target, message, .. } = line;
    if is_debugged {
        let name = target.replace("::", ".");
        let level = level_name(*level);
        Standard.tell(&format!("{name} {level} +{} ms: {message}\n", since.as_millis()));
    } else {
        Standard.tell(&format!("{LOG_ROOT}: {message}\n"));
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}
