//! The Python edge: the only file that knows Python.
//!
//! A lookup runs in a thread of its own that never touches Python. The calling thread lets go of
//! Python's lock and waits for it; every few milliseconds it looks for Ctrl-C, and it hands the
//! thread's log lines on to Python's logging. So nothing that the lookup does (a name server that does
//! not answer, a child process, a pause) can keep the interpreter from being interrupted, and a lookup
//! that was given up can end in its own time, even while the interpreter shuts down.
// The functions here are called by Python alone, and PyO3's macros generate code that these lints see.
#![allow(clippy::needless_pass_by_value, unreachable_pub)]

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use log::{LevelFilter, Log, Metadata, Record};
use pyo3::{
    exceptions::PyRuntimeError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyString, PyType},
};

use crate::{
    backend::Credential,
    error::{Error, Kind, Result},
    keyring::Keyring,
    secret::Secret,
    service::Service,
    sys::real::{Cancel, Environment, Network, Real, lookup_limit},
};

/// The root of the names of Python's loggers, and of Rust's targets.
const LOG_ROOT: &str = "ringbearer";

/// How often the waiting thread looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);

/// How much longer than its limit a lookup may take before it is given up from outside.
const GRACE: Duration = Duration::from_secs(1);

/// What the process remembers from one lookup to the next.
#[derive(Default)]
struct Memory {
    keyring: Keyring,
    network: Arc<Network>,
}

/// The memory of this process. A fork inherits a copy whose locks may be held by threads that it did
/// not inherit, and credentials that were not made for it: it starts anew.
///
/// The mutex is only ever taken with Python's lock held, and Python forks with its lock held too, so
/// that the mutex itself is free in the child.
static MEMORY: Mutex<Option<(u32, Arc<Memory>)>> = Mutex::new(None);

fn memory(_python: Python<'_>) -> Arc<Memory> {
    let process = std::process::id();
    let mut slot = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some((owner, memory)) if *owner == process => Arc::clone(memory),
        _ => {
            let memory = Arc::new(Memory::default());
            // The parent's copy is forgotten, not dropped: dropping would close connections with a
            // farewell that the parent still uses.
            std::mem::forget(slot.replace((process, Arc::clone(&memory))));
            memory
        }
    }
}

/// The credential of `backend` for `service`, as (user name, password); `None` if the service is not
/// that backend's, or nothing is known for it.
///
/// `service` and `username` may be anything: what is no string of text is nobody's service, and every
/// user name is answered alike where the backend does not store them.
#[pyfunction]
#[pyo3(signature = (backend, service, username=None))]
fn get_credential(
    python: Python<'_>,
    backend: &str,
    service: &Bound<'_, PyAny>,
    username: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<(String, String)>> {
    let Some(service) = text(service).map(|raw| Service::parse(&raw)) else {
        return Ok(None);
    };
    let memory = memory(python);
    if memory.keyring.claimant(backend, &service).is_none() {
        return Ok(None);
    }
    let (backend, username) = (backend.to_owned(), username.and_then(text));
    let credential = run(python, move |system| {
        let Some(claimant) = memory.keyring.claimant(&backend, &service) else {
            return Ok(None);
        };
        memory.keyring.get(system, claimant, &service, username.as_deref())
    })?;
    Ok(credential.map(|Credential { username, password, .. }| (username, password.expose().to_owned())))
}

/// Stores a password, if the backend can; raises `ReadOnlyError` if it cannot.
#[pyfunction]
fn set_password(python: Python<'_>, backend: &str, service: &str, username: &str, password: &str) -> PyResult<()> {
    let (backend, service, username) = (backend.to_owned(), Service::parse(service), username.to_owned());
    let (memory, password) = (memory(python), Secret::new(password.to_owned()));
    run(python, move |system| {
        memory.keyring.set(system, &backend, &service, &username, &password)
    })
}

/// Deletes a password, if the backend can; raises `ReadOnlyError` if it cannot.
#[pyfunction]
fn delete_password(python: Python<'_>, backend: &str, service: &str, username: &str) -> PyResult<()> {
    let (backend, service, username) = (backend.to_owned(), Service::parse(service), username.to_owned());
    let memory = memory(python);
    run(python, move |system| {
        memory.keyring.delete(system, &backend, &service, &username)
    })
}

/// The native core of ringbearer.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Only fails if the module is loaded a second time, into a subinterpreter: the logger serves both.
    if log::set_logger(&BRIDGE).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(get_credential, module)?)?;
    module.add_function(wrap_pyfunction!(set_password, module)?)?;
    module.add_function(wrap_pyfunction!(delete_password, module)?)
}

/// A Python object as text; `None` if it is no string, or one that is not Unicode (lone surrogates).
fn text(object: &Bound<'_, PyAny>) -> Option<String> {
    object.cast::<PyString>().ok()?.extract().ok()
}

/// What the lookup's thread sends to the thread that waits for it.
enum Event<Outcome> {
    Log(Line),
    Done(std::result::Result<Result<Outcome>, Box<dyn Any + Send>>),
}

/// Runs a lookup in its own thread and waits for it.
fn run<Outcome: Send + 'static>(
    python: Python<'_>,
    lookup: impl FnOnce(&Real) -> Result<Outcome> + Send + 'static,
) -> PyResult<Outcome> {
    let logger = python.import("logging")?.call_method1("getLogger", (LOG_ROOT,))?;
    let level = level_of(&logger)?;
    let environment = Environment::capture();
    let mut patience = lookup_limit(&environment) + GRACE;
    let (memory, cancel) = (memory(python), Cancel::default());
    let (sender, mut events) = mpsc::channel();
    let for_thread = cancel.clone();
    let thread = thread::Builder::new().name("ringbearer".to_owned()).spawn(move || {
        let lines = sender.clone();
        let sink: Sink = Box::new(move |line| drop(lines.send(Event::Log(line))));
        LOG.set(Some((level, sink)));
        let system = Real::new(environment, Arc::clone(&memory.network), for_thread);
        let outcome = catch_unwind(AssertUnwindSafe(|| lookup(&system)));
        LOG.set(None);
        // Nobody listens any more if the lookup was given up.
        drop(sender.send(Event::Done(outcome)));
    });
    if let Err(error) = thread {
        return Err(to_python(
            python,
            &Error::new(Kind::Internal, format!("no thread can be started: {}", error.kind())),
        ));
    }
    loop {
        let event = {
            // Exclusive, since a receiver can be lent to another thread only so.
            let events = &mut events;
            python.detach(move || events.recv_timeout(GLANCE))
        };
        match event {
            Ok(Event::Log(line)) => line.hand_on(&logger)?,
            Ok(Event::Done(Ok(outcome))) => return outcome.map_err(|error| to_python(python, &error)),
            Ok(Event::Done(Err(_))) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                let error = Error::new(Kind::Internal, "ringbearer failed by a fault of its own")
                    .with_hint("please report it, with what RINGBEARER_DEBUG=1 prints");
                return Err(to_python(python, &error));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if let Err(interrupt) = python.check_signals() {
            cancel.cancel();
            return Err(interrupt);
        }
        patience = patience.saturating_sub(GLANCE);
        if patience.is_zero() {
            cancel.cancel();
            return Err(to_python(
                python,
                &Error::new(Kind::Timeout, "the lookup did not end in time"),
            ));
        }
    }
}

/// A line for Python's logging.
struct Line {
    level: log::Level,
    target: String,
    message: String,
}

impl Line {
    /// Logs the line under the logger of its target: `ringbearer::azure::session` becomes
    /// `ringbearer.azure.session`.
    fn hand_on(self, logger: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = self
            .target
            .strip_prefix(LOG_ROOT)
            .unwrap_or_default()
            .trim_start_matches("::")
            .replace("::", ".");
        let logger = if name.is_empty() {
            logger.clone()
        } else {
            logger.call_method1("getChild", (name,))?
        };
        // The message goes as an argument: a percent sign in it is no format.
        logger
            .call_method1("log", (python_level(self.level), "%s", self.message))
            .map(drop)
    }
}

/// Python's number for a level.
fn python_level(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 40,
        log::Level::Warn => 30,
        log::Level::Info => 20,
        log::Level::Debug | log::Level::Trace => 10,
    }
}

/// The lines that a Python logger wants to see.
fn level_of(logger: &Bound<'_, PyAny>) -> PyResult<LevelFilter> {
    let level: i64 = logger.call_method0("getEffectiveLevel")?.extract()?;
    Ok(match level {
        ..=10 => LevelFilter::Debug,
        11..=20 => LevelFilter::Info,
        21..=30 => LevelFilter::Warn,
        _ => LevelFilter::Error,
    })
}

type Sink = Box<dyn Fn(Line)>;

thread_local! {
    /// Where the lines of this thread's lookup go.
    static LOG: RefCell<Option<(LevelFilter, Sink)>> = const { RefCell::new(None) };
}

/// The bridge from Rust's logging to the lookup's own. It lets the lines of this crate pass and no
/// others: what the libraries below log (headers, addresses) was not written with secrets in mind.
struct Bridge;

static BRIDGE: Bridge = Bridge;

impl Log for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().split("::").next() == Some(LOG_ROOT);
        is_ours && LOG.with_borrow(|log| log.as_ref().is_some_and(|(level, _)| metadata.level() <= *level))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = Line {
                level: record.level(),
                target: record.target().to_owned(),
                message: record.args().to_string(),
            };
            LOG.with_borrow(|log| {
                if let Some((_, sink)) = log {
                    sink(line);
                }
            });
        }
    }

    fn flush(&self) {}
}

/// The module with the exceptions, imported when the first one is raised; `backends.py` has imported it
/// long before, so that nothing is loaded then.
static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The Python exception of an error: the class of `ringbearer.errors` for its kind.
fn to_python(python: Python<'_>, error: &Error) -> PyErr {
    let class = match error.kind() {
        Kind::Configuration => "ConfigurationError",
        Kind::Network => "NetworkError",
        Kind::Timeout | Kind::Cancelled => "LookupTimeoutError",
        Kind::Rejected | Kind::Exhausted | Kind::NotConfigured => "AuthenticationError",
        Kind::Protocol => "ProtocolError",
        Kind::Process => "ProcessError",
        Kind::ReadOnly => "ReadOnlyError",
        Kind::Internal => "InternalError",
    };
    let module = ERRORS.get_or_try_init(python, || python.import("ringbearer.errors").map(Bound::unbind));
    let class = module.and_then(|module| Ok(module.bind(python).getattr(class)?.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, error.to_string()),
        Err(_) => PyRuntimeError::new_err(error.to_string()),
    }
}
