//! One lookup in a thread of its own, which the caller can give up at any moment; or, where that would cost more than
//! the lookup, in the caller's thread.
//!
//! The thread never touches the caller's world: it has the environment as it was captured, and sends
//! its log lines and its outcome through a channel. So nothing that a lookup does (a name server that
//! does not answer, a child process, a pause) can keep the caller from being interrupted, and a lookup
//! that was given up can end in its own time.

use std::{
    cell::RefCell,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::{
    error::{Error, Kind, Result},
    system::{
        CancellationToken,
        os::{Environment, Network, OsSystem, lookup_limit, throttled},
    },
};

/// The first part of the targets of all log lines here.
pub(crate) const LOG_ROOT: &str = "ringbearer";

/// How much longer than its limit a lookup may take before it is given up from outside. It keeps to
/// its limit by itself, unless the operating system keeps it from doing so.
const GRACE: Duration = Duration::from_secs(1);

/// How long a lookup that was given up has, to end its child processes and to give the terminal back.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_millis(150);

/// A line for the caller's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// How much it matters.
    pub(crate) level: Level,
    /// Where it comes from: a module path below [`LOG_ROOT`].
    pub(crate) target: String,
    /// What it says. It holds no secret.
    pub(crate) message: String,
    /// The step of the lookup that it tells of, if it does.
    pub(crate) step: Option<Step>,
}

/// A step of a lookup, for those who watch. Code says it as a log line with a key or two:
/// `debug!(step = "discovery", outcome = "done"; "it belongs to ...")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What was tried: a provider's name, or what stands in its place.
    pub(crate) name: String,
    /// How it went: `done`, `served`, `skipped` or `failed`; on the way `found` (a token that lay ready), `gives` and `noted`.
    pub(crate) outcome: String,
    /// What there is to say of it.
    pub(crate) detail: String,
}

impl Step {
    fn of(record: &Record<'_>) -> Option<Self> {
        let text = |key: &str| Some(record.key_values().get(key.into())?.to_string());
        Some(Self { name: text("step")?, outcome: text("outcome")?, detail: record.args().to_string() })
    }
}

/// As a line of the log.
impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, outcome, detail } = self;
        write!(formatter, "{name}: {outcome}")?;
        if detail.is_empty() { Ok(()) } else { write!(formatter, ", {detail}") }
    }
}

/// What a lookup says to its caller.
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
    cancel: CancellationToken,
    patience: Duration,
}

impl<Outcome: Send + 'static> Lookup<Outcome> {
    /// Starts a lookup that may take `usual`, unless the environment has another limit. Lines below `level`
    /// are not sent.
    pub(crate) fn start(
        environment: Environment,
        network: Arc<Network>,
        level: LevelFilter,
        usual: Duration,
        work: impl FnOnce(&OsSystem) -> Result<Outcome> + Send + 'static,
    ) -> Result<Self> {
        let limit = lookup_limit(&environment, usual);
        let patience = limit + GRACE;
        let cancel = CancellationToken::default();
        let (sender, events) = mpsc::channel();
        let for_thread = cancel.clone();
        thread::Builder::new()
            .name(LOG_ROOT.to_owned())
            .spawn(move || {
                let lines = sender.clone();
                // A caller who gave up listens no more, here and below.
                LOG.set(Some((level, Box::new(move |line| drop(lines.send(Event::Log(line)))))));
                let system = OsSystem::new(environment, network, for_thread, limit);
                let outcome = run(work, &system);
                LOG.set(None);
                wipe_stack();
                drop(sender.send(Event::Done(outcome)));
            })
            .map_err(|error| no_thread(&error))?;
        Ok(Self { events, cancel, patience })
    }

    /// Gives the lookup up. It has so long to end what it started; what waits for the network does not see the word
    /// before that answers, and is left alone.
    pub(crate) fn give_up(&mut self, farewell: Duration) {
        self.cancel.cancel();
        self.patience = self.patience.min(farewell);
    }

    /// The word that it was given up.
    #[must_use]
    pub(crate) fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Waits for what the lookup says next, `glance` at the most; `None` if it says nothing so long.
    /// A lookup that is long over its limit counts as failed.
    pub(crate) fn next_event(&mut self, glance: Duration) -> Option<Event<Outcome>> {
        match self.events.recv_timeout(glance) {
            Ok(event) => Some(event),
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Event::Done(Err(fault()))),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.patience = self.patience.saturating_sub(glance);
                let is_over = self.patience.is_zero();
                is_over.then(|| Event::Done(Err(Error::new(Kind::Timeout, "the lookup did not end in time"))))
            }
        }
    }
}

/// Does a lookup in the calling thread, where starting another would take longer than the work: one that reads
/// a file here and asks an agent. Every wait asks whether the caller gave up. The log lines come at the end.
pub(crate) fn look_up_here<Outcome>(
    environment: Environment,
    network: Arc<Network>,
    level: LevelFilter,
    usual: Duration,
    gave_up: impl Fn() -> bool + Send + Sync + 'static,
    work: impl FnOnce(&OsSystem) -> Result<Outcome>,
) -> (Vec<Line>, Result<Outcome>) {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&lines);
    // A signal handler may look something up while another lookup of the same thread waits.
    let outer = LOG.replace(Some((level, Box::new(move |line| kept.borrow_mut().push(line)))));
    let limit = lookup_limit(&environment, usual);
    let outcome =
        run(work, &OsSystem::new(environment, network, CancellationToken::from_callback(throttled(gave_up)), limit));
    LOG.set(outer);
    wipe_stack();
    (lines.take(), outcome)
}

/// Does work in a thread of its own and tells the steps of it as they happen. The log gets its lines as ever.
pub(crate) fn overhear<Outcome: Send>(
    work: impl FnOnce() -> Result<Outcome> + Send,
    mut heard: impl FnMut(&Step),
) -> Result<Outcome> {
    let (sender, lines) = mpsc::channel();
    thread::scope(|scope| {
        let working = thread::Builder::new().spawn_scoped(scope, move || {
            LOG.set(Some((LevelFilter::Debug, Box::new(move |line| drop(sender.send(line))))));
            let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(fault()));
            LOG.set(None);
            wipe_stack();
            outcome
        });
        let working = working.map_err(|error| no_thread(&error))?;
        for line in lines {
            if let Some(step) = &line.step {
                heard(step);
            }
            send(line);
        }
        working.join().unwrap_or_else(|_| Err(fault()))
    })
}

/// Sends a line to the sink of this thread, if it wants it.
fn send(line: Line) {
    LOG.with_borrow(|log| {
        if let Some((level, send)) = log
            && line.level <= *level
        {
            send(line);
        }
    });
}

fn no_thread(error: &io::Error) -> Error {
    Error::new(Kind::Internal, format!("no thread can be started: {}", error.kind()))
}

/// Whoever lets go of a lookup gives it up, whatever the reason: Ctrl-C, or a failure of the log.
impl<Outcome> Drop for Lookup<Outcome> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Does the work, below this function on the stack and nowhere else.
#[inline(never)]
fn run<Outcome>(work: impl FnOnce(&OsSystem) -> Result<Outcome>, system: &OsSystem) -> Result<Outcome> {
    catch_unwind(AssertUnwindSafe(|| work(system))).unwrap_or_else(|_| Err(fault()))
}

/// Overwrites the stack that the lookup used. What moves from one function to another, and the registers
/// that ciphers spill, leave copies of keys behind, which no destructor knows of; and the operating system
/// keeps the stack for the next thread.
#[inline(never)]
#[allow(clippy::large_stack_arrays)] // That is what it is for.
fn wipe_stack() {
    std::hint::black_box(&mut [0_u8; 24 * 1024]);
}

fn fault() -> Error {
    Error::new(Kind::Internal, "ringbearer failed by a fault of its own")
        .with_hint("please report it, with what RINGBEARER_DEBUG=1 prints")
}

/// Where the lines of a lookup go, and which of them.
type Sink = (LevelFilter, Box<dyn Fn(Line)>);

thread_local! {
    /// The sink of this thread's lookup.
    static LOG: RefCell<Option<Sink>> = const { RefCell::new(None) };
}

/// The way of log lines to the lookup that they belong to. It lets the lines of this crate pass and no
/// others: what the libraries below log (headers, addresses) was not written with secrets in mind.
pub(crate) struct LogToLookup;

impl LogToLookup {
    /// Makes this the logger of the process. A second call changes nothing.
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

    #[test]
    fn log_lines_come_first_and_then_the_outcome() {
        let mut lookup = start("5", |_| {
            log::debug!("too quiet");
            log::info!("heard");
            log::warn!(target: "ureq::something", "not ours");
            Ok(7)
        });
        let line = Line {
            level: Level::Info,
            target: "ringbearer::keyring::lookup::tests".into(),
            message: "heard".into(),
            step: None,
        };
        assert_eq!(lookup.next_event(LONG), Some(Event::Log(line)));
        assert_eq!(lookup.next_event(LONG), Some(Event::Done(Ok(7))));
    }

    #[test]
    fn a_panic_is_an_error_and_not_a_crash() {
        let mut lookup: Lookup<()> = start("5", |_| panic!("x-detail"));
        let Some(Event::Done(Err(error))) = lookup.next_event(LONG) else { panic!("no outcome") };
        assert_eq!(error.kind(), Kind::Internal);
        assert!(!error.to_string().contains("x-detail"));
    }

    #[test]
    fn a_pause_ends_when_the_caller_gives_up() {
        let mut lookup: Lookup<()> = start("60", |system| system.pause(Duration::from_secs(30)));
        assert_eq!(lookup.next_event(Duration::from_millis(10)), None);
        lookup.cancel.cancel();
        let Some(Event::Done(Err(error))) = lookup.next_event(LONG) else { panic!("no outcome") };
        assert_eq!(error.kind(), Kind::Cancelled);
    }

    #[test]
    fn a_lookup_that_does_not_keep_to_its_limit_is_given_up() {
        let (release, held) = mpsc::channel::<()>();
        let mut lookup = start("0.1", move |_| Ok(held.recv().is_err()));
        let mut events = (0..200).map(|_| lookup.next_event(Duration::from_millis(10)));
        let Some(Some(Event::Done(Err(error)))) = events.find(Option::is_some) else { panic!("no outcome") };
        assert_eq!(error.kind(), Kind::Timeout);
        drop(release);
    }
}
