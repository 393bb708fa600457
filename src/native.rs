//! The native programs: arguments, signals, streams and exit codes around a lookup on a thread of its own.

use std::{
    ffi::OsString,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    cli::{self, Ending, Log},
    error::{Error, Kind, Result},
    keyring::{
        lookup::{LogToLookup, Lookup},
        memory::{Memory, World},
    },
    system::os::{Environment, OsSystem, StdConsole, is_filter, run_filter, signals::Signals},
};

/// The programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `keyring`: what tools call.
    Keyring,
    /// `ringbearer`: what people call.
    Ringbearer,
}

/// Runs a program and returns its exit code. Ends the process itself if the code is larger than 255.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the edge reads the arguments of the process and ends it")]
pub fn main(program: Program) -> ExitCode {
    let signals = Signals::watch();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if is_filter(&words) {
        let mut filter = cli::keyring::TracebackFilter::default();
        run_filter(|piece| filter.pass(piece));
        return ExitCode::SUCCESS;
    }
    LogToLookup::install();
    let environment = Environment::capture();
    let work = match program {
        Program::Keyring => Ok(Work::Keyring(cli::keyring::read(words))),
        Program::Ringbearer => cli::parse(words).map(Work::Ringbearer),
    };
    let outcome = work.and_then(|work| run(work, environment.clone(), &signals));
    // A signal takes precedence over the outcome.
    signals.raise();
    let code = cli::end(&StdConsole, &environment, outcome);
    // `ExitCode` holds 8 bits; the exit code of a program on Windows has 32.
    u8::try_from(code).map_or_else(|_| std::process::exit(code), ExitCode::from)
}

/// A parsed command line.
enum Work {
    Keyring(cli::keyring::Call),
    Ringbearer(cli::Command),
}

impl Work {
    fn limit(&self, environment: &Environment, memory: &Memory) -> Duration {
        match self {
            Self::Keyring(call) => call.limit(environment, memory),
            Self::Ringbearer(command) => command.limit(environment, memory),
        }
    }

    fn run(&self, world: &World<'_>) -> Result<Ending> {
        match self {
            Self::Keyring(call) => cli::keyring::run(world, call),
            Self::Ringbearer(command) => cli::run(world, command, None),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "log lines show the elapsed time")]
fn run(work: Work, environment: Environment, signals: &Signals) -> Result<Ending> {
    let log = Log::of(&environment);
    let memory = Memory::default();
    let limit = work.limit(&environment, &memory);
    let network = Arc::clone(&memory.network);
    let start = Instant::now();
    let lookup = Lookup::start(environment, network, log.level(), limit, move |system: &OsSystem| {
        work.run(&World { system, console: &StdConsole, memory: &memory })
    })?;
    let interrupted = || if signals.caught() { Err(Error::new(Kind::Cancelled, "interrupted")) } else { Ok(()) };
    let print = |line| {
        interrupted()?;
        log.print(&StdConsole, &line, start.elapsed());
        Ok(())
    };
    lookup.wait(cli::shutdown_grace(limit), Lookup::next_event, print, interrupted)?
}
