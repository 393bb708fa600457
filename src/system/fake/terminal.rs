//! A terminal that keeps what is written to it.

use std::sync::{Arc, Mutex};

use super::{FakeSystem, lock};
use crate::system::terminal::{Terminal, TerminalWriter};

#[derive(Default)]
pub(super) struct State {
    is_there: bool,
    text: Arc<Mutex<String>>,
}

impl FakeSystem {
    /// Adds a controlling terminal.
    pub(crate) fn with_terminal(self) -> Self {
        lock(&self.terminal).is_there = true;
        self
    }

    /// What was written to the terminal.
    pub(crate) fn terminal_text(&self) -> String {
        let text = Arc::clone(&lock(&self.terminal).text);
        lock(&text).clone()
    }
}

impl Terminal for FakeSystem {
    fn terminal(&self) -> Result<Box<dyn TerminalWriter>, &'static str> {
        let state = lock(&self.terminal);
        if state.is_there { Ok(Box::new(Writer(Arc::clone(&state.text)))) } else { Err("there is no terminal") }
    }
}

struct Writer(Arc<Mutex<String>>);

impl TerminalWriter for Writer {
    fn write(&mut self, text: &str) {
        lock(&self.0).push_str(text);
    }
}
