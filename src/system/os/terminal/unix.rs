//! `/dev/tty`.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    thread,
    time::Instant,
};

use rustix::{fs::OFlags, process::getpgrp, termios::tcgetpgrp};

use super::WRITE_LIMIT;
use crate::system::{CancellationToken, os::clock::POLL_INTERVAL, terminal::TerminalWriter};

/// The terminal, opened for this process alone: its flags concern no other.
pub(super) struct Writer {
    terminal: File,
    cancellation: CancellationToken,
}

impl Writer {
    /// Opens it, or says why not.
    pub(super) fn open(cancellation: CancellationToken) -> Result<Self, &'static str> {
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let terminal = OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open("/dev/tty");
        let terminal = terminal.map_err(|_| "there is no terminal")?;
        if is_foreground(&terminal) {
            Ok(Self { terminal, cancellation })
        } else {
            Err("this process runs in the background")
        }
    }
}

/// Whether this process is in the terminal's foreground process group. A terminal may stop a process in the background
/// that writes to it (`stty tostop`).
fn is_foreground(terminal: &File) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

impl TerminalWriter for Writer {
    fn write(&mut self, text: &str) {
        let Self { terminal, cancellation } = self;
        send(&mut &*terminal, text.as_bytes(), &|| is_foreground(terminal), cancellation);
    }
}

/// Writes to a terminal that does not block, until the limit, cancellation or `may_write` ends it.
fn send(terminal: &mut impl Write, text: &[u8], may_write: &dyn Fn() -> bool, cancellation: &CancellationToken) {
    let end = Instant::now() + WRITE_LIMIT;
    let mut rest = text;
    while !rest.is_empty() && may_write() {
        match terminal.write(rest) {
            Ok(written @ 1..) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && Instant::now() < end
                    && !cancellation.is_cancelled() =>
            {
                thread::sleep(POLL_INTERVAL);
            }
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, os::fd::OwnedFd};

    use super::*;

    /// A pipe stands for the terminal: its writing end does not block.
    fn pipe() -> (io::PipeReader, File) {
        let (reader, writer) = io::pipe().unwrap();
        let writer = OwnedFd::from(writer);
        rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        (reader, writer.into())
    }

    #[test]
    fn a_text_is_written_whole_while_the_terminal_is_read() {
        let (mut reader, mut writer) = pipe();
        let text = "a line\n".repeat(100_000);
        let read = thread::spawn(move || io::read_to_string(&mut reader).unwrap());
        send(&mut writer, text.as_bytes(), &|| true, &CancellationToken::default());
        drop(writer);
        assert_eq!(read.join().unwrap(), text);
    }

    #[test]
    fn a_stopped_terminal_is_given_up_at_the_limit() {
        let (_reader, mut writer) = pipe();
        let text = vec![b'a'; 1024 * 1024];
        let start = Instant::now();
        send(&mut writer, &text, &|| true, &CancellationToken::default());
        assert!(start.elapsed() >= WRITE_LIMIT);
        let (start, cancelled) = (Instant::now(), CancellationToken::default());
        cancelled.cancel();
        send(&mut writer, &text, &|| true, &cancelled);
        assert!(start.elapsed() < WRITE_LIMIT);
    }

    #[test]
    fn the_foreground_is_checked_before_each_write() {
        let (mut reader, mut writer) = pipe();
        let checks = Cell::new(0);
        let is_first = || checks.replace(checks.get() + 1) == 0;
        send(&mut writer, &vec![b'a'; 1024 * 1024], &is_first, &CancellationToken::default());
        drop(writer);
        assert_eq!(checks.get(), 2);
        let written = io::read_to_string(&mut reader).unwrap().len();
        assert!(written > 0 && written < 1024 * 1024, "{written}");
    }

    #[test]
    fn a_file_that_is_no_terminal_has_no_foreground() {
        assert!(!is_foreground(&tempfile::tempfile().unwrap()));
    }
}
