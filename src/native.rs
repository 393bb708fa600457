//! The native programs: from `main` to a lookup in a thread of its own, and back to an exit code.
//!
//! What `python.rs` is for Python, this is for the operating system: it has the arguments, the signals and the streams.

use std::{
    ffi::OsString,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    cli::{self, Ending, Log, Memory, World},
    error::Result,
    keyring::lookup::{Event, LogToLookup, Lookup},
    system::os::{Environment, OsSystem, StdConsole, signals::Signals},
};

/// How often a wait looks for a signal.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

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
    let environment = Environment::capture();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let work = match program {
        Program::Keyring => Ok(Work::Keyring(cli::keyring::read(words))),
        Program::Ringbearer => cli::parse(words).map(Work::Ringbearer),
    };
    let outcome = work.and_then(|work| run(work, environment.clone(), &signals));
    // Whatever came of it meanwhile: the person gave up.
    signals.raise();
    ExitCode::from(cli::end(&StdConsole, &environment, outcome))
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

    fn run(&self, world: &World<'_>) -> Result<Ending> {
        match self {
            Self::Keyring(call) => cli::keyring::run(world, call),
            Self::Ringbearer(command) => cli::run(world, command, None),
        }
    }
}

#[allow(clippy::disallowed_methods)] // For the times in what is printed.
fn run(work: Work, environment: Environment, signals: &Signals) -> Result<Ending> {
    let log = Log::of(&environment);
    let memory = Memory::default();
    let limit = work.limit(&memory);
    let network = Arc::clone(&memory.network);
    let start = Instant::now();
    let mut lookup = Lookup::start(environment, network, log.level(), limit, move |system: &OsSystem| {
        work.run(&World { system, console: &StdConsole, memory: &memory })
    })?;
    loop {
        match lookup.next_event(POLL_INTERVAL) {
            // Whoever gave up has heard enough.
            Some(Event::Log(line)) if !signals.caught() => log.tell(&StdConsole, &line, start.elapsed()),
            Some(Event::Done(outcome)) => return outcome,
            Some(Event::Log(_)) | None => {}
        }
        if signals.caught() {
            lookup.give_up(cli::farewell(limit));
        }
    }
}
