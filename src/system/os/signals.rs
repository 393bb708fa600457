//! Signals that end the program.

#[cfg(unix)]
use std::path::Path;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The exit code of a program that Ctrl-C or Ctrl-Break ended: STATUS_CONTROL_C_EXIT.
/// <https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-erref/596a1078-e883-4972-9bbc-49e60bebca55>
#[cfg(windows)]
const CONTROL_C_EXIT: i32 = 0xc000_013a_u32.cast_signed();

/// Catches SIGINT, SIGTERM and SIGHUP, on Windows Ctrl-C and Ctrl-Break, until child processes are killed: these have process
/// groups or consoles of their own, which a signal to this one does not reach.
pub(crate) struct Signals(Vec<(i32, Arc<AtomicBool>)>);

impl Signals {
    /// Starts catching signals.
    #[cfg(unix)]
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

    /// Starts catching Ctrl-C, which Windows itself withholds where the parent set it to ignored.
    #[cfg(windows)]
    #[must_use]
    pub(crate) fn watch() -> Self {
        let flag = Arc::<AtomicBool>::default();
        let for_handler = Arc::clone(&flag);
        // If it cannot be caught, it keeps its default action.
        let _ = ctrlc::set_handler(move || for_handler.store(true, Ordering::Relaxed));
        Self(vec![(CONTROL_C_EXIT, flag)])
    }

    /// Whether a signal has arrived.
    #[must_use]
    pub(crate) fn caught(&self) -> bool {
        self.first().is_some()
    }

    /// Ends the program as the signal that arrived would have, so that its parent sees the signal in the exit status.
    pub(crate) fn raise(&self) {
        if let Some(signal) = self.first() {
            #[cfg(unix)]
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            #[cfg(windows)]
            std::process::exit(signal);
        }
    }

    /// The signal that arrived; on Windows the exit code that stands for it.
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
