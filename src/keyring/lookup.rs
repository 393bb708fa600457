//! One lookup on a thread of its own, which the caller can cancel at any moment; or, where starting a thread takes longer
//! than the lookup, on the caller's thread.
//!
//! The thread never touches the caller's environment: it has a snapshot of the variables, and sends log lines and outcome
//! through a channel. So nothing that a lookup does (a name server that does not answer, a child process, a pause) keeps the
//! caller from being interrupted, and a cancelled lookup ends in its own time.

use std::{
    cell::RefCell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use log::{Level, LevelFilter, Log, Metadata, Record, debug};

use crate::{
    error::{Error, Kind, Result, causes},
    system::{
        CancellationToken,
        os::{Environment, Network, OsSystem, lookup_limit, no_thread, throttled},
    },
};

/// The root of all log targets.
pub(crate) const LOG_ROOT: &str = "ringbearer";

/// How long a lookup may exceed its limit before its thread is abandoned. It keeps to the limit by itself, unless a system
/// call blocks.
const GRACE: Duration = Duration::from_secs(1);

/// The grace period in which a cancelled lookup ends its child processes and restores the terminal.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_millis(150);

/// How often a waiting caller checks for an interruption.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A line for the caller's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its level.
    pub(crate) level: Level,
    /// The module path of its origin, below [`LOG_ROOT`].
    pub(crate) target: String,
    /// The text, without secrets.
    pub(crate) message: String,
    /// The step of the lookup that it reports, if any.
    pub(crate) step: Option<Step>,
}

/// A step of a lookup, reported as a log line with two keys:
/// `debug!(step = "discovery", outcome = "done"; "it belongs to ...")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The name of the provider or of the part of the sign-in.
    pub(crate) name: String,
    /// The outcome: `done`, `served`, `skipped` or `failed`; intermediate: `found` (a configured token), `gives`, `noted`.
    pub(crate) outcome: String,
    /// The detail.
    pub(crate) detail: String,
}

impl Step {
    fn of(record: &Record<'_>) -> Option<Self> {
        let text = |key: &str| Some(record.key_values().get(key.into())?.to_string());
        Some(Self { name: text("step")?, outcome: text("outcome")?, detail: record.args().to_string() })
    }
}

/// The text of its log line.
impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, outcome, detail } = self;
        write!(formatter, "{name}: {outcome}")?;
        if detail.is_empty() { Ok(()) } else { write!(formatter, ", {detail}") }
    }
}

/// What a lookup sends to its caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<Outcome> {
    /// A line for the log.
    Log(Line),
    /// The outcome. Nothing follows.
    Done(Result<Outcome>),
}

/// A lookup under way.
pub(crate) struct Lookup<Outcome> {
    events: mpsc::Receiver<Event<Outcome>>,
    cancellation: CancellationToken,
    remaining: Duration,
}

impl<Outcome: Send + 'static> Lookup<Outcome> {
    /// Starts a lookup with the time limit `default`, unless RINGBEARER_TIMEOUT is set. Lines below `level` are not
    /// sent.
    pub(crate) fn start(
        environment: Environment,
        network: Arc<Network>,
        level: LevelFilter,
        default: Duration,
        work: impl FnOnce(&OsSystem) -> Result<Outcome> + Send + 'static,
    ) -> Result<Self> {
        let limit = lookup_limit(&environment, default);
        let cancellation = CancellationToken::default();
        let (sender, events) = mpsc::channel();
        let for_thread = cancellation.clone();
        thread::Builder::new()
            .name(LOG_ROOT.to_owned())
            .spawn(move || {
                let lines = sender.clone();
                // Sending fails once the caller has cancelled, here and below.
                LOG.set(Some((level, Box::new(move |line| drop(lines.send(Event::Log(line)))))));
                let system = OsSystem::new(environment, network, for_thread, limit);
                let outcome = run(work, &system);
                LOG.set(None);
                wipe_stack();
                drop(sender.send(Event::Done(outcome)));
            })
            .map_err(|error| no_thread(&error))?;
        Ok(Self { events, cancellation, remaining: limit + GRACE })
    }

    /// Cancels and waits up to `grace`. Blocking network calls are abandoned.
    fn cancel(&mut self, grace: Duration) {
        self.cancellation.cancel();
        self.remaining = self.remaining.min(grace);
    }

    /// Its cancellation token.
    #[must_use]
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    /// The next event; `None` after [`POLL_INTERVAL`] without one. A lookup far beyond its limit has failed.
    pub(crate) fn next_event(&mut self) -> Option<Event<Outcome>> {
        match self.events.recv_timeout(POLL_INTERVAL) {
            Ok(event) => Some(event),
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Event::Done(Err(bug()))),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.remaining = self.remaining.saturating_sub(POLL_INTERVAL);
                let is_over = self.remaining.is_zero();
                is_over.then(|| Event::Done(Err(Error::new(Kind::Timeout, "the lookup did not end in time"))))
            }
        }
    }

    /// Waits for the outcome. `next` calls [`next_event`](Self::next_event), `log` takes each line, and `check` fails if the
    /// caller is interrupted: the lookup is cancelled, has `grace` to end, and the interruption is the result.
    pub(crate) fn wait<Interruption>(
        mut self,
        grace: Duration,
        mut next: impl FnMut(&mut Self) -> Option<Event<Outcome>>,
        mut log: impl FnMut(Line) -> std::result::Result<(), Interruption>,
        mut check: impl FnMut() -> std::result::Result<(), Interruption>,
    ) -> std::result::Result<Result<Outcome>, Interruption> {
        let interruption = loop {
            match next(&mut self) {
                Some(Event::Log(line)) => log(line)?,
                Some(Event::Done(outcome)) => return Ok(outcome),
                None => {}
            }
            if let Err(interruption) = check() {
                break interruption;
            }
        };
        self.cancel(grace);
        while !self.remaining.is_zero() && !matches!(next(&mut self), Some(Event::Done(_))) {}
        Err(interruption)
    }
}

/// Runs a lookup on the calling thread, where starting a thread takes longer than the work: reading a file and asking the
/// ssh-agent. Every wait polls `is_cancelled`. The log lines come at the end.
pub(crate) fn run_on_this_thread<Outcome>(
    environment: Environment,
    network: Arc<Network>,
    level: LevelFilter,
    default: Duration,
    is_cancelled: impl Fn() -> bool + Send + Sync + 'static,
    work: impl FnOnce(&OsSystem) -> Result<Outcome>,
) -> (Vec<Line>, Result<Outcome>) {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&lines);
    // A signal handler may start a lookup while one of the same thread waits.
    let outer = LOG.replace(Some((level, Box::new(move |line| sink.borrow_mut().push(line)))));
    let limit = lookup_limit(&environment, default);
    let cancellation = CancellationToken::from_callback(throttled(is_cancelled));
    let outcome = run(work, &OsSystem::new(environment, network, cancellation, limit));
    LOG.set(outer);
    wipe_stack();
    (lines.take(), outcome)
}

/// Runs work on a thread of its own and passes its steps on as they happen, besides logging them.
pub(crate) fn tee<Outcome: Send>(
    work: impl FnOnce() -> Result<Outcome> + Send,
    mut on_step: impl FnMut(&Step),
) -> Result<Outcome> {
    let (sender, lines) = mpsc::channel();
    thread::scope(|scope| {
        let working = thread::Builder::new().spawn_scoped(scope, move || {
            LOG.set(Some((LevelFilter::Debug, Box::new(move |line| drop(sender.send(line))))));
            let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(bug()));
            LOG.set(None);
            wipe_stack();
            outcome
        });
        let working = working.map_err(|error| no_thread(&error))?;
        for line in lines {
            if let Some(step) = &line.step {
                on_step(step);
            }
            send(line);
        }
        working.join().unwrap_or_else(|_| Err(bug()))
    })
}

/// Runs a test's work and returns the lines that it logs, of every level.
#[cfg(test)]
pub(crate) fn record<Outcome>(work: impl FnOnce() -> Outcome) -> (Vec<Line>, Outcome) {
    LogToLookup::install();
    let lines = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&lines);
    let outer = LOG.replace(Some((LevelFilter::Debug, Box::new(move |line| sink.borrow_mut().push(line)))));
    let outcome = work();
    LOG.set(outer);
    (lines.take(), outcome)
}

/// Sends a line to the sink of this thread, if the level allows.
fn send(line: Line) {
    LOG.with_borrow(|log| {
        if let Some((level, send)) = log
            && line.level <= *level
        {
            send(line);
        }
    });
}

/// Dropping a lookup cancels it: after Ctrl-C, or a failure of the log.
impl<Outcome> Drop for Lookup<Outcome> {
    fn drop(&mut self) {
        self.cancellation.cancel();
    }
}

/// Runs the work, below this function on the stack and nowhere else, and logs the causes of its failure.
#[inline(never)]
fn run<Outcome>(work: impl FnOnce(&OsSystem) -> Result<Outcome>, system: &OsSystem) -> Result<Outcome> {
    let outcome = catch_unwind(AssertUnwindSafe(|| work(system))).unwrap_or_else(|_| Err(bug()));
    if let Err(error) = &outcome {
        causes(error).for_each(|cause| debug!("caused by: {cause}"));
    }
    outcome
}

/// Overwrites the stack that the lookup used. Moved values and spilled registers leave copies of keys there that no
/// destructor wipes, and the operating system reuses the stack for the next thread.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the array covers the stack of the lookup")]
fn wipe_stack() {
    std::hint::black_box(&mut [0_u8; 24 * 1024]);
}

fn bug() -> Error {
    Error::new(Kind::Internal, "ringbearer failed because of a bug")
        .with_hint("please report it, with the output of RINGBEARER_DEBUG=1")
}

/// The level and the receiver of a lookup's log lines.
type Sink = (LevelFilter, Box<dyn Fn(Line)>);

thread_local! {
    /// The sink of the lookup on this thread.
    static LOG: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// Routes log lines to the lookup of their thread. Lines of other crates are dropped: they may hold headers and URLs with
/// secrets.
pub(crate) struct LogToLookup;

impl LogToLookup {
    /// Sets the logger of the process. A second call has no effect.
    pub(crate) fn install() {
        if log::set_logger(&Self).is_ok() {
            log::set_max_level(LevelFilter::Debug);
        }
    }
}

impl Log for LogToLookup {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().split("::").next() == Some(LOG_ROOT);
        is_ours && LOG.with_borrow(|log| log.as_ref().is_some_and(|(level, _)| metadata.level() <= *level))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let step = Step::of(record);
        let message = step.as_ref().map_or_else(|| record.args().to_string(), Step::to_string);
        send(Line { level: record.level(), target: record.target().to_owned(), message, step });
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Clock;

    const LONG: Duration = Duration::from_secs(20);

    fn start<Outcome: Send + 'static>(
        limit: &str,
        work: impl FnOnce(&OsSystem) -> Result<Outcome> + Send + 'static,
    ) -> Lookup<Outcome> {
        let environment = [("RINGBEARER_TIMEOUT".into(), limit.into())].into_iter().collect();
        LogToLookup::install();
        Lookup::start(environment, Arc::default(), LevelFilter::Info, LONG, work).unwrap()
    }

    /// The next event, within a few seconds.
    fn next<Outcome: Send + 'static>(lookup: &mut Lookup<Outcome>) -> Option<Event<Outcome>> {
        (0..500).find_map(|_| lookup.next_event())
    }

    #[test]
    fn log_lines_precede_the_outcome() {
        let mut lookup = start("5", |_| {
            log::debug!("too quiet");
            log::info!("ours");
            log::warn!(target: "ureq::something", "not ours");
            Ok(7)
        });
        let line = Line { level: Level::Info, target: module_path!().into(), message: "ours".into(), step: None };
        assert_eq!(next(&mut lookup), Some(Event::Log(line)));
        assert_eq!(next(&mut lookup), Some(Event::Done(Ok(7))));
    }

    #[test]
    fn a_panic_is_an_error_and_not_a_crash() {
        let mut lookup: Lookup<()> = start("5", |_| panic!("x-detail"));
        let Some(Event::Done(Err(error))) = next(&mut lookup) else { panic!("no outcome") };
        assert_eq!(error.kind(), Kind::Internal);
        assert!(!error.to_string().contains("x-detail"));
    }

    #[test]
    fn cancelling_ends_a_pause() {
        let mut lookup: Lookup<()> = start("60", |system| system.pause(Duration::from_secs(30)));
        assert_eq!(lookup.next_event(), None);
        lookup.cancellation.cancel();
        let Some(Event::Done(Err(error))) = next(&mut lookup) else { panic!("no outcome") };
        assert_eq!(error.kind(), Kind::Cancelled);
    }

    #[test]
    fn a_lookup_beyond_its_limit_is_abandoned() {
        let (release, held) = mpsc::channel::<()>();
        let mut lookup = start("0.1", move |_| Ok(held.recv().is_err()));
        let Event::Done(Err(error)) = next(&mut lookup).unwrap() else { panic!("no outcome") };
        assert_eq!(error.kind(), Kind::Timeout);
        drop(release);
    }

    #[test]
    fn an_interrupted_wait_gives_the_lookup_a_grace_period() {
        let (sender, ended) = mpsc::channel();
        let lookup = start("60", move |system| {
            log::info!("ours");
            let outcome = system.pause(Duration::from_secs(30));
            log::info!("after the interruption");
            sender.send(()).unwrap();
            outcome
        });
        let mut lines = 0;
        let mut log = |_| {
            lines += 1;
            Ok(())
        };
        let outcome = lookup.wait(LONG, Lookup::next_event, &mut log, || Err("Ctrl-C"));
        assert_eq!((outcome, lines), (Err("Ctrl-C"), 1));
        ended.try_recv().unwrap();
    }

    #[test]
    fn a_wait_without_grace_ends_at_once() {
        let (release, held) = mpsc::channel::<()>();
        let lookup = start("60", move |_| Ok(held.recv().is_err()));
        assert_eq!(lookup.wait(Duration::ZERO, Lookup::next_event, |_| Ok(()), || Err("Ctrl-C")), Err("Ctrl-C"));
        drop(release);
    }
}
