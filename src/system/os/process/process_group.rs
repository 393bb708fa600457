//! A child process with every process that it starts, as a process group.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus},
    thread,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};

use crate::system::os::clock::POLL_INTERVAL;

/// The attempts on ETXTBSY.
const SPAWN_ATTEMPTS: u32 = 5;

/// Separates a child from the terminal of this process: a background process group cannot read from it.
pub(super) fn isolate(builder: &mut Command) {
    builder.process_group(0);
}

/// A child that leads its process group.
pub(super) struct Tree {
    child: Child,
    is_reaped: bool,
}

impl Tree {
    /// Starts a child; retries on ETXTBSY, while another process is still writing the program.
    pub(super) fn spawn(builder: &mut Command) -> io::Result<Self> {
        let mut attempt = 1;
        loop {
            match builder.spawn() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempt < SPAWN_ATTEMPTS => {
                    attempt += 1;
                    thread::sleep(POLL_INTERVAL);
                }
                outcome => return outcome.map(|child| Self { child, is_reaped: false }),
            }
        }
    }

    /// The pipe of standard input, if there is one.
    pub(super) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipes of standard output and standard error.
    pub(super) fn streams(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// The exit status, if the child has ended. It is lost (ECHILD) where SIGCHLD is ignored, a setting that programs
    /// inherit: the kernel reaps the child. Then the output alone decides.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match self.child.try_wait() {
            Err(error) if error.raw_os_error() == Some(Errno::CHILD.raw_os_error()) => Some(ExitStatus::default()),
            status => status?,
        };
        self.is_reaped = status.is_some();
        Ok(status)
    }

    /// Kills the child and every process of its group, and reaps it.
    pub(super) fn kill(&mut self) {
        if self.is_reaped {
            // The process id may belong to another process.
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        super::wait_for_end(&mut self.child);
    }
}
