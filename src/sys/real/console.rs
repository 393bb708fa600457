//! Standard output and standard error.

use std::io::{self, IsTerminal, Write, stderr, stdout};

use crate::sys::console::Console;

/// The console of this process.
pub struct Standard;

impl Console for Standard {
    fn print(&self, text: &str) -> io::Result<()> {
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn tell(&self, text: &str) {
        let mut err = stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    fn is_watched(&self) -> bool {
        stderr().is_terminal()
    }
}
