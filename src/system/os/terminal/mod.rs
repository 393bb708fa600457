//! The controlling terminal.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::time::Duration;

#[cfg(unix)]
use self::unix as platform;
#[cfg(windows)]
use self::windows as platform;
use super::OsSystem;
use crate::system::{
    Clock,
    terminal::{Terminal, TerminalWriter},
};

/// The limit of a write: a person may have stopped the output, with Ctrl-S or by selecting text.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

impl Terminal for OsSystem {
    fn terminal(&self) -> Result<Box<dyn TerminalWriter>, &'static str> {
        Ok(Box::new(platform::Writer::open(self.cancellation())?))
    }
}
