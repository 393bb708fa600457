//! A console that records what is printed.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result},
    system::console::Console,
};

/// The standard streams of one test.
#[derive(Default)]
pub(crate) struct FakeConsole {
    is_terminal: bool,
    stdout: Mutex<String>,
    stderr: Mutex<String>,
}

impl FakeConsole {
    /// A terminal.
    pub(crate) fn terminal() -> Self {
        Self { is_terminal: true, ..Self::default() }
    }

    /// What was printed to standard output since the last call.
    pub(crate) fn stdout(&self) -> String {
        std::mem::take(&mut *self.stdout.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was printed to standard error since the last call.
    pub(crate) fn stderr(&self) -> String {
        std::mem::take(&mut *self.stderr.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Console for FakeConsole {
    fn print(&self, text: &str) -> io::Result<()> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    fn eprint(&self, text: &str) {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    fn stderr_is_terminal(&self) -> bool {
        self.is_terminal
    }

    fn stdout_is_terminal(&self) -> bool {
        self.is_terminal
    }

    fn read_piped(&self, _cap: usize) -> Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(None)
    }

    fn prompt_hidden(&self, _prompt: &str, _check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        Err(Error::new(Kind::Storage, "nobody types"))
    }
}
