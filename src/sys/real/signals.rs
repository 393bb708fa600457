//! The signals by which a person or a system ends a program.

/// Ctrl-C and the request to end, held back until the work has tidied up: child processes have process groups of their
/// own, which a signal to this one does not reach.
#[cfg(unix)]
pub struct Signals(Vec<(i32, std::sync::Arc<std::sync::atomic::AtomicBool>)>);

#[cfg(unix)]
impl Signals {
    /// Holds the signals back from now on. The same one again ends the program at once.
    #[must_use]
    pub fn watch() -> Self {
        let mut watched = Vec::new();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let flag = std::sync::Arc::default();
            let end = 128 + signal;
            // What cannot be held back ends the program, as it would without this.
            let _ = signal_hook::flag::register_conditional_shutdown(signal, end, std::sync::Arc::clone(&flag))
                .and_then(|_| signal_hook::flag::register(signal, std::sync::Arc::clone(&flag)));
            watched.push((signal, flag));
        }
        Self(watched)
    }

    /// Whether one has come.
    #[must_use]
    pub fn caught(&self) -> bool {
        self.first().is_some()
    }

    /// Ends the program by the signal that has come, so that whoever started it sees what ended it.
    pub fn raise(&self) {
        if let Some(signal) = self.first() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }

    fn first(&self) -> Option<i32> {
        self.0.iter().find(|(_, flag)| flag.load(std::sync::atomic::Ordering::Relaxed)).map(|(signal, _)| *signal)
    }
}

/// Elsewhere Ctrl-C ends the processes of a console all together.
#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Nothing is held back.
    #[must_use]
    pub fn watch() -> Self {
        Self
    }

    /// None has come.
    #[must_use]
    pub fn caught(&self) -> bool {
        false
    }

    /// There is nothing to do.
    pub fn raise(&self) {}
}
