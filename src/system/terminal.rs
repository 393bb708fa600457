//! The terminal that controls this process, whatever its standard streams are.

/// The controlling terminal.
pub(crate) trait Terminal {
    /// Opens it for writing: `/dev/tty`, on Windows `CONOUT$`. Otherwise a clause that says why not: there is none, or this
    /// process is not in its foreground process group.
    fn terminal(&self) -> Result<Box<dyn TerminalWriter>, &'static str>;
}

/// An open terminal.
pub(crate) trait TerminalWriter {
    /// Writes text. Best effort: a failed write is ignored.
    fn write(&mut self, text: &str);
}
