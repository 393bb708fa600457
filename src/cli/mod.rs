//! The command line: what is asked for, and how it went.
//!
//! - `arguments`, `help`: from the words of `ringbearer` to a [`Command`], and what each command says of itself
//! - [`keyring`]: the words of `keyring`, and the native program of that name
//! - `secret`: `get`, `set` and `del`
//! - `store`: the commands of the store
//! - `doctor`: what answers a URL and why, and how tools would ask
//! - [`cache`]: the tokens that are kept in this login session
//! - `token`: a token for what asks no keyring
//! - `setup`: the settings that make tools ask
//! - `tools`: how the tools on this machine are set up
//! - `options`, `completions`, `version`, `log`, `progress`: what the commands have in common

mod arguments;
pub(crate) mod cache;
mod completions;
mod doctor;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod help;
pub(crate) mod keyring;
mod log;
mod options;
mod progress;
mod secret;
mod setup;
mod store;
mod token;
mod tools;
mod version;

use std::time::Duration;

use crate::{
    error::{Error, Kind, Result, quote},
    keyring::{
        lookup::SHUTDOWN_GRACE,
        memory::{Memory, STORE_LIMIT, World},
    },
    store::Entry,
    system::{
        console::Console,
        os::{self, Environment, LOOKUP_LIMIT},
        process::Exec,
    },
};

pub(crate) use self::{
    arguments::{Command, parse},
    log::Log,
    store::Foreign,
};

/// Done.
pub(crate) const DONE: u8 = 0;
/// It failed, for a reason that none of the others names.
pub(crate) const FAILED: u8 = 1;
/// The arguments are wrong.
pub(crate) const USAGE: u8 = 2;
/// The ssh-agent is not there, does not have the key, or refused.
pub(crate) const LOCKED: u8 = 3;
/// The store, or part of it, is damaged.
pub(crate) const CORRUPTED: u8 = 4;
/// There is no store, or not what was asked for in it.
pub(crate) const NOT_FOUND: u8 = 5;
/// Another process has the lock.
pub(crate) const BUSY: u8 = 6;
/// The person at the keyboard gave up: as a shell has it for SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// The grace period of a cancelled command with this time limit. One that may be writing the store removes its temporary
/// file.
#[must_use]
pub(crate) fn shutdown_grace(limit: Duration) -> Duration {
    if limit == STORE_LIMIT { Duration::from_secs(1) } else { SHUTDOWN_GRACE }
}

impl Command {
    /// How long it may take unless RINGBEARER_TIMEOUT says otherwise.
    #[must_use]
    pub(crate) fn limit(&self, memory: &Memory) -> Duration {
        match self {
            Self::Keyring(line) => keyring::limit(line, memory),
            Self::Store(_) => STORE_LIMIT,
            _ => LOOKUP_LIMIT,
        }
    }
}

/// How a command ends.
pub(crate) enum Ending {
    /// With an exit code.
    Code(u8),
    /// By letting another program take the place of this one.
    Exec(Exec),
}

impl From<u8> for Ending {
    fn from(code: u8) -> Self {
        Self::Code(code)
    }
}

/// Ends a command: says what failed, or lets the other program take over. Answers the exit code.
pub(crate) fn end(console: &dyn Console, environment: &Environment, outcome: Result<Ending>) -> u8 {
    match outcome {
        Ok(Ending::Code(code)) => code,
        Ok(Ending::Exec(exec)) => os::exec(environment, &exec).unwrap_or_else(|error| {
            report(console, &error);
            exec.failure_code
        }),
        Err(error) => report(console, &error),
    }
}

/// Runs a command of `ringbearer`. `foreign` holds what was read from another keyring, for
/// the command that asks for it.
pub(crate) fn run(world: &World<'_>, command: &Command, foreign: Option<Vec<Entry>>) -> Result<Ending> {
    let code = match command {
        Command::Help(text) => print(world.console, text),
        Command::Version => print(world.console, version::TEXT),
        Command::Store(command) => store::run(world, command, foreign),
        Command::Keyring(line) => secret::run(world, line),
        Command::Token { url, output_file } => token::token(world, url, output_file.as_deref()),
        Command::Exec { url, variable, command } => {
            return token::exec(world, url.as_deref(), variable.as_deref(), command);
        }
        Command::Setup { tool, url, name, file, write } => {
            setup::run(world, *tool, url, name.as_deref(), file.as_deref(), *write)
        }
        Command::Cache(action) => cache::run(world, *action),
        Command::Completions(shell) => print(world.console, &completions::script(*shell)),
        Command::Doctor { url, json } => doctor::run(world, url.as_ref(), *json),
    };
    code.map(Ending::Code)
}

/// Says what failed, and answers the exit code.
pub(crate) fn report(console: &dyn Console, error: &Error) -> u8 {
    if error.kind() == Kind::Cancelled {
        return INTERRUPTED;
    }
    console.eprint(&format!("ringbearer: {error}\n"));
    match error.kind() {
        Kind::Usage => USAGE,
        Kind::Locked => LOCKED,
        Kind::Corrupted => CORRUPTED,
        Kind::NotFound => NOT_FOUND,
        _ => FAILED,
    }
}

fn print(console: &dyn Console, text: &str) -> Result<u8> {
    match console.print(text) {
        Ok(()) => Ok(DONE),
        // `ringbearer store list | head` is no failure of ours, and nobody is left to be told.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(DONE),
        Err(error) => Err(Error::new(Kind::Storage, format!("standard output cannot be written: {}", error.kind()))),
    }
}

/// A name of somebody else's, fit for a terminal.
fn shown(name: &str) -> String {
    if name.is_empty() {
        "(empty)".to_owned()
    } else {
        quote(&name.escape_debug().to_string(), &[]).replace("\\'", "'")
    }
}

/// A complaint about words that were typed, without the user information of URLs among them: it may be a token.
fn complaint(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        safe.push_str(before);
        safe.push_str("://");
        let end = after.find(|character: char| character.is_whitespace() || character == '"').unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                safe.push_str("(hidden)");
                &after[at..]
            }
            None => after,
        };
    }
    safe.push_str(rest);
    quote(&safe, &[])
}

/// JSON in ASCII alone: it may well be shown on a terminal, which acts on some of the other characters.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len() * 2);
    for character in json.chars() {
        if matches!(character, ' '..='~' | '\n') {
            ascii.push(character);
        } else {
            ascii.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}
