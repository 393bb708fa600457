//! The ssh-agent's socket: a connection per message, with one limit for all waits.

use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::{OsSystem, clock::POLL_INTERVAL};
use crate::{
    error::{Error, Kind, Result},
    system::{
        Clock, Env,
        agent::{AgentSocket, MAX_MESSAGE, Peer, SOCKET_VARIABLE},
        io_message,
    },
};

// Tested on every platform: only the name of the pipe is specific to Windows.
#[cfg(any(windows, test))]
mod pipe;
#[cfg(unix)]
mod socket;

#[cfg(windows)]
use pipe as transport;
#[cfg(unix)]
use socket as transport;

/// A connection to the agent.
trait Stream {
    /// Sends all bytes.
    fn send(&mut self, bytes: &[u8], wait: &Wait<'_>) -> std::result::Result<(), Failure>;

    /// Fills the buffer.
    fn receive(&mut self, buffer: &mut [u8], wait: &Wait<'_>) -> std::result::Result<(), Failure>;
}

/// Why a message to the agent failed.
#[derive(Debug)]
enum Failure {
    /// The socket cannot be connected.
    Unreachable(io::Error),
    /// The limit passed: its length, and whether the lookup's deadline had shortened it.
    Slow(Duration, bool),
    /// The agent closed the connection or sent an invalid message.
    Broken(&'static str),
    /// The lookup's deadline passed, or it was cancelled.
    Stopped(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Stopped(error)
    }
}

/// The limit of a wait.
struct Wait<'system> {
    system: &'system OsSystem,
    length: Duration,
    end: Instant,
    is_cut: bool,
}

impl<'system> Wait<'system> {
    /// A wait of at most `limit`, shorter if the lookup's deadline comes first.
    fn new(system: &'system OsSystem, limit: Duration) -> Self {
        let length = limit.min(system.remaining());
        Self { system, length, end: Instant::now() + length, is_cut: length < limit }
    }

    /// How long to block before checking for cancellation again.
    fn next_block(&self) -> std::result::Result<Duration, Failure> {
        let left = self.end.saturating_duration_since(Instant::now());
        // Checked first, because its error names the agent; the lookup's deadline may pass at the same moment.
        if left.is_zero() && !self.system.cancellation.is_cancelled() {
            return Err(Failure::Slow(self.length, self.is_cut));
        }
        self.system.check()?;
        Ok(left.min(POLL_INTERVAL))
    }
}

impl AgentSocket for OsSystem {
    fn ask_agent(&self, message: &[u8], limit: Duration) -> Result<Zeroizing<Vec<u8>>> {
        let socket = self.agent_address()?;
        let wait = Wait::new(self, limit);
        transport::connect(&socket, &wait)
            .and_then(|stream| exchange(stream, message, &wait))
            .map_err(|failure| explain(&socket, failure))
    }

    fn agent_peer(&self) -> Result<Peer> {
        let socket = self.agent_address()?;
        let limit = Duration::from_secs(5);
        let wait = Wait::new(self, limit);
        let process = transport::peer(&socket, &wait).map_err(|failure| explain(&socket, failure))?;
        Ok(Peer { socket, process })
    }
}

impl OsSystem {
    /// The agent's address: SSH_AUTH_SOCK, or the pipe of Windows' OpenSSH.
    fn agent_address(&self) -> Result<String> {
        let named = self.variable(SOCKET_VARIABLE).filter(|path| !path.is_empty());
        named.or_else(|| transport::DEFAULT_ADDRESS.map(str::to_owned)).ok_or_else(|| {
            Error::new(Kind::Locked, "SSH_AUTH_SOCK is not set; ssh-agent is not available")
                .with_hint("start one with `eval \"$(ssh-agent)\"`, or log in with agent forwarding")
        })
    }
}

fn explain(socket: &str, failure: Failure) -> Error {
    match failure {
        Failure::Unreachable(error) => {
            Error::new(Kind::Locked, format!("Unable to connect to ssh-agent at {socket}: {}", io_message(&error)))
                .with_source(&error)
                .with_hint("SSH_AUTH_SOCK may be left from a session that has ended: log in again, or start an agent")
        }
        Failure::Slow(length, is_cut) => {
            let seconds = length.as_secs_f64();
            let more = if is_cut { "; RINGBEARER_TIMEOUT=SECONDS gives it more time" } else { "" };
            Error::new(Kind::Locked, format!("the ssh-agent at {socket} did not respond within {seconds:.0} s"))
                .with_hint(format!("it may hang, or be waiting for a confirmation: check with `ssh-add -l`{more}"))
        }
        Failure::Broken(what) => {
            Error::new(Kind::Locked, format!("Unable to speak the ssh-agent protocol: {socket} {what}"))
                .with_hint("is SSH_AUTH_SOCK the socket of an ssh-agent?")
        }
        Failure::Stopped(error) => error,
    }
}

/// Sends a message with its length prefix and receives the response (RFC 9987, section 3).
fn exchange(
    mut stream: impl Stream,
    message: &[u8],
    wait: &Wait<'_>,
) -> std::result::Result<Zeroizing<Vec<u8>>, Failure> {
    let length = u32::try_from(message.len()).map_err(|_| Failure::Broken("takes no message of this length"))?;
    let mut framed = Zeroizing::new(Vec::with_capacity(4 + message.len()));
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    stream.send(&framed, wait)?;
    let mut length = [0; 4];
    stream.receive(&mut length, wait)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_MESSAGE {
        return Err(Failure::Broken("announced an empty or oversized message"));
    }
    let mut answer = Zeroizing::new(vec![0; length]);
    stream.receive(&mut answer, wait)?;
    Ok(answer)
}

/// Whether an error means that no data is available yet.
fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::system::{CancellationToken, os::LOOKUP_LIMIT};

    /// A FIFO opened for reading and writing echoes what is written, like an agent with one response.
    fn echo(folder: &tempfile::TempDir) -> String {
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_pipe_carries_a_message_and_its_response() {
        let folder = tempfile::tempdir().unwrap();
        let path = echo(&folder);
        let system =
            OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT);
        let wait = Wait::new(&system, LOOKUP_LIMIT);
        let answer = exchange(pipe::connect(&path, &wait).unwrap(), b"\x0b message", &wait).unwrap();
        assert_eq!(answer.as_slice(), b"\x0b message");
        assert!(matches!(pipe::connect("/nowhere", &wait), Err(Failure::Unreachable(_))));
        assert_eq!(pipe::peer(&path, &wait).unwrap(), None);
        assert!(pipe::DEFAULT_ADDRESS.is_some());
    }

    #[test]
    fn a_silent_pipe_fails_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = echo(&folder);
        let system =
            OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT);
        let wait = Wait::new(&system, Duration::from_millis(100));
        let mut stream = pipe::connect(&path, &wait).unwrap();
        assert!(matches!(stream.receive(&mut [0; 4], &wait), Err(Failure::Slow(_, false))));
    }
}
