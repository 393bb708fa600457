//! The command line.
//!
//! - `definitions`: the table of commands and options, from which `arguments` (the parser), `help`, `completions` and
//!   `reference` (docs/reference/cli.md) derive
//! - `command`: from arguments to a [`Command`]; `keyring_arguments`: the same for the grammar of keyring
//! - [`keyring`]: the native program `keyring`; `backend_choice`: the backend that its settings select
//! - `secret`: `get`, `set` and `del`
//! - `login`: `login` and `logout`
//! - `store`, `doctor`, [`cache`], `token`, `setup`: the other commands
//! - `tools`: the settings of the tools on this machine
//! - `shell`: commands in the syntax of the user's shell
//! - `version`, `log`, `progress`: shared by the commands

mod arguments;
mod backend_choice;
pub(crate) mod cache;
mod command;
mod completions;
mod definitions;
mod doctor;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod help;
pub(crate) mod keyring;
mod keyring_arguments;
mod log;
mod login;
mod progress;
#[cfg(test)]
pub(crate) mod reference;
mod secret;
mod setup;
mod shell;
mod store;
mod token;
mod tools;
mod version;

use std::{
    path::{MAIN_SEPARATOR_STR, Path},
    time::Duration,
};

use crate::{
    error::{Error, HIDDEN, Kind, Result, quote},
    keyring::{
        lookup::SHUTDOWN_GRACE,
        memory::{Memory, STORE_LIMIT, World},
    },
    store::Entry,
    system::{
        console::Console,
        io_message,
        os::{self, Environment, LOOKUP_LIMIT},
        process::Exec,
    },
};

use self::login::{LOGIN_LIMIT, command::LoginCommand};
pub(crate) use self::{
    command::{Command, parse},
    log::Log,
    store::command::Foreign,
};

/// Success.
pub(crate) const DONE: u8 = 0;
/// Failure for any reason without a code of its own.
pub(crate) const FAILED: u8 = 1;
/// Wrong arguments.
pub(crate) const USAGE: u8 = 2;
/// The store is locked: no ssh-agent, its key not in the agent, or the signature refused.
pub(crate) const LOCKED: u8 = 3;
/// The store or part of it is damaged.
pub(crate) const CORRUPTED: u8 = 4;
/// There is no store, or no such record.
pub(crate) const NOT_FOUND: u8 = 5;
/// Another process has the lock of the store.
pub(crate) const BUSY: u8 = 6;
/// Interrupted by SIGINT; the exit code of shells.
pub(crate) const INTERRUPTED: u8 = 130;

/// The grace period of a cancelled command with this time limit. One that may be writing the store removes its temporary
/// file.
#[must_use]
pub(crate) fn shutdown_grace(limit: Duration) -> Duration {
    if [STORE_LIMIT, LOGIN_LIMIT].contains(&limit) { Duration::from_secs(1) } else { SHUTDOWN_GRACE }
}

impl Command {
    /// The time limit, unless RINGBEARER_TIMEOUT sets another.
    #[must_use]
    pub(crate) fn limit(&self, environment: &Environment, memory: &Memory) -> Duration {
        match self {
            Self::Keyring(line) => keyring::limit(environment, line, memory),
            Self::Login(LoginCommand::SignIn(_)) => LOGIN_LIMIT,
            // The login may be in the store.
            Self::Store(_) | Self::Login(LoginCommand::SignOut { .. }) => STORE_LIMIT,
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

/// Ends a command: prints its error, or runs the other program. Returns the exit code, which has 32 bits on Windows.
pub(crate) fn end(console: &dyn Console, environment: &Environment, outcome: Result<Ending>) -> i32 {
    match outcome {
        Ok(Ending::Code(code)) => code.into(),
        Ok(Ending::Exec(exec)) => os::exec(environment, &exec).unwrap_or_else(|error| {
            report(console, &error);
            exec.failure_code.into()
        }),
        Err(error) => report(console, &error).into(),
    }
}

/// Runs a command of `ringbearer`. `foreign` contains the records of [`Command::foreign`].
pub(crate) fn run(world: &World<'_>, command: &Command, foreign: Option<Vec<Entry>>) -> Result<Ending> {
    let code = match command {
        Command::Help(command) => print(world.console, &help::text(command)),
        Command::Version => print(world.console, version::TEXT),
        Command::Login(command) => login::run(world, command),
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

/// Prints an error, and returns the exit code.
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
        // The reader has closed the pipe, as in `ringbearer store list | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(DONE),
        Err(error) => {
            Err(Error::new(Kind::Storage, format!("standard output cannot be written: {}", io_message(&error))))
        }
    }
}

/// Foreign text, escaped for a terminal.
fn shown(name: &str) -> String {
    if name.is_empty() {
        "(empty)".to_owned()
    } else {
        quote(&name.escape_debug().to_string(), &[]).replace("\\'", "'")
    }
}

/// A path, escaped for a terminal, with the separators of the platform.
fn shown_path(path: impl AsRef<Path>) -> String {
    // Windows also accepts `/`, which people do not write there.
    let path = path.as_ref().display().to_string().replace('/', MAIN_SEPARATOR_STR);
    shown(&path).replace("\\\\", "\\")
}

/// An error message about arguments, without the user information of URLs, which may contain a token.
fn complaint(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        safe.push_str(before);
        safe.push_str("://");
        let end = after.find(|character: char| character.is_whitespace() || character == '"').unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                safe.push_str(HIDDEN);
                &after[at..]
            }
            None => after,
        };
    }
    safe.push_str(rest);
    quote(&safe, &[])
}

/// JSON in ASCII only, since a terminal interprets some other characters.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_people_write_them() {
        assert!(shown_path("a\u{1b}[31m").contains("\\u{1b}"));
        assert_eq!(shown_path(r"\\.\pipe\openssh-ssh-agent"), r"\\.\pipe\openssh-ssh-agent");
        let mixed = shown_path("C:\\users\\ada/.config/uv.toml");
        assert_eq!(
            mixed,
            if cfg!(windows) { r"C:\users\ada\.config\uv.toml" } else { r"C:\users\ada/.config/uv.toml" }
        );
    }
}
