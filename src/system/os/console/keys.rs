//! A line from a console of Windows, without echo.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use console::{Key, Term};
use zeroize::Zeroizing;

use super::{
    line::{BACKSPACE, Line},
    unreadable,
};
use crate::{
    error::{Error, Kind, Result},
    system::os::clock::POLL_INTERVAL,
};

/// The keys that are typed. They are read as events, which are never echoed: no mode of the console is changed that a killed
/// process would leave behind. Ctrl-C does not arrive as a key.
pub(super) struct Input(mpsc::Receiver<io::Result<Key>>);

impl Input {
    /// Starts reading keys, on a thread: a read cannot be interrupted. The thread ends with the line or, if no key is typed,
    /// with the process.
    pub(super) fn begin() -> Result<Self> {
        let terminal = [Term::stderr(), Term::stdout()].into_iter().find(|terminal| terminal.features().is_attended());
        let terminal = terminal.ok_or_else(|| unasked("no console shows a prompt"))?;
        let (sender, keys) = mpsc::sync_channel(0);
        thread::Builder::new()
            .name("ringbearer-keys".to_owned())
            .spawn(move || {
                let mut is_last = false;
                while !is_last {
                    let key = terminal.read_key();
                    is_last = matches!(key, Ok(Key::Enter) | Err(_));
                    // The line may have ended, or the prompt been cancelled.
                    is_last |= sender.send(key).is_err();
                }
            })
            .map_err(|error| unreadable(&error))?;
        Ok(Self(keys))
    }

    /// Reads a line. `check` is polled, and its error ends the line.
    pub(super) fn line(&self, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        let mut line = Line::new();
        loop {
            check()?;
            let key = match self.0.recv_timeout(POLL_INTERVAL) {
                Ok(key) => key,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Err(unasked("the console cannot be read")),
            };
            // A pseudo terminal of Cygwin and MSYS is a pipe, which has no keys.
            let key = key.map_err(|error| unasked("the console cannot be read").with_source(&error))?;
            let mut encoded = Zeroizing::new([0; 4]);
            let bytes = match key {
                Key::Char(character) => character.encode_utf8(&mut *encoded).as_bytes(),
                Key::Enter => b"\r",
                Key::Backspace => &[BACKSPACE],
                Key::Tab => b"\t",
                _ => continue,
            };
            for &byte in bytes {
                if let Some(line) = line.push(byte)? {
                    return Ok(line);
                }
            }
        }
    }
}

fn unasked(reason: &str) -> Error {
    Error::new(Kind::Usage, format!("the password cannot be asked for: {reason}"))
        .with_hint("pipe it in, or use a console window of Windows")
}
