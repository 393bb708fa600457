//! Standard input, standard output and standard error, which may be a terminal.

use std::io;

use zeroize::Zeroizing;

use crate::error::Result;

/// The standard streams of a command.
pub(crate) trait Console: Send + Sync {
    /// Writes to standard output: the command's result.
    fn print(&self, text: &str) -> io::Result<()>;

    /// Writes to standard error: progress, warnings and errors. Best effort: a failed write is ignored.
    fn eprint(&self, text: &str);

    /// Whether standard error is a terminal.
    fn stderr_is_terminal(&self) -> bool;

    /// Whether standard output is a terminal.
    fn stdout_is_terminal(&self) -> bool;

    /// Reads standard input to its end, at most `cap` bytes; `None` if it is a terminal.
    fn read_piped(&self, cap: usize) -> Result<Option<Zeroizing<Vec<u8>>>>;

    /// Prompts for a line on the terminal, without echo. `check` is polled, and its error ends the prompt.
    fn prompt_hidden(&self, prompt: &str, check: &dyn Fn() -> Result<()>) -> Result<Zeroizing<Vec<u8>>>;
}
