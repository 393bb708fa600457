//! Standard input, standard output and standard error.

use std::io::{self, IsTerminal, Read, Write, stderr, stdin, stdout};

use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result},
    system::{console::Console, io_message},
};

/// The initial capacity for standard input, in bytes.
const INITIAL_CAPACITY: usize = 16 * 1024;

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

    #[cfg(unix)]
    fn prompt_hidden(&self, prompt: &str, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        let hidden = hidden::Input::begin().map_err(|error| unreadable(&error))?;
        self.eprint(prompt);
        let line = hidden.line(check);
        drop(hidden);
        self.eprint("\n");
        line
    }

    #[cfg(not(unix))]
    fn prompt_hidden(&self, _prompt: &str, _check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
        Err(Error::new(Kind::Usage, "the password must come from standard input")
            .with_hint("pipe it in, or use Python's `keyring set`, which asks for it"))
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error::new(Kind::Storage, format!("standard input cannot be read: {}", io_message(error))).with_source(error)
}

/// A prompt without echo.
#[cfg(unix)]
mod hidden {
    use std::io::{self, Stdin, stdin};

    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
    use zeroize::Zeroizing;

    use super::unreadable;
    use crate::error::{Error, Kind, Result};

    /// The longest line accepted, in bytes.
    const MAX_LINE: usize = 64 * 1024;

    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;

    /// The terminal in raw mode, restored when dropped. Ctrl-C arrives as a character: as a signal it would end the process
    /// without restoring the terminal.
    pub(super) struct Input {
        terminal: Stdin,
        before: Termios,
    }

    impl Input {
        pub(super) fn begin() -> io::Result<Self> {
            let terminal = stdin();
            let before = tcgetattr(&terminal)?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
            // A read returns after at most a tenth of a second.
            silent.special_codes[SpecialCodeIndex::VMIN] = 0;
            silent.special_codes[SpecialCodeIndex::VTIME] = 1;
            tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
            Ok(Self { terminal, before })
        }

        pub(super) fn line(&self, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>> {
            let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
            let mut key = Zeroizing::new([0_u8]);
            loop {
                check()?;
                match rustix::io::read(&self.terminal, &mut *key) {
                    Ok(1) => {}
                    Ok(_) | Err(rustix::io::Errno::INTR) => {
                        // A read from a closed terminal returns immediately: avoid a busy loop.
                        std::thread::sleep(std::time::Duration::from_millis(10));
                        continue;
                    }
                    Err(error) => return Err(unreadable(&error.into())),
                }
                match key[0] {
                    b'\n' | b'\r' => return Ok(line),
                    CTRL_C => return Err(Error::new(Kind::Cancelled, "the lookup was cancelled")),
                    CTRL_D if line.is_empty() => return Err(Error::new(Kind::Usage, "no password was typed")),
                    CTRL_D => return Ok(line),
                    // Removes a whole UTF-8 character.
                    BACKSPACE | DELETE => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
                    CTRL_U => line.clear(),
                    byte if line.len() < MAX_LINE => line.push(byte),
                    _ => return Err(Error::new(Kind::Usage, "the line is too long")),
                }
            }
        }
    }

    impl Drop for Input {
        fn drop(&mut self) {
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}
