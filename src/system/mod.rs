//! The operating system behind small traits: environment, clock, files, HTTP, child processes, the ssh-agent's socket,
//! shared memory, the desktop's keyring, the loopback interface, the terminal and random numbers. Only [`os`] calls the operating system itself (`clippy.toml` forbids it elsewhere).
//!
//! A [`System`] lives for one lookup. It knows the lookup's deadline and cancellation token and applies them to every
//! wait, so that no caller has to.

pub(crate) mod agent;
pub(crate) mod clock;
pub(crate) mod console;
pub(crate) mod desktop_keyring;
pub(crate) mod environment;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fake;
pub(crate) mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub(crate) mod http;
pub(crate) mod loopback;
pub(crate) mod os;
pub(crate) mod places;
pub(crate) mod platform;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod retry;
pub(crate) mod shared_memory;
pub(crate) mod terminal;

use std::io;

pub(crate) use self::{
    agent::AgentSocket,
    clock::{CancellationToken, Clock},
    desktop_keyring::DesktopKeyring,
    environment::Env,
    files::Files,
    http::Http,
    loopback::Loopback,
    platform::Platform,
    process::Processes,
    random::Random,
    shared_memory::SharedMemory,
    terminal::Terminal,
};

/// Everything that a lookup may read and do.
pub(crate) trait System:
    Env
    + Clock
    + Files
    + Http
    + Processes
    + AgentSocket
    + SharedMemory
    + DesktopKeyring
    + Loopback
    + Terminal
    + Random
    + Send
    + Sync
{
}

impl<All> System for All where
    All: Env
        + Clock
        + Files
        + Http
        + Processes
        + AgentSocket
        + SharedMemory
        + DesktopKeyring
        + Loopback
        + Terminal
        + Random
        + Send
        + Sync
{
}

/// The message of an I/O error, in lower case, without the error number and the full stop that Windows ends it with.
///
/// Nothing else formats an [`io::ErrorKind`]: those without a stable name need other words.
#[must_use]
pub(crate) fn io_message(error: &io::Error) -> String {
    let message = error.to_string();
    let message = message.split(" (os error ").next().unwrap_or_default().trim_end_matches('.');
    if message == "uncategorized error" {
        return "an error that the operating system does not explain".to_owned();
    }
    let mut characters = message.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_io_error_is_a_clause() {
        for (error, clause) in [
            ("Access is denied. (os error 5)", "access is denied"),
            ("No such file or directory (os error 2)", "no such file or directory"),
            ("a dangling symbolic link", "a dangling symbolic link"),
        ] {
            assert_eq!(io_message(&io::Error::other(error)), clause);
        }
        // The kind of an error that has no stable name.
        let uncategorized = io::Error::from_raw_os_error(i32::MAX).kind();
        assert_eq!(uncategorized.to_string(), "uncategorized error");
        assert_eq!(io_message(&uncategorized.into()), "an error that the operating system does not explain");
    }
}
