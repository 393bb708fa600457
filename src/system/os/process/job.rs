//! A child process with every process that it starts, as a job of Windows.
//! <https://learn.microsoft.com/en-us/windows/win32/procthread/job-objects>

use std::{
    io,
    os::windows::{io::AsRawHandle, process::CommandExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus},
};

use log::debug;
use win32job::{ExtendedLimitInfo, Job, JobError};

/// The child gets a console of its own without a window. So none appears if this process has no console, and the child can
/// neither prompt on the user's nor change it.
/// <https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags>
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Separates a child from the console of this process.
pub(super) fn isolate(builder: &mut Command) {
    builder.creation_flags(CREATE_NO_WINDOW);
}

/// A child and its job. While the child runs, closing the job kills every process in it: when this is dropped, and also when
/// this process is killed.
pub(super) struct Tree {
    child: Child,
    job: Option<Job>,
}

impl Tree {
    /// Starts a child. It joins the job an instant after its start: the standard library can start it suspended, but not
    /// resume it. Without a job, only the child itself can be killed.
    pub(super) fn spawn(builder: &mut Command) -> io::Result<Self> {
        let child = builder.spawn()?;
        let job = job_of(&child).inspect_err(|error| debug!("no job for process {}: {error}", child.id())).ok();
        Ok(Self { child, job })
    }

    /// The pipe of standard input, if there is one.
    pub(super) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipes of standard output and standard error.
    pub(super) fn streams(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// The exit status, if the child has ended. Processes that it left running are no longer killed: they may be meant
    /// to stay, such as the uploads that cloud CLIs start.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.release();
        }
        Ok(status)
    }

    /// Waits for the child to end.
    pub(super) fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.release();
        Ok(status)
    }

    /// Kills the child and every process that it started, and waits for the child to end.
    pub(super) fn kill(&mut self) {
        drop(self.job.take());
        let _ = self.child.kill();
        super::wait_for_end(&mut self.child);
    }

    fn release(&mut self) {
        if let Some(job) = self.job.take() {
            let _ = job.set_extended_limit_info(&ExtendedLimitInfo::new());
        }
    }
}

fn job_of(child: &Child) -> Result<Job, JobError> {
    let mut limits = ExtendedLimitInfo::new();
    limits.limit_kill_on_job_close();
    let job = Job::create_with_limit_info(&limits)?;
    job.assign_process(child.as_raw_handle() as isize)?;
    Ok(job)
}
