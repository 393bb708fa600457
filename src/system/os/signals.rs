//! Signals that end the program.

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

/// Catches SIGINT, SIGTERM and SIGHUP until child processes are killed: these have process groups of their own, which a
/// signal to this one does not reach.
#[cfg(unix)]
pub(crate) struct Signals(Vec<(i32, Arc<AtomicBool>)>);

#[cfg(unix)]
impl Signals {
    /// Starts catching signals.
    #[must_use]
    pub(crate) fn watch() -> Self {
        let mut watched = Vec::new();
        let ignored = ignored();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A signal that the parent set to ignored stays ignored, as `nohup` and shells' background jobs expect. If
            // that is unknown, SIGHUP keeps its default action.
            let is_ignored = ignored.map_or(signal == SIGHUP, |ignored| ignored >> (signal - 1) & 1 == 1);
            if is_ignored {
                continue;
            }
            let flag = Arc::default();
            // A signal that cannot be caught keeps its default action.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
            watched.push((signal, flag));
        }
        Self(watched)
    }

    /// Whether a signal has arrived.
    #[must_use]
    pub(crate) fn caught(&self) -> bool {
        self.first().is_some()
    }

    /// Ends the program by the signal that arrived, so that its parent sees the signal in the exit status.
    pub(crate) fn raise(&self) {
        if let Some(signal) = self.first() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }

    fn first(&self) -> Option<i32> {
        self.0.iter().find(|(_, flag)| flag.load(Ordering::Relaxed)).map(|(signal, _)| *signal)
    }
}

/// The bit mask of the signals that the parent set to ignored; `None` where the platform does not report it.
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
#[cfg(unix)]
fn ignored() -> Option<u64> {
    let status = super::files::read(Path::new("/proc/self/status"), 64 * 1024).ok()?;
    let line =
        String::from_utf8_lossy(&status).lines().find_map(|line| line.strip_prefix("SigIgn:").map(str::to_owned))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// On other platforms Ctrl-C ends all processes of a console.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Catches nothing.
    #[must_use]
    pub(crate) fn watch() -> Self {
        Self
    }

    /// Always false.
    #[must_use]
    pub(crate) fn caught(&self) -> bool {
        false
    }

    /// Does nothing.
    pub(crate) fn raise(&self) {}
}
