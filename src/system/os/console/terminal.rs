//! A line from a terminal of Unix, without echo.

use std::{
    io::{self, Stdin, stdin},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};
use zeroize::Zeroizing;

use super::{line::Line, unreadable};
use crate::error::Result;

/// The terminal in raw mode, restored when dropped. Ctrl-C arrives as a character: as a signal it would end the process
/// without restoring the terminal.
pub(super) struct Input {
    terminal: Stdin,
    before: Termios,
}

impl Input {
    /// Switches echo off.
    pub(super) fn begin() -> Result<Self> {
        Self::in_raw_mode(stdin()).map_err(|error| unreadable(&error))
    }

    fn in_raw_mode(terminal: Stdin) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        // A read returns after at most a tenth of a second.
        silent.special_codes[SpecialCodeIndex::VMIN] = 0;
        silent.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }

    /// Reads a line. `check` is polled, and its error ends the line.
    pub(super) fn line(&self, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        let mut line = Line::new();
        let mut key = Zeroizing::new([0_u8]);
        loop {
            check()?;
            match rustix::io::read(&self.terminal, &mut *key) {
                Ok(1) => {}
                Ok(_) | Err(Errno::INTR) => {
                    // A read from a closed terminal returns immediately: avoid a busy loop.
                    thread::sleep(Duration::from_millis(10));
                    continue;
                }
                Err(error) => return Err(unreadable(&error.into())),
            }
            if let Some(line) = line.push(key[0])? {
                return Ok(line);
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
