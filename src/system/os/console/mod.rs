//! Standard input, standard output and standard error.
//!
//! - `terminal`, `windows`: a line that is typed without echo, at a terminal of Unix and at a console of Windows
//! - `line`: the editing of such a line; a console of Windows does it itself

#[cfg(unix)]
mod line;
#[cfg(unix)]
mod terminal;
#[cfg(windows)]
mod windows;

use std::io::{self, IsTerminal, Read, Write, stderr, stdin, stdout};

use zeroize::Zeroizing;

#[cfg(unix)]
use self::terminal as hidden;
#[cfg(windows)]
use self::windows as hidden;
use crate::{
    error::{Error, Kind, Result},
    system::{console::Console, io_message},
};

/// The initial capacity for standard input, in bytes.
const INITIAL_CAPACITY: usize = 16 * 1024;

/// The longest line that can be typed, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// The console of this process.
pub(crate) struct StdConsole;

impl Console for StdConsole {
    fn print(&self, text: &str) -> io::Result<()> {
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn eprint(&self, text: &str) {
        let mut err = stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    fn stderr_is_terminal(&self) -> bool {
        stderr().is_terminal()
    }

    fn stdout_is_terminal(&self) -> bool {
        stdout().is_terminal()
    }

    fn read_piped(&self, cap: usize) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let input = stdin();
        if input.is_terminal() {
            return Ok(None);
        }
        let mut input = input.lock();
        let mut content = Zeroizing::new(Vec::with_capacity(INITIAL_CAPACITY));
        loop {
            let room = content.capacity() - content.len();
            let read =
                input.by_ref().take(room as u64).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
            if content.len() > cap {
                return Err(Error::new(Kind::Usage, format!("standard input holds more than {} KiB", cap / 1024)));
            }
            if read < room {
                return Ok(Some(content));
            }
            // Copied by hand: a vector that reallocates leaves its old content unwiped.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * content.capacity()));
            larger.extend_from_slice(&content);
            content = larger;
        }
    }

    fn prompt_hidden(&self, prompt: &str, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        let hidden = hidden::Input::begin()?;
        self.eprint(prompt);
        let line = hidden.line(check);
        drop(hidden);
        self.eprint("\n");
        line
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error::new(Kind::Storage, format!("standard input cannot be read: {}", io_message(error))).with_source(error)
}
