//! `CONOUT$`, the output of the console.

use std::{
    fs::OpenOptions,
    io::Write,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Instant,
};

use super::WRITE_LIMIT;
use crate::system::{CancellationToken, os::clock::POLL_INTERVAL, terminal::TerminalWriter};

/// The thread that writes: a write cannot be interrupted, and blocks while a person selects text.
pub(super) struct Writer {
    texts: Sender<Text>,
    cancellation: CancellationToken,
}

/// A text, and the sender that is dropped once it is written.
struct Text {
    text: String,
    _written: Sender<()>,
}

impl Writer {
    /// Opens it, or says why not.
    pub(super) fn open(cancellation: CancellationToken) -> Result<Self, &'static str> {
        let mut console = OpenOptions::new().write(true).open("CONOUT$").map_err(|_| "there is no terminal")?;
        let (texts, received) = mpsc::channel::<Text>();
        let written = thread::Builder::new().name("ringbearer-terminal".to_owned()).spawn(move || {
            for text in received {
                let _ = console.write_all(text.text.as_bytes());
            }
        });
        written.map(|_| Self { texts, cancellation }).map_err(|_| "no thread can be started")
    }
}

impl TerminalWriter for Writer {
    fn write(&mut self, text: &str) {
        let (sender, written) = mpsc::channel();
        // The thread ends with this sender only.
        let _ = self.texts.send(Text { text: text.to_owned(), _written: sender });
        let end = Instant::now() + WRITE_LIMIT;
        while written.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout)
            && Instant::now() < end
            && !self.cancellation.is_cancelled()
        {}
    }
}
