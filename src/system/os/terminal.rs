//! The controlling terminal.

use super::OsSystem;
use crate::system::terminal::{Terminal, TerminalWriter};

impl Terminal for OsSystem {
    fn terminal(&self) -> Result<Box<dyn TerminalWriter>, &'static str> {
        Err("to do")
    }
}
