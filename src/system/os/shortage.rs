//! Limits of the operating system that are reached: on open files, on processes and threads, on memory.

use std::io;

use crate::{
    error::{Error, Kind},
    system::io_message,
};

/// The errors of a process, and of a machine, with too many open files.
#[cfg(unix)]
const TOO_MANY_FILES: [i32; 2] = [rustix::io::Errno::MFILE.raw_os_error(), rustix::io::Errno::NFILE.raw_os_error()];

/// ERROR_TOO_MANY_OPEN_FILES and WSAEMFILE.
/// <https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2>
#[cfg(windows)]
const TOO_MANY_FILES: [i32; 2] = [4, 10024];

/// Whether too many files are open.
pub(super) fn is_of_files(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

/// What to do if too many files are open.
pub(super) const CLOSE_FILES: &str = if cfg!(windows) {
    "close other programs, and try again"
} else {
    "close other programs, or raise the limit on open files (`ulimit -n`)"
};

/// What to do if no process or thread can be started.
const CLOSE_PROCESSES: &str = if cfg!(windows) {
    "close other programs, and try again"
} else {
    "close other programs, or raise the limit on processes (`ulimit -u`, or that of the container)"
};

/// The failure to start a child process or a thread, if a limit is the reason. `what` is the start of the message.
pub(super) fn of_start(what: &str, error: &io::Error) -> Option<Error> {
    let (why, hint) = match error.kind() {
        _ if is_of_files(error) => ("too many files are open".to_owned(), CLOSE_FILES),
        // EAGAIN: the limit on processes, which counts threads.
        io::ErrorKind::WouldBlock => ("the limit on processes and threads is reached".to_owned(), CLOSE_PROCESSES),
        io::ErrorKind::OutOfMemory => (io_message(error), CLOSE_PROCESSES),
        _ => return None,
    };
    Some(Error::new(Kind::Process, format!("{what}: {why}")).with_hint(hint).with_source(error))
}

/// The failure to start a thread.
pub(crate) fn no_thread(error: &io::Error) -> Error {
    of_start("no thread can be started", error).unwrap_or_else(|| {
        Error::new(Kind::Process, format!("no thread can be started: {}", io_message(error))).with_source(error)
    })
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn each_limit_has_its_own_reason_and_advice() {
        for (errno, reason, advice) in [
            (Errno::MFILE, "too many files are open", "`ulimit -n`"),
            (Errno::NFILE, "too many files are open", "`ulimit -n`"),
            (Errno::AGAIN, "the limit on processes and threads is reached", "`ulimit -u`"),
            (Errno::NOMEM, "cannot allocate memory", "`ulimit -u`"),
        ] {
            let error = no_thread(&errno.into());
            assert_eq!(error.kind(), Kind::Process);
            assert_eq!(error.message(), format!("no thread can be started: {reason}").as_str());
            assert!(error.hint().is_some_and(|hint| hint.contains(advice)), "{error}");
        }
        assert!(of_start("x", &Errno::NOENT.into()).is_none());
        assert_eq!(no_thread(&Errno::PERM.into()).message(), "no thread can be started: operation not permitted");
    }
}
