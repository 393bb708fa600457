//! Child processes with deadlines.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use log::debug;
use zeroize::Zeroizing;

use super::{Environment, OsSystem, clock::POLL_INTERVAL};
use crate::{
    error::{Error, Kind, Result},
    system::{CancellationToken, Clock, Processes, io_message, process as child},
};

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
}

/// The programs of a name on PATH, in its order. Empty and relative entries are skipped: they mean the working directory,
/// which is not trusted.
fn on_path(environment: &Environment, name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = environment.raw("PATH").map(std::env::split_paths).into_iter().flatten();
    folders
        .filter(|folder| folder.is_absolute())
        .flat_map(move |folder| candidates(&folder, name))
        .filter(|path| is_executable(path))
}

/// Replaces this program by `exec(2)`, with the captured environment; returns only on failure. On Windows spawns, waits and
/// returns the exit code.
pub(crate) fn exec(environment: &Environment, exec: &child::Exec) -> Result<u8> {
    let child::Exec { program, arguments, variables, .. } = exec;
    let mut builder = Command::new(program);
    builder.args(arguments).env_clear().envs(environment.all());
    builder.envs(variables.iter().map(|(name, value)| (name, value.expose())));
    let failed = |error: &std::io::Error| {
        Error::new(Kind::Process, format!("{} cannot be run: {}", program.display(), io_message(error)))
            .with_source(error)
    };
    #[cfg(unix)]
    return Err(failed(&std::os::unix::process::CommandExt::exec(&mut builder)));
    #[cfg(not(unix))]
    {
        let status = builder.status().map_err(|error| failed(&error))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

#[cfg(windows)]
fn candidates(folder: &Path, name: &str) -> Vec<PathBuf> {
    let extensions = ["exe", "cmd", "bat"];
    let has_one = Path::new(name).extension().is_some_and(|given| extensions.iter().any(|known| given == *known));
    if has_one {
        return vec![folder.join(name)];
    }
    extensions.iter().map(|extension| folder.join(format!("{name}.{extension}"))).collect()
}

#[cfg(not(windows))]
fn candidates(folder: &Path, name: &str) -> Vec<PathBuf> {
    vec![folder.join(name)]
}

/// Whether a path is an executable file.
fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    let runnable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let runnable = true;
    metadata.is_file() && runnable
}

/// Runs a child to its end. At the deadline or on cancellation, kills the child and, on Unix, its process group.
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
        running.kill();
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
    fn read(&self, mut stream: impl Read + Send + 'static, ended: mpsc::Sender<bool>) -> std::io::Result<()> {
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

/// The attempts on ETXTBSY.
const SPAWN_ATTEMPTS: u32 = 5;

/// Starts a child; retries on ETXTBSY, while another process is still writing the program.
fn spawn(builder: &mut Command) -> std::io::Result<Child> {
    let mut attempt = 1;
    loop {
        match builder.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy && attempt < SPAWN_ATTEMPTS => {
                attempt += 1;
                thread::sleep(POLL_INTERVAL);
            }
            outcome => return outcome,
        }
    }
}

struct Running {
    child: Child,
    captures: [Capture; 2],
    ended: mpsc::Receiver<bool>,
    exited: Option<(ExitStatus, Instant)>,
}

impl Running {
    fn start(environment: &Environment, command: &child::Command) -> Result<Self> {
        let mut builder = Command::new(&command.program);
        builder
            .args(&command.arguments)
            .env_clear()
            .envs(environment.all())
            .envs(command.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(neutral_directory(environment))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut builder, 0);
        let failed = |error: std::io::Error| {
            Error::new(Kind::Process, format!("{} cannot be run: {error}", command.program.display()))
        };
        let mut child = spawn(&mut builder).map_err(failed)?;
        let (sender, ended) = mpsc::channel();
        let captures = [Capture::default(), Capture::default()];
        let streams = (child.stdout.take(), child.stderr.take());
        let mut running = Self { child, captures, ended, exited: None };
        if let (Some(stdout), Some(stderr)) = streams {
            let reading = running.captures[0]
                .read(stdout, sender.clone())
                .and_then(|()| running.captures[1].read(stderr, sender));
            if let Err(error) = reading {
                running.kill();
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
                let status = match self.child.try_wait() {
                    Err(error) if is_reaped_elsewhere(&error) => Some(ExitStatus::default()),
                    status => status
                        .map_err(|error| Error::new(Kind::Process, format!("{name} cannot be waited for: {error}")))?,
                };
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

    fn kill(&mut self) {
        if self.exited.is_some() {
            // Already reaped: the process id may belong to another process.
            return;
        }
        #[cfg(unix)]
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the kernel reaped a child whose exit status is lost (ECHILD), as it does where SIGCHLD is ignored, a setting
/// that programs inherit. Then the output alone decides.
fn is_reaped_elsewhere(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::CHILD.raw_os_error());
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

/// A working directory without configuration files that a program could read.
fn neutral_directory(environment: &Environment) -> PathBuf {
    if cfg!(windows) {
        environment.raw("SystemRoot").map_or_else(|| PathBuf::from("C:\\"), PathBuf::from)
    } else {
        PathBuf::from("/")
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration, cancellation: &CancellationToken) -> Result<child::Output> {
        let environment =
            [("PATH".into(), "/usr/bin:/bin".into()), ("GIVEN".into(), "given".into())].into_iter().collect();
        let program = on_path(&environment, "sh").next().unwrap();
        let command = child::Command::new(program, &["-c", script], limit).variable("ADDED", "added");
        run(&environment, &command, Instant::now() + limit, cancellation)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_child_has_its_environment_a_neutral_directory_and_no_stdin() {
        let output =
            shell("echo $GIVEN $ADDED $HOME; pwd; cat; echo oops >&2; exit 3", LONG, &CancellationToken::default())
                .unwrap();
        assert_eq!(&output.stdout[..], b"given added\n/\n");
        assert_eq!((output.status, output.stderr_text().as_str()), (Some(3), "oops\n"));
    }

    #[test]
    fn a_child_is_killed_with_its_process_group_at_the_deadline() {
        let start = Instant::now();
        let error =
            shell("sleep 60 & sleep 60", Duration::from_millis(200), &CancellationToken::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout);
        assert!(start.elapsed() < LONG);
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_open_is_not_waited_for() {
        let start = Instant::now();
        let output = shell("echo token; sleep 60 &", LONG, &CancellationToken::default()).unwrap();
        assert_eq!(&output.stdout[..], b"token\n");
        assert!(start.elapsed() < LONG);
    }

    #[test]
    fn cancellation_kills_the_child() {
        let cancellation = CancellationToken::default();
        let error = thread::scope(|scope| {
            let running = scope.spawn(|| shell("sleep 60", LONG, &cancellation));
            thread::sleep(Duration::from_millis(100));
            cancellation.cancel();
            running.join().unwrap().unwrap_err()
        });
        assert_eq!(error.kind(), Kind::Cancelled);
    }

    #[test]
    fn endless_output_is_an_error() {
        let error = shell("yes", LONG, &CancellationToken::default()).unwrap_err();
        assert!(error.message().contains("more than 1024 KiB"), "{error}");
    }

    #[test]
    fn relative_and_empty_entries_of_path_are_skipped() {
        for path in ["", ".", "::", "bin", "./bin:"] {
            let environment = [("PATH".into(), path.into())].into_iter().collect();
            assert_eq!(on_path(&environment, "sh").next(), None, "{path:?}");
        }
    }
}
