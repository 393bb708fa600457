//! A line from a console of Windows, without echo.

use std::{
    io::{self, BufRead, Read, stdin},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use winapi_util::{HandleRef, console};
use zeroize::Zeroizing;

use super::{MAX_LINE, unreadable};
use crate::{
    error::{Error, Kind, Result},
    system::os::clock::POLL_INTERVAL,
};

/// `ENABLE_PROCESSED_INPUT`: Ctrl-C is a signal, not a character.
/// <https://learn.microsoft.com/en-us/windows/console/setconsolemode>
const PROCESSED_INPUT: u32 = 1;

/// `ENABLE_LINE_INPUT`: the console edits the line, and knows every way to type or paste a character.
const LINE_INPUT: u32 = 2;

/// `ENABLE_ECHO_INPUT`.
const ECHO_INPUT: u32 = 4;

/// The console without echo. Its mode is restored when dropped.
pub(super) struct Input {
    before: u32,
}

impl Input {
    /// Switches echo off.
    pub(super) fn begin() -> Result<Self> {
        // A pseudo terminal of Cygwin and MSYS is a pipe, which has no mode.
        let before = console::mode(HandleRef::stdin()).map_err(|error| unasked(&error))?;
        let silent = (before & !ECHO_INPUT) | PROCESSED_INPUT | LINE_INPUT;
        console::set_mode(HandleRef::stdin(), silent).map_err(|error| unasked(&error))?;
        Ok(Self { before })
    }

    /// Reads a line, on a thread: a read cannot be interrupted. `check` is polled, and its error ends the line.
    #[expect(clippy::unused_self, reason = "the line is read while the echo is off")]
    pub(super) fn line(&self, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        let (sender, line) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("ringbearer-line".to_owned())
            .spawn(move || {
                let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE + 1));
                let read = stdin().lock().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
                // The prompt may have been cancelled.
                let _ = sender.send(read.map(|_| line));
            })
            .map_err(|error| unreadable(&error))?;
        let mut line = loop {
            check()?;
            match line.recv_timeout(POLL_INTERVAL) {
                Ok(line) => break line.map_err(|error| unreadable(&error))?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(unreadable(&io::ErrorKind::UnexpectedEof.into())),
            }
        };
        let is_whole = line.pop_if(|byte| *byte == b'\n').is_some();
        line.pop_if(|byte| *byte == b'\r');
        if is_whole {
            Ok(line)
        } else if line.is_empty() {
            Err(Error::new(Kind::Usage, "no password was typed"))
        } else {
            Err(Error::new(Kind::Usage, "the line is too long"))
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let _ = console::set_mode(HandleRef::stdin(), self.before);
    }
}

fn unasked(error: &io::Error) -> Error {
    Error::new(Kind::Usage, "the password cannot be asked for: standard input is no console of Windows")
        .with_source(error)
        .with_hint("pipe it in, or use a console window of Windows")
}
