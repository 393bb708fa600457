//! A copy of this program that filters the standard error of the program that replaces it.

#[cfg(feature = "executables")]
use std::{
    ffi::OsString,
    io::{Read, Write},
};
use std::{
    io,
    process::{Child, Command, Stdio},
};

/// Makes this program filter its standard input to standard error, and do nothing else.
const FILTER_VARIABLE: &str = "RINGBEARER_FILTERS_STDERR";

/// The value of [`FILTER_VARIABLE`].
const FILTERS: &str = "1";

/// Starts a copy that filters, and makes the pipe to it the standard error of `builder`'s program.
pub(super) fn start(builder: &mut Command) -> io::Result<Child> {
    let mut filter = Command::new(std::env::current_exe()?)
        .env(FILTER_VARIABLE, FILTERS)
        .stdin(Stdio::piped())
        // The reader of standard output waits until every process has closed it.
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(pipe) = filter.stdin.take() {
        builder.stderr(pipe);
    }
    Ok(filter)
}

/// Whether this process is such a copy. It has no arguments: with some, it has other work.
#[cfg(feature = "executables")]
pub(crate) fn is_filter(arguments: &[OsString]) -> bool {
    arguments.is_empty() && std::env::var_os(FILTER_VARIABLE).is_some_and(|value| value == FILTERS)
}

/// Passes standard input through `pass` to standard error, as it arrives; `None` marks the end of the input.
#[cfg(feature = "executables")]
pub(crate) fn run_filter(mut pass: impl FnMut(Option<&[u8]>) -> Vec<u8>) {
    let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
    let mut buffer = [0_u8; 4096];
    loop {
        let piece = match input.read(&mut buffer) {
            // The signal is for the other program.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(length @ 1..) => Some(&buffer[..length]),
            Ok(_) | Err(_) => None,
        };
        let is_written = output.write_all(&pass(piece)).is_ok();
        if piece.is_none() || !is_written {
            return;
        }
    }
}
