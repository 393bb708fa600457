//! The signals by which a person or a system ends a program.

#[cfg(unix)]
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Ctrl-C and the request to end, held back until the work has tidied up: child processes have process groups of their
/// own, which a signal to this one does not reach.
#[cfg(unix)]
pub(crate) struct Signals(Vec<(i32, Arc<AtomicBool>)>);

#[cfg(unix)]
impl Signals {
    /// Holds the signals back from now on.
    #[must_use]
    pub(crate) fn watch() -> Self {
        let mut watched = Vec::new();
        let ignored = ignored();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // `nohup`, and a shell for what it starts in the background, have some ignored, and it stays so. Where the
            // system does not tell, a lost terminal ends the program as it would without this.
            let is_ignored = ignored.map_or(signal == SIGHUP, |ignored| ignored >> (signal - 1) & 1 == 1);
            if is_ignored {
                continue;
            }
            let flag = Arc::default();
            // What cannot be held back ends the program, as it would without this.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
            watched.push((signal, flag));
        }
        Self(watched)
    }

    /// Whether one has come.
    #[must_use]
    pub(crate) fn caught(&self) -> bool {
        self.first().is_some()
    }

    /// Ends the program by the signal that has come, so that whoever started it sees what ended it.
    pub(crate) fn raise(&self) {
        if let Some(signal) = self.first() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }

    fn first(&self) -> Option<i32> {
        self.0.iter().find(|(_, flag)| flag.load(Ordering::Relaxed)).map(|(signal, _)| *signal)
    }
}

/// The signals that whoever started this program has it ignore, a bit each; `None` where the system does not tell.
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
#[cfg(unix)]
fn ignored() -> Option<u64> {
    let status = super::files::read(Path::new("/proc/self/status"), 64 * 1024).ok()?;
    let line =
        String::from_utf8_lossy(&status).lines().find_map(|line| line.strip_prefix("SigIgn:").map(str::to_owned))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Elsewhere Ctrl-C ends the processes of a console all together.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Nothing is held back.
    #[must_use]
    pub(crate) fn watch() -> Self {
        Self
    }

    /// None has come.
    #[must_use]
    pub(crate) fn caught(&self) -> bool {
        false
    }

    /// There is nothing to do.
    pub(crate) fn raise(&self) {}
}
