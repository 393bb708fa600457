//! Programs that outlive this one, such as a browser.

use std::process::{Command, Stdio};

use super::{builder, failed};
use crate::{
    error::Result,
    system::{os::Environment, process as child},
};

/// Starts a program and returns at once, whether it ends soon or stays open.
pub(super) fn start(environment: &Environment, command: &child::Command) -> Result<()> {
    let mut builder = builder(environment, command);
    builder.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    detach(&mut builder);
    let started = builder.spawn().map_err(|error| failed(&command.program, &error))?;
    #[cfg(unix)]
    reap(started);
    #[cfg(windows)]
    drop(started);
    Ok(())
}

/// A process group of its own: Ctrl-C at the terminal is not for the program, nor can it read from the terminal.
#[cfg(unix)]
fn detach(builder: &mut Command) {
    std::os::unix::process::CommandExt::process_group(builder, 0);
}

/// Collects the exit status in a thread: otherwise a zombie is left as long as this process runs, as it is if no thread can
/// be started.
#[cfg(unix)]
fn reap(mut child: std::process::Child) {
    let _ = std::thread::Builder::new().name("ringbearer-child".to_owned()).spawn(move || child.wait());
}

/// No console: neither Ctrl-C nor the end of this one's window reaches the program.
/// <https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags>
#[cfg(windows)]
fn detach(builder: &mut Command) {
    const DETACHED_PROCESS: u32 = 0x0000_0008;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    std::os::windows::process::CommandExt::creation_flags(builder, DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}
