//! The Python edge: the only file that knows Python.
//!
//! A [`Lookup`] runs on a thread that never touches Python. The calling thread releases the GIL and waits for it, checks for
//! signals every few milliseconds, and passes the lookup's log lines to Python's logging. A cancelled lookup that ends while
//! the interpreter shuts down does no harm.
//!
//! Reads of the store take less time than starting a thread, so they run on the calling thread, which checks for signals
//! whenever it waits for the agent.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use log::{Level, LevelFilter};
use pyo3::{
    exceptions::PyRuntimeError,
    prelude::*,
    types::{PyBytes, PyString, PyType},
};

use crate::{
    auth::{cache_key::fingerprint, cache_mode::CacheMode},
    cli::{self, Ending, Log},
    error::{Error, ExceptionClass, Kind, Result},
    keyring::{
        ASKED_VARIABLE, Keyring,
        lookup::{LOG_ROOT, Line, LogToLookup, Lookup, SHUTDOWN_GRACE, run_on_this_thread},
        memory::{Memory, STORE_LIMIT, World},
    },
    registry::{self, ALL, Credential},
    secret::SecretText,
    service::{MAX_SERVICE, Service},
    store::{self, Entry, Store, is_in_use},
    system::{
        CancellationToken,
        os::{Environment, LOOKUP_LIMIT, LiveEnvironment, OsSystem, StdConsole},
    },
    variable,
};

/// How often [`cancel_lookups`] checks whether the lookups have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The memory of this process, with its id. A forked child inherits a copy whose locks may be held by threads that it did not
/// inherit, and its parent's connections: it starts with a new one.
///
/// The mutex is only taken with the GIL held, and Python forks with the GIL held, so that it is free in the child.
static MEMORY: Mutex<Option<(u32, Arc<Memory>)>> = Mutex::new(None);

fn memory(_python: Python<'_>) -> Arc<Memory> {
    let process = std::process::id();
    let mut slot = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some((owner, memory)) if *owner == process => Arc::clone(memory),
        _ => {
            let memory = Arc::new(Memory::default());
            // The parent's copy is leaked: dropping it would close connections that the parent still uses.
            let inherited = slot.replace((process, Arc::clone(&memory)));
            if let Some((_, inherited)) = &inherited {
                inherited.store.forget();
            }
            std::mem::forget(inherited);
            memory
        }
    }
}

/// The active lookups: process id, whether the lookup lives, and its cancellation token. The mutex is only taken with the GIL
/// held, as that of [`MEMORY`].
static ACTIVE: Mutex<Vec<(u32, Weak<()>, CancellationToken)>> = Mutex::new(Vec::new());

/// Cancels the active lookups and lets them end their child processes. Called when the interpreter exits: daemon threads that
/// wait for a lookup never resume.
#[pyfunction]
#[expect(clippy::disallowed_methods, reason = "there is no lookup whose deadline the sleep could keep to")]
fn cancel_lookups(python: Python<'_>) {
    let process = std::process::id();
    let mut active = std::mem::take(&mut *ACTIVE.lock().unwrap_or_else(PoisonError::into_inner));
    active.retain(|(owner, life, _)| *owner == process && life.strong_count() > 0);
    if active.is_empty() {
        return;
    }
    for (_, _, cancellation) in &active {
        cancellation.cancel();
    }
    python.detach(|| {
        let mut left = SHUTDOWN_GRACE;
        while active.iter().any(|(_, life, _)| life.strong_count() > 0) && !left.is_zero() {
            std::thread::sleep(POLL_INTERVAL);
            left = left.saturating_sub(POLL_INTERVAL);
        }
    });
}

/// The credential of a registry, by its id, for `service`, as (user name, password); `None` if the registry does not claim
/// the service or nothing is configured for it.
///
/// `username` is the one with which the caller sends the password, if it does not send that of the credential. Both may be of
/// any type: a service that is not text is not claimed, and a user name that is not a string is ignored. A failure is logged
/// once as a WARNING and returns `None`, or is raised if RINGBEARER_STRICT is set.
#[pyfunction]
#[pyo3(signature = (registry, service, username=None))]
fn get_credential(
    python: Python<'_>,
    registry: &str,
    service: &Bound<'_, PyAny>,
    username: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<(String, String)>> {
    // Checked before the text is copied.
    let is_short = |text: &&Bound<'_, PyAny>| text.len().is_ok_and(|length| length <= MAX_SERVICE);
    let Some(raw) = Some(service).filter(is_short).and_then(text) else { return Ok(None) };
    let memory = memory(python);
    let claimed = catch_unwind(AssertUnwindSafe(|| {
        let service = Service::parse(&raw);
        memory
            .keyring
            .registry(registry)
            .is_ok_and(|registry| registry.source.claims(&LiveEnvironment, &service))
            .then_some(service)
    }));
    // A name whose parsing panics is not claimed.
    let Ok(Some(service)) = claimed else { return Ok(None) };
    let environment = Environment::capture();
    if environment.text(ASKED_VARIABLE).is_some_and(|asked| asked == fingerprint(raw.as_bytes())) {
        return Ok(None);
    }
    let is_strict = Keyring::is_strict(|name| environment.text(name).map(str::to_owned));
    // One with a lone surrogate is a wrong name, not a missing one.
    let username = username.and_then(|name| Some(name.cast::<PyString>().ok()?.to_string_lossy().into_owned()));
    let registry = registry.to_owned();
    let logger = logger(python)?;
    let outcome = look_up(python, &memory, environment, LOOKUP_LIMIT, &logger, move |memory, system| {
        memory.keyring.registry(&registry)?.get(system, &service, username.as_deref(), CacheMode::Memory)
    })?;
    match outcome {
        Ok(credential) => {
            Ok(credential.map(|Credential { username, password, .. }| (username, password.expose().to_owned())))
        }
        Err(error) if is_strict => Err(to_python(python, &error)),
        // The interpreter exits, and this thread with it.
        Err(error) if error.kind() == Kind::Cancelled => Ok(None),
        Err(error) => {
            let level = if memory.keyring.first_occurrence(&error) { Level::Warn } else { Level::Debug };
            log(Line { level, target: LOG_ROOT.to_owned(), message: error.warning(), step: None }, &logger)?;
            Ok(None)
        }
    }
}

/// The password of a user of a service in the store; `None` if there is none. Raises any failure.
#[pyfunction]
fn store_get<'python>(
    python: Python<'python>,
    service: &Bound<'_, PyAny>,
    username: &Bound<'_, PyAny>,
) -> PyResult<Option<Bound<'python, PyString>>> {
    // Names that are not Unicode text have no record.
    let (Some(service), Some(username)) = (text(service), text(username)) else { return Ok(None) };
    let found = in_store_on_this_thread(python, move |store, system| store.get(system, &service, &username))?;
    found.as_ref().map(|password| from_secret_text(python, password)).transpose()
}

/// A user of a service in the store, and the password; `None` if there is none. Raises any failure.
#[pyfunction]
fn store_find<'python>(
    python: Python<'python>,
    service: &Bound<'_, PyAny>,
) -> PyResult<Option<(String, Bound<'python, PyString>)>> {
    let Some(service) = text(service) else { return Ok(None) };
    let found = in_store_on_this_thread(python, move |store, system| store.find(system, &service))?;
    found.map(|(username, password)| Ok((username, from_secret_text(python, &password)?))).transpose()
}

/// Stores a password; creates the store if there is none. Raises any failure.
#[pyfunction]
fn store_set(
    python: Python<'_>,
    service: &Bound<'_, PyAny>,
    username: &Bound<'_, PyAny>,
    password: &Bound<'_, PyString>,
) -> PyResult<()> {
    let (Some(service), Some(username)) = (text(service), text(username)) else {
        let error = Error::new(Kind::Storage, "a service and a user name in the store must be Unicode text");
        return Err(to_python(python, &error));
    };
    let password = to_secret_text(password)?;
    in_store(python, move |store, system| store.set(system, &service, &username, &password))
}

/// Removes a password from the store. Raises any failure, a missing password included.
#[pyfunction]
fn store_delete(python: Python<'_>, service: &Bound<'_, PyAny>, username: &Bound<'_, PyAny>) -> PyResult<()> {
    // Names that are not Unicode text have no record.
    let names = text(service).zip(text(username));
    in_store(python, move |store, system| match &names {
        Some((service, username)) => store.delete(system, service, username),
        None => Err(Error::new(Kind::NotFound, "Password not found")),
    })
}

/// Whether the store is in use: configured by a variable or a file, or created.
#[pyfunction]
fn store_is_in_use() -> bool {
    let system = OsSystem::new(Environment::capture(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT);
    catch_unwind(AssertUnwindSafe(|| is_in_use(&system))).unwrap_or(false)
}

/// The registries: the class in `ringbearer.backends`, the id, and the priority of each.
#[pyfunction]
fn registries() -> Vec<(&'static str, &'static str, f64)> {
    ALL.iter().map(|registry| (registry.python_class, registry.id, registry.priority)).collect()
}

/// Whether an environment variable switches debug output on.
#[pyfunction]
fn is_debugged() -> bool {
    let environment = Environment::capture();
    registry::is_debugged(|name| environment.text(name))
}

/// The names of the environment variables that ringbearer, and the programs that it runs, read.
#[pyfunction]
fn variables() -> BTreeSet<&'static str> {
    let of_registries = ALL.iter().flat_map(|registry| registry.variables());
    of_registries.chain(variable::COMMON).chain(store::VARIABLES).map(|variable| variable.name).collect()
}

/// The names of all classes of `ringbearer.errors` that are raised here, for the test that they exist.
#[pyfunction]
fn exception_classes() -> &'static [&'static str] {
    CLASS_NAMES
}

/// Runs the command line `ringbearer` and returns its exit code.
#[pyfunction]
#[expect(clippy::disallowed_methods, reason = "log lines show the elapsed time")]
fn run_command_line(python: Python<'_>, arguments: Vec<Vec<u8>>) -> PyResult<i32> {
    let command = match cli::parse(arguments.into_iter().map(to_os_string).collect()) {
        Ok(command) => command,
        Err(error) => return Ok(cli::report(&StdConsole, &error).into()),
    };
    let foreign = command.foreign().map(|foreign| read_foreign(python, foreign)).transpose()?;
    let memory = memory(python);
    let environment = Environment::capture();
    // Not through Python's logging: loading it takes longer than most commands.
    let (log, start) = (Log::of(&environment), Instant::now());
    let (limit, network) = (command.limit(&environment, &memory), Arc::clone(&memory.network));
    let lookup = Lookup::start(environment.clone(), network, log.level(), limit, move |system| {
        cli::run(&World { system, console: &StdConsole, memory: &memory }, &command, foreign)
    });
    let outcome = match lookup {
        Ok(lookup) => wait(python, lookup, cli::shutdown_grace(limit), |line| {
            log.print(&StdConsole, &line, start.elapsed());
            Ok(())
        })?,
        Err(error) => Err(error),
    };
    let is_child = cfg!(windows) && matches!(outcome, Ok(Ending::Exec(_)));
    let code = cli::end(&StdConsole, &environment, outcome);
    if is_child {
        // A Ctrl-C while this process waited was for the program, whose exit code counts.
        drop(python.check_signals());
    }
    Ok(code)
}

/// An argument as `os.fsencode` returns it.
fn to_os_string(argument: Vec<u8>) -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(argument);
    #[cfg(not(unix))]
    String::from_utf8(argument).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()).into()
}

/// Reads another keyring with `ringbearer.migration`, on the calling thread: it is Python, and may prompt.
fn read_foreign(python: Python<'_>, foreign: &cli::Foreign) -> PyResult<Vec<Entry>> {
    let read = python.import("ringbearer.migration")?.getattr("read")?;
    let found = read.call1((&foreign.backend, &foreign.names))?;
    let mut entries = Vec::new();
    for record in found.try_iter()? {
        let (service, username, password): (String, String, Bound<'_, PyString>) = record?.extract()?;
        entries.push(Entry { service, username, password: to_secret_text(&password)? });
    }
    Ok(entries)
}

/// The native core of ringbearer. A free-threaded Python that loads it enables its GIL: the module is not tested without one.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    LogToLookup::install();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(get_credential, module)?)?;
    module.add_function(wrap_pyfunction!(cancel_lookups, module)?)?;
    module.add_function(wrap_pyfunction!(exception_classes, module)?)?;
    module.add_function(wrap_pyfunction!(registries, module)?)?;
    module.add_function(wrap_pyfunction!(is_debugged, module)?)?;
    module.add_function(wrap_pyfunction!(variables, module)?)?;
    module.add_function(wrap_pyfunction!(store_get, module)?)?;
    module.add_function(wrap_pyfunction!(store_find, module)?)?;
    module.add_function(wrap_pyfunction!(store_set, module)?)?;
    module.add_function(wrap_pyfunction!(store_delete, module)?)?;
    module.add_function(wrap_pyfunction!(store_is_in_use, module)?)?;
    module.add_function(wrap_pyfunction!(run_command_line, module)?)
}

/// Runs a lookup in the store.
fn in_store<Outcome: Send + 'static>(
    python: Python<'_>,
    work: impl FnOnce(&Store, &OsSystem) -> Result<Outcome> + Send + 'static,
) -> PyResult<Outcome> {
    let memory = memory(python);
    let logger = logger(python)?;
    let outcome = look_up(python, &memory, Environment::capture(), STORE_LIMIT, &logger, move |memory, system| {
        work(&memory.store, system)
    })?;
    outcome.map_err(|error| exception(python, store_class(error.kind()), &error))
}

/// Reads from the store on the calling thread, without the GIL; on a thread of its own if debug lines are logged, which are
/// to appear as they happen.
fn in_store_on_this_thread<Outcome: Send + 'static>(
    python: Python<'_>,
    work: impl FnOnce(&Store, &OsSystem) -> Result<Outcome> + Send + 'static,
) -> PyResult<Outcome> {
    let logger = logger(python)?;
    let level = level_of(&logger)?;
    if level >= LevelFilter::Debug {
        return in_store(python, work);
    }
    let memory = memory(python);
    let interrupted = Arc::new(Mutex::new(None));
    let for_check = Arc::clone(&interrupted);
    let process = std::process::id();
    let is_cancelled = move || {
        // A forked child inherits the wait, but must not ask.
        if std::process::id() != process {
            return true;
        }
        // An interpreter that is shutting down cannot be attached to.
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general over lifetimes")]
        let Some(signals) = Python::try_attach(|python| python.check_signals()) else { return true };
        let interruption = signals.err();
        // A signal handler may have forked.
        let is_cancelled = interruption.is_some() || std::process::id() != process;
        *for_check.lock().unwrap_or_else(PoisonError::into_inner) = interruption;
        is_cancelled
    };
    let (environment, network) = (Environment::capture(), Arc::clone(&memory.network));
    let (lines, outcome) = python.detach(|| {
        run_on_this_thread(environment, network, level, STORE_LIMIT, is_cancelled, |system| work(&memory.store, system))
    });
    if let Some(interruption) = interrupted.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(interruption);
    }
    for line in lines {
        log(line, &logger)?;
    }
    outcome.map_err(|error| exception(python, store_class(error.kind()), &error))
}

/// Runs a lookup with the memory of this process.
fn look_up<Outcome: Send + 'static>(
    python: Python<'_>,
    memory: &Arc<Memory>,
    environment: Environment,
    limit: Duration,
    logger: &Bound<'_, PyAny>,
    work: impl FnOnce(&Memory, &OsSystem) -> Result<Outcome> + Send + 'static,
) -> PyResult<Result<Outcome>> {
    let for_lookup = Arc::clone(memory);
    let network = Arc::clone(&memory.network);
    let life = Arc::new(());
    let alive = Arc::downgrade(&life);
    let lookup = Lookup::start(environment, network, level_of(logger)?, limit, move |system| {
        let outcome = work(&for_lookup, system);
        drop(life);
        outcome
    });
    match lookup {
        Ok(lookup) => {
            let mut active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner);
            active.retain(|(_, life, _)| life.strong_count() > 0);
            active.push((std::process::id(), alive, lookup.cancellation()));
            drop(active);
            wait(python, lookup, Duration::ZERO, |line| log(line, logger))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The root logger of this package.
fn logger(python: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    python.import("logging")?.call_method1("getLogger", (LOG_ROOT,))
}

/// A Python string as the store keeps it. Python does not wipe its own copies.
fn to_secret_text(text: &Bound<'_, PyString>) -> PyResult<SecretText> {
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?.cast_into::<PyBytes>()?;
    Ok(SecretText::new(encoded.as_bytes().to_vec().into()))
}

fn from_secret_text<'python>(python: Python<'python>, secret: &SecretText) -> PyResult<Bound<'python, PyString>> {
    if let Ok(text) = std::str::from_utf8(secret.expose()) {
        return Ok(PyString::new(python, text));
    }
    let encoded = PyBytes::new(python, secret.expose());
    PyString::from_encoded_object(&encoded, Some(c"utf-8"), Some(c"surrogatepass"))
}

/// A Python object as text; `None` if it is not a string, or has lone surrogates.
fn text(object: &Bound<'_, PyAny>) -> Option<String> {
    object.cast::<PyString>().ok()?.extract().ok()
}

/// Waits for a lookup without the GIL. A Python exception (Ctrl-C, a log handler that fails) cancels the lookup.
fn wait<Outcome: Send + 'static>(
    python: Python<'_>,
    lookup: Lookup<Outcome>,
    grace: Duration,
    log: impl FnMut(Line) -> PyResult<()>,
) -> PyResult<Result<Outcome>> {
    lookup.wait(grace, |lookup| python.detach(|| lookup.next_event()), log, || python.check_signals())
}

/// Logs a line under the logger of its target: `ringbearer::keyring::lookup` becomes `ringbearer.keyring.lookup`.
fn log(line: Line, logger: &Bound<'_, PyAny>) -> PyResult<()> {
    let name = line.target.strip_prefix(LOG_ROOT).unwrap_or_default().trim_start_matches("::").replace("::", ".");
    let logger = if name.is_empty() { logger.clone() } else { logger.call_method1("getChild", (name,))? };
    let level = match line.level {
        Level::Error => 40,
        // A handler may reject it, and the user would not know why there is no password.
        Level::Warn => {
            let warning = logger.py().import("ringbearer.warning")?;
            return warning.call_method1("log", (logger, line.message)).map(drop);
        }
        Level::Info => 20,
        Level::Debug | Level::Trace => 10,
    };
    // As an argument, so that a percent sign in the message is not a format.
    logger.call_method1("log", (level, "%s", line.message)).map(drop)
}

/// The effective level of a Python logger.
fn level_of(logger: &Bound<'_, PyAny>) -> PyResult<LevelFilter> {
    let level: i64 = logger.call_method0("getEffectiveLevel")?.extract()?;
    Ok(match level {
        ..=10 => LevelFilter::Debug,
        11..=20 => LevelFilter::Info,
        21..=30 => LevelFilter::Warn,
        _ => LevelFilter::Error,
    })
}

/// The Python exception of an error.
fn to_python(python: Python<'_>, error: &Error) -> PyErr {
    exception(python, error.class().unwrap_or_else(|| class_of(error.kind())), error)
}

/// The exception class of a kind.
fn class_of(kind: Kind) -> ExceptionClass {
    match kind {
        Kind::Configuration | Kind::Usage => ExceptionClass::Configuration,
        Kind::Network => ExceptionClass::Network,
        Kind::Timeout | Kind::Cancelled => ExceptionClass::LookupTimeout,
        Kind::Rejected | Kind::Exhausted | Kind::NotConfigured => ExceptionClass::Authentication,
        Kind::Protocol => ExceptionClass::Protocol,
        Kind::Process => ExceptionClass::Process,
        Kind::Locked => ExceptionClass::StoreLocked,
        Kind::Corrupted => ExceptionClass::StoreCorrupted,
        Kind::NotFound => ExceptionClass::StoreNotFound,
        Kind::Storage => ExceptionClass::Store,
        Kind::Internal => ExceptionClass::Internal,
    }
}

/// The exception class of a kind of failure in the store.
fn store_class(kind: Kind) -> ExceptionClass {
    match kind {
        Kind::Configuration => ExceptionClass::StoreConfiguration,
        Kind::Timeout | Kind::Cancelled => ExceptionClass::StoreTimeout,
        kind => class_of(kind),
    }
}

macro_rules! class_names {
    ($($class:ident => $name:literal,)*) => {
        const CLASS_NAMES: &[&str] = &[$($name),*];

        /// The name of a class in `ringbearer.errors`.
        const fn class_name(class: ExceptionClass) -> &'static str {
            match class {
                $(ExceptionClass::$class => $name,)*
            }
        }
    };
}

class_names! {
    Authentication => "AuthenticationError",
    ChainctlCommand => "ChainctlCommandError",
    ChainctlNotFound => "ChainctlNotFoundError",
    ChainctlTimeout => "ChainctlTimeoutError",
    Configuration => "ConfigurationError",
    Internal => "InternalError",
    InvalidCachedToken => "InvalidCachedTokenError",
    LookupTimeout => "LookupTimeoutError",
    M2mProfileWithoutClientCredentials => "M2MProfileWithoutClientCredentialsError",
    MendaCloudApi => "MendaCloudAPIError",
    MendaKeyRing => "MendaKeyRingError",
    MendaNetwork => "MendaNetworkError",
    MendaTimeout => "MendaTimeoutError",
    Network => "NetworkError",
    NoCachedLogin => "NoCachedLoginError",
    Process => "ProcessError",
    ProfileNotFound => "ProfileNotFoundError",
    ProfileWithoutHost => "ProfileWithoutHostError",
    Protocol => "ProtocolError",
    Store => "StoreError",
    StoreConfiguration => "StoreConfigurationError",
    StoreCorrupted => "StoreCorrupted",
    StoreLocked => "StoreLocked",
    StoreNotFound => "StoreNotFound",
    StoreTimeout => "StoreTimeoutError",
}

fn exception(python: Python<'_>, class: ExceptionClass, error: &Error) -> PyErr {
    // `backends.py` has imported the module, so this loads nothing. The module is not cached here: subinterpreters that share
    // the GIL have one each, and may exit before others.
    let module = python.import("ringbearer.errors");
    let class = module.and_then(|module| Ok(module.getattr(class_name(class))?.cast_into::<PyType>()?));
    match class {
        Ok(class) => {
            let exception = PyErr::from_type(class, error.to_string());
            if let Some(status) = error.status() {
                // An attribute of the class: setting it does not fail.
                let _ = exception.value(python).setattr("status_code", status);
            }
            exception
        }
        Err(_) => PyRuntimeError::new_err(error.to_string()),
    }
}
