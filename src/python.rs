//! The Python edge: the only file that knows Python.
//!
//! A [`Lookup`] runs in a thread that never touches Python. The calling thread lets go of Python's lock
//! and waits for it; every few milliseconds it looks for Ctrl-C, and it hands the lookup's log lines on
//! to Python's logging. Even a lookup that was given up and ends while the interpreter shuts down does
//! no harm.
// These functions are called by Python alone, and take what PyO3's macros hand them.
#![allow(clippy::needless_pass_by_value, unreachable_pub)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use log::{Level, LevelFilter};
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
    lookup::{Event, LOG_ROOT, Line, LogToLookup, Lookup},
    secret::Secret,
    service::Service,
    sys::real::{Environment, Network, Real},
};

/// How often the waiting thread looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);

/// What the process remembers from one lookup to the next.
#[derive(Default)]
struct Memory {
    keyring: Keyring,
    network: Arc<Network>,
}

/// The memory of this process. A fork inherits a copy whose locks may be held by threads that it did
/// not inherit, and connections that are its parent's: it starts anew.
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
            // The parent's copy is forgotten, not dropped: dropping it would say farewell on
            // connections that the parent still uses.
            std::mem::forget(slot.replace((process, Arc::clone(&memory))));
            memory
        }
    }
}

/// The credential of `backend` for `service`, as (user name, password); `None` if the service is not
/// that backend's, or nothing is known for it.
///
/// `service` and `username` may be anything: what is no text is nobody's service, and an index backend
/// answers every user name alike.
#[pyfunction]
#[pyo3(signature = (backend, service, username=None))]
fn get_credential(
    python: Python<'_>,
    backend: &str,
    service: &Bound<'_, PyAny>,
    username: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<(String, String)>> {
    let Some(service) = text(service) else { return Ok(None) };
    let memory = memory(python);
    let claimed = catch_unwind(AssertUnwindSafe(|| {
        let service = Service::parse(&service);
        memory.keyring.claimant(backend, &service).is_some().then_some(service)
    }));
    let service = match claimed {
        Ok(Some(service)) => service,
        Ok(None) => return Ok(None),
        Err(_) => {
            return Err(to_python(python, &Error::new(Kind::Internal, "a service name could not be read")));
        }
    };
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
    run(python, move |system| memory.keyring.set(system, &backend, &service, &username, &password))
}

/// Deletes a password, if the backend can; raises `ReadOnlyError` if it cannot.
#[pyfunction]
fn delete_password(python: Python<'_>, backend: &str, service: &str, username: &str) -> PyResult<()> {
    let (backend, service, username) = (backend.to_owned(), Service::parse(service), username.to_owned());
    let memory = memory(python);
    run(python, move |system| memory.keyring.delete(system, &backend, &service, &username))
}

/// The native core of ringbearer.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    LogToLookup::install();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(get_credential, module)?)?;
    module.add_function(wrap_pyfunction!(set_password, module)?)?;
    module.add_function(wrap_pyfunction!(delete_password, module)?)
}

/// A Python object as text; `None` if it is no string, or one that is not Unicode (lone surrogates).
fn text(object: &Bound<'_, PyAny>) -> Option<String> {
    object.cast::<PyString>().ok()?.extract().ok()
}

/// Runs a lookup and waits for it, without Python's lock.
fn run<Outcome: Send + 'static>(
    python: Python<'_>,
    work: impl FnOnce(&Real) -> Result<Outcome> + Send + 'static,
) -> PyResult<Outcome> {
    let logger = python.import("logging")?.call_method1("getLogger", (LOG_ROOT,))?;
    let network = Arc::clone(&memory(python).network);
    let mut lookup = Lookup::start(Environment::capture(), network, level_of(&logger)?, work)
        .map_err(|error| to_python(python, &error))?;
    loop {
        let waiting = &mut lookup;
        match python.detach(move || waiting.next_event(GLANCE)) {
            Some(Event::Log(line)) => hand_on(line, &logger)?,
            Some(Event::Done(outcome)) => return outcome.map_err(|error| to_python(python, &error)),
            None => {}
        }
        // An early return lets go of the lookup, which gives it up.
        python.check_signals()?;
    }
}

/// Logs a line under the logger of its target: `ringbearer::azure::session` becomes
/// `ringbearer.azure.session`.
fn hand_on(line: Line, logger: &Bound<'_, PyAny>) -> PyResult<()> {
    let name = line.target.strip_prefix(LOG_ROOT).unwrap_or_default().trim_start_matches("::").replace("::", ".");
    let logger = if name.is_empty() { logger.clone() } else { logger.call_method1("getChild", (name,))? };
    let level = match line.level {
        Level::Error => 40,
        Level::Warn => 30,
        Level::Info => 20,
        Level::Debug | Level::Trace => 10,
    };
    // The message goes as an argument: a percent sign in it is no format.
    logger.call_method1("log", (level, "%s", line.message)).map(drop)
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

/// The module with the exceptions. `backends.py` has imported it long before it is needed, so that
/// nothing is loaded then.
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
