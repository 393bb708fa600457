//! Child processes with deadlines.
//!
//! - `search`: programs on PATH
//! - `detached`: programs that outlive this one
//! - `process_group`, `job`: a child with all that it starts, on Unix and on Windows
//! - `exec`: `exec(2)`, and its substitute on Windows; `filter`: what passes on the standard error of that program

mod detached;
mod exec;
mod filter;
#[cfg(windows)]
mod job;
#[cfg(unix)]
mod process_group;
mod search;

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use log::debug;
use zeroize::Zeroizing;

pub(crate) use self::exec::exec;
#[cfg(feature = "executables")]
pub(crate) use self::filter::{is_filter, run_filter};
#[cfg(windows)]
use self::job as tree;
#[cfg(unix)]
use self::process_group as tree;
use self::search::{is_executable, on_path};
use super::{Environment, OsSystem, clock::POLL_INTERVAL, shortage};
use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    system::{CancellationToken, Clock, Processes, io_message, process as child},
};

/// How long to wait for the end of a killed child.
const KILL_LIMIT: Duration = Duration::from_secs(1);

/// How long to read on after the child has exited, while a process that it started keeps its output open.
const OUTPUT_GRACE: Duration = Duration::from_millis(300);

impl Processes for OsSystem {
    fn find_program(&self, name: &str) -> Option<PathBuf> {
        on_path(&self.environment, name).next()
    }

    fn programs_on_path(&self, name: &str) -> Vec<PathBuf> {
        on_path(&self.environment, name).collect()
    }

    fn program_at(&self, path: &Path) -> Option<PathBuf> {
        (path.is_absolute() && is_executable(path)).then(|| path.to_owned())
    }

    fn own_program(&self) -> Option<PathBuf> {
        std::fs::canonicalize(std::env::current_exe().ok()?).ok()
    }

    fn run(&self, command: &child::Command) -> Result<child::Output> {
        self.check()?;
        run(&self.environment, command, self.deadline_within(command.limit), &self.cancellation)
    }

    fn start(&self, command: &child::Command) -> Result<()> {
        self.check()?;
        detached::start(&self.environment, command)
    }
}

/// Waits for a killed child. One that hangs in the kernel, as on a dead network drive, is left behind.
fn wait_for_end(child: &mut Child) {
    let end = Instant::now() + KILL_LIMIT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The failure to start a program.
fn failed(program: &Path, error: &io::Error) -> Error {
    if let Some(shortage) = shortage::of_start(&format!("{} cannot be run", program.display()), error) {
        return shortage;
    }
    let reason = match error.kind() {
        // cmd.exe would end its command there. The standard library escapes the rest.
        io::ErrorKind::InvalidInput if cfg!(windows) => {
            "an argument has a line break, which no batch file can receive, or a null character".to_owned()
        }
        _ => io_message(error),
    };
    Error::new(Kind::Process, format!("{} cannot be run: {reason}", program.display())).with_source(error)
}

/// Runs a child to its end. At the deadline or on cancellation, kills it with every process that it started.
fn run(
    environment: &Environment,
    command: &child::Command,
    deadline: Instant,
    cancellation: &CancellationToken,
) -> Result<child::Output> {
    let name = command.name();
    let start = Instant::now();
    let mut running = Running::start(environment, command)?;
    let status = running.wait(&name, deadline, cancellation);
    if status.is_err() {
        running.tree.kill();
    }
    let status = status?;
    debug!("{name} ended with {status} after {} ms", start.elapsed().as_millis());
    let [stdout, stderr] = running.captures.map(|capture| capture.take());
    Ok(child::Output { status: status.code(), stdout, stderr })
}

/// The output of one stream so far, shared with the thread that reads it.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Zeroizing<Vec<u8>>>>);

impl Capture {
    fn take(&self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a stream to its end in a thread, then sends whether the output is within the cap.
    fn read(&self, mut stream: impl Read + Send + 'static, ended: mpsc::Sender<bool>) -> io::Result<()> {
        let buffer = Arc::clone(&self.0);
        thread::Builder::new().name("ringbearer-output".to_owned()).spawn(move || {
            let mut chunk = Zeroizing::new([0_u8; 4096]);
            let is_within_cap = loop {
                let Ok(length @ 1..) = stream.read(&mut *chunk) else {
                    break true;
                };
                let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
                if buffer.len() + length > child::OUTPUT_CAP {
                    break false;
                }
                buffer.extend_from_slice(&chunk[..length]);
            };
            // The receiver is gone if the child was killed.
            let _ = ended.send(is_within_cap);
        })?;
        Ok(())
    }
}

/// Writes the input of a child in a thread, which wipes it and closes the pipe at the end. Nobody waits for the thread: a
/// child may read nothing, and the pipe breaks when it ends.
fn write(mut stdin: ChildStdin, input: Secret) -> io::Result<()> {
    thread::Builder::new().name("ringbearer-input".to_owned()).spawn(move || {
        // A child that does not read all of it decides by its exit code.
        let _ = stdin.write_all(input.expose().as_bytes());
    })?;
    Ok(())
}

struct Running {
    tree: tree::Tree,
    captures: [Capture; 2],
    ended: mpsc::Receiver<bool>,
    exited: Option<(ExitStatus, Instant)>,
}

impl Running {
    fn start(environment: &Environment, command: &child::Command) -> Result<Self> {
        let mut builder = builder(environment, command);
        builder
            .stdin(if command.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        tree::isolate(&mut builder);
        let failed = |error: io::Error| failed(&command.program, &error);
        let mut tree = tree::Tree::spawn(&mut builder).map_err(failed)?;
        let (sender, ended) = mpsc::channel();
        let captures = [Capture::default(), Capture::default()];
        let (stdin, streams) = (tree.stdin(), tree.streams());
        let mut running = Self { tree, captures, ended, exited: None };
        if let (Some(stdout), Some(stderr)) = streams {
            let piping = running.captures[0]
                .read(stdout, sender.clone())
                .and_then(|()| running.captures[1].read(stderr, sender))
                .and_then(|()| stdin.zip(command.input.clone()).map_or(Ok(()), |(stdin, input)| write(stdin, input)));
            if let Err(error) = piping {
                running.tree.kill();
                return Err(failed(error));
            }
        }
        Ok(running)
    }

    fn wait(&mut self, name: &str, deadline: Instant, cancellation: &CancellationToken) -> Result<ExitStatus> {
        let mut open = self.captures.len();
        loop {
            match self.ended.recv_timeout(if open == 0 { Duration::from_millis(1) } else { POLL_INTERVAL }) {
                Ok(true) => open -= 1,
                Ok(false) => {
                    return Err(Error::new(
                        Kind::Process,
                        format!("{name} printed more than {} KiB", child::OUTPUT_CAP / 1024),
                    ));
                }
                // Both readers have ended, so that `recv_timeout` returns immediately.
                Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(1)),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if self.exited.is_none() {
                let status = self.tree.try_wait().map_err(|error| {
                    Error::new(Kind::Process, format!("{name} cannot be waited for: {}", io_message(&error)))
                })?;
                self.exited = status.map(|status| (status, Instant::now()));
            }
            if let Some((status, since)) = self.exited
                && (open == 0 || since.elapsed() > OUTPUT_GRACE)
            {
                return Ok(status);
            }
            if cancellation.is_cancelled() {
                return Err(Error::new(Kind::Cancelled, "the lookup was cancelled"));
            }
            if Instant::now() >= deadline {
                return Err(Error::new(Kind::Timeout, format!("{name} did not end in time")));
            }
        }
    }
}

/// A program with its arguments, environment and working directory.
fn builder(environment: &Environment, command: &child::Command) -> Command {
    let mut builder = Command::new(&command.program);
    builder
        .args(&command.arguments)
        .env_clear()
        .envs(environment.all())
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(neutral_directory(environment));
    builder
}

/// A working directory without configuration files that a program could read.
fn neutral_directory(environment: &Environment) -> PathBuf {
    if cfg!(windows) {
        let system_root = environment.raw("SystemRoot").map(PathBuf::from);
        system_root.filter(|path| path.is_absolute() && path.is_dir()).unwrap_or_else(|| PathBuf::from("C:\\"))
    } else {
        PathBuf::from("/")
    }
}

#[cfg(test)]
mod tests;
