//! The command line `ringbearer`: what is asked for, and how it went.
//!
//! - `arguments`: from words to a [`Command`]
//! - `help`: what each command says of itself
//! - `store`: the commands of the store
//! - `progress`: the bar of long work

mod arguments;
mod help;
mod progress;
mod store;

use crate::{
    error::{Error, Kind, Result, quote},
    store::{Entry, Store},
    sys::{System, console::Console},
};

pub use self::arguments::{Command, Foreign, parse};

/// Done.
pub const DONE: u8 = 0;
/// It failed, for a reason that none of the others names.
pub const FAILED: u8 = 1;
/// The arguments are wrong.
pub const USAGE: u8 = 2;
/// The ssh-agent is not there, does not have the key, or refused.
pub const LOCKED: u8 = 3;
/// The store, or part of it, is damaged.
pub const CORRUPTED: u8 = 4;
/// There is no store, or not what was asked for in it.
pub const NOT_FOUND: u8 = 5;
/// Another process has the lock.
pub const BUSY: u8 = 6;

/// Runs a command and answers its exit code. `foreign` holds what was read from another keyring, for
/// the command that asks for it.
pub fn run(
    system: &dyn System,
    console: &dyn Console,
    store: &Store,
    command: &Command,
    foreign: Option<Vec<Entry>>,
) -> Result<u8> {
    match command {
        Command::Help(text) => print(console, text),
        Command::Version => print(console, &format!("ringbearer {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Store(command) => store::run(system, console, store, command, foreign),
    }
}

/// Says what failed, and answers the exit code.
pub fn report(console: &dyn Console, error: &Error) -> u8 {
    console.tell(&format!("ringbearer: {error}\n"));
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
