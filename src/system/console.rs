//! The terminal, or whatever the program's input comes from and its output goes to.

use std::io;

use zeroize::Zeroizing;

use crate::error::Result;

/// Where a command prints, and what it is told.
pub(crate) trait Console: Send + Sync {
    /// Writes to standard output: what was asked for.
    fn print(&self, text: &str) -> io::Result<()>;

    /// Writes to standard error: what a person wants to know on the way. Nobody may be listening.
    fn eprint(&self, text: &str);

    /// Whether a person watches standard error.
    fn stderr_is_terminal(&self) -> bool;

    /// Whether a person watches standard output.
    fn stdout_is_terminal(&self) -> bool;

    /// All of standard input, at most `cap` bytes; `None` if a person would have to type it.
    fn read_piped(&self, cap: usize) -> Result<Option<Zeroizing<Vec<u8>>>>;

    /// Asks the person at the terminal for a line that is not shown. `check` is asked again and again, and its failure
    /// ends the wait.
    fn prompt_hidden(&self, prompt: &str, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>>;
}
