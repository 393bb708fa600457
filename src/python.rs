//! The Python edge: the only file that knows Python.
//!
//! A [`Lookup`] runs in a thread that never touches Python. The calling thread lets go of Python's lock and
//! waits for it; every few milliseconds it looks for Ctrl-C, and it hands the lookup's log lines on to
//! Python's logging. Even a lookup that was given up and ends while the interpreter shuts down does no harm.
//!
//! Reads of the store take less time than a thread to start, and so are done in the calling thread, which
//! looks for Ctrl-C whenever it waits for the agent.
// These functions are called by Python alone, and take what PyO3's macros hand them.
#![allow(clippy::needless_pass_by_value, unreachable_pub)]

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
    auth::{cache_key::fingerprint, cache_mode::Caching},
    cli::{self, Log, Memory, STORE_LIMIT, World},
    error::{Error, Kind, Result},
    keyring::{
        ASKED_VARIABLE, Keyring,
        lookup::{Event, LOG_ROOT, Line, LogToLookup, Lookup, SHUTDOWN_GRACE, look_up_here},
        session_cache,
    },
    registry::{ALL, Credential},
    secret::SecretText,
    service::{MAX_SERVICE, Service},
    store::{self, Entry, Store, is_in_use},
    system::{
        CancellationToken,
        os::{Environment, LOOKUP_LIMIT, OsSystem, StdConsole},
    },
    variable,
};

/// How often the end of what was given up is looked for.
const PACE: Duration = Duration::from_millis(5);

/// How often the waiting thread looks for Ctrl-C.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

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
            let parents = slot.replace((process, Arc::clone(&memory)));
            if let Some((_, parents)) = &parents {
                parents.store.forget();
            }
            std::mem::forget(parents);
            memory
        }
    }
}

/// The look-ups under way: of which process, whether each has ended, and the word to give it up. The mutex is only ever
/// taken with Python's lock held, as that of [`MEMORY`].
static UNDER_WAY: Mutex<Vec<(u32, Weak<()>, CancellationToken)>> = Mutex::new(Vec::new());

/// Gives up the look-ups under way, and lets them end their child processes. Python calls it when it ends: whoever waits for
/// one in a daemon thread never comes back.
#[pyfunction]
#[allow(clippy::disallowed_methods)] // No lookup is left whose deadline it could keep to.
fn give_up_look_ups(python: Python<'_>) {
    let process = std::process::id();
    let mut under_way = std::mem::take(&mut *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner));
    under_way.retain(|(owner, life, _)| *owner == process && life.strong_count() > 0);
    if under_way.is_empty() {
        return;
    }
    for (_, _, cancel) in &under_way {
        cancel.cancel();
    }
    python.detach(|| {
        let mut left = SHUTDOWN_GRACE;
        while under_way.iter().any(|(_, life, _)| life.strong_count() > 0) && !left.is_zero() {
            std::thread::sleep(PACE);
            left = left.saturating_sub(PACE);
        }
    });
}

/// The credential of a registry, by its id, for `service`, as (user name, password); `None` if the service is not
/// that registry's, or nothing is configured for it.
///
/// `service` and `username` may be anything: what is no text is nobody's service, and an index backend
/// answers every user name alike. A failure is told once as a WARNING and answered with `None`, unless
/// RINGBEARER_STRICT asks for the exception.
#[pyfunction]
#[pyo3(signature = (registry, service, username=None))]
fn get_credential(
    python: Python<'_>,
    registry: &str,
    service: &Bound<'_, PyAny>,
    username: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<(String, String)>> {
    // The length is known before a character is read.
    let is_short = |text: &&Bound<'_, PyAny>| text.len().is_ok_and(|length| length <= MAX_SERVICE);
    let Some(raw) = Some(service).filter(is_short).and_then(text) else { return Ok(None) };
    let memory = memory(python);
    let claimed = catch_unwind(AssertUnwindSafe(|| {
        let service = Service::parse(&raw);
        memory.keyring.registry(registry).is_ok_and(|registry| registry.source.claims(&service)).then_some(service)
    }));
    // A name that cannot even be read is nobody's.
    let Ok(Some(service)) = claimed else { return Ok(None) };
    let environment = Environment::capture();
    if environment.text(ASKED_VARIABLE).is_some_and(|asked| asked == fingerprint(raw.as_bytes())) {
        return Ok(None);
    }
    let is_strict = Keyring::is_strict(|name| environment.text(name).map(str::to_owned));
    let (registry, username) = (registry.to_owned(), username.and_then(text));
    let logger = logger(python)?;
    let outcome = look_up(python, &memory, environment, LOOKUP_LIMIT, &logger, move |memory, system| {
        let candidate = memory.keyring.registry(&registry)?;
        session_cache::get(system, candidate, &service, username.as_deref(), Caching::Memory)
    })?;
    match outcome {
        Ok(credential) => {
            Ok(credential.map(|Credential { username, password, .. }| (username, password.expose().to_owned())))
        }
        Err(error) if is_strict => Err(to_python(python, &error)),
        // The interpreter ends, and this thread with it.
        Err(error) if error.kind() == Kind::Cancelled => Ok(None),
        Err(error) => {
            let level = if memory.keyring.first_occurrence(&error) { Level::Warn } else { Level::Debug };
            hand_on(Line { level, target: LOG_ROOT.to_owned(), message: error.to_string(), step: None }, &logger)?;
            Ok(None)
        }
    }
}

/// The password of a user of a service in the store; `None` if there is none. Whatever fails is raised.
#[pyfunction]
fn store_get<'python>(
    python: Python<'python>,
    service: &Bound<'_, PyAny>,
    username: &Bound<'_, PyAny>,
) -> PyResult<Option<Bound<'python, PyString>>> {
    // What is no text, or no Unicode, has no record.
    let (Some(service), Some(username)) = (text(service), text(username)) else { return Ok(None) };
    let found = in_store_here(python, move |store, system| store.get(system, &service, &username))?;
    found.as_ref().map(|password| from_secret_text(python, password)).transpose()
}

/// Some user of a service in the store, and the password; `None` if there is none. Whatever fails is
/// raised.
#[pyfunction]
fn store_find<'python>(
    python: Python<'python>,
    service: &Bound<'_, PyAny>,
) -> PyResult<Option<(String, Bound<'python, PyString>)>> {
    let Some(service) = text(service) else { return Ok(None) };
    let found = in_store_here(python, move |store, system| store.find(system, &service))?;
    found.map(|(username, password)| Ok((username, from_secret_text(python, &password)?))).transpose()
}

/// Stores a password, and makes the store if there is none. Whatever fails is raised.
#[pyfunction]
fn store_set(
    python: Python<'_>,
    service: &Bound<'_, PyAny>,
    username: &Bound<'_, PyAny>,
    password: &Bound<'_, PyString>,
) -> PyResult<()> {
    let (Some(service), Some(username)) = (text(service), text(username)) else {
        let error = Error::new(Kind::Storage, "a service and a user name in the store are text, and Unicode");
        return Err(to_python(python, &error));
    };
    let password = to_secret_text(password)?;
    in_store(python, move |store, system| store.set(system, &service, &username, &password))
}

/// Removes a password from the store. A password that is not there is raised too, as all that fails.
#[pyfunction]
fn store_delete(python: Python<'_>, service: &Bound<'_, PyAny>, username: &Bound<'_, PyAny>) -> PyResult<()> {
    // What is no Unicode has no record, and the empty name of it is as good as any other that has none.
    let names = text(service).zip(text(username));
    in_store(python, move |store, system| match &names {
        Some((service, username)) => store.delete(system, service, username),
        None => Err(Error::new(Kind::NotFound, "Password not found")),
    })
}

/// Whether somebody set the store up: by a variable, the configuration file, or by using it.
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

/// The names of the environment variables that ringbearer, and the programs that it runs, read.
#[pyfunction]
fn variables() -> BTreeSet<&'static str> {
    let of_registries = ALL.iter().flat_map(|registry| registry.variables());
    of_registries.chain(variable::COMMON).chain(store::VARIABLES).map(|variable| variable.name).collect()
}

/// Runs the command line `ringbearer` with these arguments, and answers the exit code.
#[pyfunction]
#[allow(clippy::disallowed_methods)] // For the times in what is printed.
fn run_command_line(python: Python<'_>, arguments: Vec<Vec<u8>>) -> PyResult<u8> {
    let command = match cli::parse(arguments.into_iter().map(to_os_string).collect()) {
        Ok(command) => command,
        Err(error) => return Ok(cli::report(&StdConsole, &error)),
    };
    let foreign = command.foreign().map(|foreign| read_foreign(python, foreign)).transpose()?;
    let memory = memory(python);
    let environment = Environment::capture();
    // Python's logging takes longer to load than most commands to run.
    let (log, start) = (Log::of(&environment), Instant::now());
    let (limit, network) = (command.limit(&memory), Arc::clone(&memory.network));
    let lookup = Lookup::start(environment.clone(), network, log.level(), limit, move |system| {
        cli::run(&World { system, console: &StdConsole, memory: &memory }, &command, foreign)
    });
    let mut lookup = match lookup {
        Ok(lookup) => lookup,
        Err(error) => return Ok(cli::report(&StdConsole, &error)),
    };
    let mut interruption = None;
    let outcome = loop {
        let waiting = &mut lookup;
        match python.detach(move || waiting.next_event(POLL_INTERVAL)) {
            Some(Event::Log(line)) => log.tell(&StdConsole, &line, start.elapsed()),
            Some(Event::Done(outcome)) => break outcome,
            None => {}
        }
        if let Err(signal) = python.check_signals() {
            // It has a moment to end its child processes, and to give the terminal back.
            lookup.give_up(cli::farewell(limit));
            interruption = Some(signal);
        }
    };
    match interruption {
        Some(interruption) => Err(interruption),
        None => Ok(cli::end(&StdConsole, &environment, outcome)),
    }
}

/// An argument as Python's `os.fsencode` has it.
fn to_os_string(argument: Vec<u8>) -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(argument);
    #[cfg(not(unix))]
    String::from_utf8_lossy(&argument).into_owned().into()
}

/// Reads another keyring by `ringbearer.migration`, in the calling thread: it is Python, and may ask the
/// person at the keyboard.
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

/// The native core of ringbearer.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    LogToLookup::install();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(get_credential, module)?)?;
    module.add_function(wrap_pyfunction!(give_up_look_ups, module)?)?;
    module.add_function(wrap_pyfunction!(registries, module)?)?;
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
    outcome.map_err(|error| exception(python, class_in_store(error.kind()), &error))
}

/// Reads from the store in the calling thread, without Python's lock; in a thread of its own if every step is to
/// be told as it happens.
fn in_store_here<Outcome: Send + 'static>(
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
    let for_question = Arc::clone(&interrupted);
    let process = std::process::id();
    let gave_up = move || {
        // A fork inherits the wait, but not the question.
        if std::process::id() != process {
            return true;
        }
        // An interpreter that is shutting down waits for nobody. (The method itself would be one for a single
        // lifetime.)
        #[allow(clippy::redundant_closure_for_method_calls)]
        let Some(signals) = Python::try_attach(|python| python.check_signals()) else { return true };
        let interruption = signals.err();
        // A signal handler may have forked.
        let is_given_up = interruption.is_some() || std::process::id() != process;
        *for_question.lock().unwrap_or_else(PoisonError::into_inner) = interruption;
        is_given_up
    };
    let (environment, network) = (Environment::capture(), Arc::clone(&memory.network));
    let (lines, outcome) = python.detach(|| {
        look_up_here(environment, network, level, STORE_LIMIT, gave_up, |system| work(&memory.store, system))
    });
    if let Some(interruption) = interrupted.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(interruption);
    }
    for line in lines {
        hand_on(line, &logger)?;
    }
    outcome.map_err(|error| exception(python, class_in_store(error.kind()), &error))
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
            let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.retain(|(_, life, _)| life.strong_count() > 0);
            under_way.push((std::process::id(), alive, lookup.cancel()));
            drop(under_way);
            wait_for(python, lookup, logger)
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The logger above all others here.
fn logger(python: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    python.import("logging")?.call_method1("getLogger", (LOG_ROOT,))
}

/// A Python string as the store has it. (Python's own copies of it are Python's to wipe, and it does not.)
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

/// A Python object as text; `None` if it is no string, or one that is not Unicode (lone surrogates).
fn text(object: &Bound<'_, PyAny>) -> Option<String> {
    object.cast::<PyString>().ok()?.extract().ok()
}

/// Waits for a lookup without Python's lock. A Python exception here (Ctrl-C, a log handler that fails)
/// lets go of the lookup, which gives it up.
fn wait_for<Outcome: Send + 'static>(
    python: Python<'_>,
    mut lookup: Lookup<Outcome>,
    logger: &Bound<'_, PyAny>,
) -> PyResult<Result<Outcome>> {
    loop {
        let waiting = &mut lookup;
        match python.detach(move || waiting.next_event(POLL_INTERVAL)) {
            Some(Event::Log(line)) => hand_on(line, logger)?,
            Some(Event::Done(outcome)) => return Ok(outcome),
            None => {}
        }
        python.check_signals()?;
    }
}

/// Logs a line under the logger of its target: `ringbearer::auth::chain` becomes
/// `ringbearer.auth.chain`.
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

/// The Python exception of an error: the class of `ringbearer.errors` by its name or for its kind.
fn to_python(python: Python<'_>, error: &Error) -> PyErr {
    exception(python, error.name().unwrap_or_else(|| class_of(error.kind())), error)
}

/// The exception of a failure of the store: one of its own kind, wherever the cause lies.
fn class_in_store(kind: Kind) -> &'static str {
    match kind {
        Kind::Configuration => "StoreConfigurationError",
        Kind::Timeout | Kind::Cancelled => "StoreTimeoutError",
        kind => class_of(kind),
    }
}

fn class_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Configuration | Kind::Usage => "ConfigurationError",
        Kind::Network => "NetworkError",
        Kind::Timeout | Kind::Cancelled => "LookupTimeoutError",
        Kind::Rejected | Kind::Exhausted | Kind::NotConfigured => "AuthenticationError",
        Kind::Protocol => "ProtocolError",
        Kind::Process => "ProcessError",
        Kind::Locked => "StoreLocked",
        Kind::Corrupted => "StoreCorrupted",
        Kind::NotFound => "StoreNotFound",
        Kind::Storage => "StoreError",
        Kind::Internal => "InternalError",
    }
}

fn exception(python: Python<'_>, class: &str, error: &Error) -> PyErr {
    // `backends.py` has imported it long before, so that nothing is loaded now. It is not kept here: interpreters that
    // share the lock have one each, and some end before others.
    let module = python.import("ringbearer.errors");
    let class = module.and_then(|module| Ok(module.getattr(class)?.cast_into::<PyType>()?));
    match class {
        Ok(class) => {
            let exception = PyErr::from_type(class, error.to_string());
            if let Some(status) = error.status() {
                // It is the class's own attribute: setting it does not fail.
                let _ = exception.value(python).setattr("status_code", status);
            }
            exception
        }
        Err(_) => PyRuntimeError::new_err(error.to_string()),
    }
}
