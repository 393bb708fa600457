//! `exec(2)`, and its substitute on Windows.

use std::process::Command;

use super::{failed, filter};
use crate::{
    error::Result,
    system::{os::Environment, process::Exec},
};

/// Replaces this program by `exec(2)`, with the captured environment; returns only on failure.
///
/// On Windows a process cannot be replaced: runs the program as a child on the same console, waits, and returns its exit
/// code. Ctrl-C reaches the program by itself. If this process is killed, so is the program.
pub(crate) fn exec(environment: &Environment, exec: &Exec) -> Result<i32> {
    let Exec { program, arguments, variables, filters_stderr, .. } = exec;
    let mut builder = Command::new(program);
    builder.args(arguments).env_clear().envs(environment.all());
    builder.envs(variables.iter().map(|(name, value)| (name, value.expose())));
    // Without the filter, the program writes to standard error itself.
    let filter = filters_stderr.then(|| filter::start(&mut builder).ok()).flatten();
    #[cfg(unix)]
    drop(filter);
    #[cfg(unix)]
    return Err(failed(program, &std::os::unix::process::CommandExt::exec(&mut builder)));
    #[cfg(windows)]
    {
        let status = super::job::Tree::spawn(&mut builder).and_then(super::job::Tree::wait);
        // Closes the pipe to the filter.
        drop(builder);
        if let Some(mut filter) = filter {
            let _ = filter.wait();
        }
        status.map(|status| status.code().unwrap_or_default()).map_err(|error| failed(program, &error))
    }
}
