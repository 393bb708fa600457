//! The terminal, or whatever the program's output goes to.

use std::io;

/// Where a command prints.
pub trait Console: Send + Sync {
    /// Writes to standard output: what was asked for.
    fn print(&self, text: &str) -> io::Result<()>;

    /// Writes to standard error: what a person wants to know on the way. Nobody may be listening.
    fn tell(&self, text: &str);

    /// Whether a person watches standard error.
    fn is_watched(&self) -> bool;
}
