//! The ssh-agent's socket: one connection for each message, every wait within one limit.

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

// Everywhere in tests: it knows nothing of Windows but the name of the pipe.
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
    /// Sends everything.
    fn send(&mut self, bytes: &[u8], wait: &Wait<'_>) -> std::result::Result<(), Failure>;

    /// Fills the buffer.
    fn receive(&mut self, buffer: &mut [u8], wait: &Wait<'_>) -> std::result::Result<(), Failure>;
}

/// Why an exchange with the agent failed.
#[derive(Debug)]
enum Failure {
    /// Nobody listens.
    Unreachable(io::Error),
    /// The limit ran out: how long it was, and whether that was all that the lookup had left.
    Slow(Duration, bool),
    /// It hung up, or sent what is no message.
    Broken(&'static str),
    /// The lookup is over, or its caller gave up.
    Stopped(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Stopped(error)
    }
}

/// One end of a wait: says how long it may still last, and whether anybody still cares.
struct Wait<'system> {
    system: &'system OsSystem,
    length: Duration,
    end: Instant,
    is_cut: bool,
}

impl<'system> Wait<'system> {
    /// A wait of `limit`, or of what the lookup has left.
    fn new(system: &'system OsSystem, limit: Duration) -> Self {
        let length = limit.min(system.remaining());
        Self { system, length, end: Instant::now() + length, is_cut: length < limit }
    }

    /// The next stretch to wait for, after which the caller is looked for again.
    fn stretch(&self) -> std::result::Result<Duration, Failure> {
        let left = self.end.saturating_duration_since(Instant::now());
        // First, since it says who was waited for: the lookup may well be over at the same moment.
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
    /// Where the agent listens: SSH_AUTH_SOCK, or on Windows the pipe of its own OpenSSH.
    fn agent_address(&self) -> Result<String> {
        let named = self.variable(SOCKET_VARIABLE).filter(|path| !path.is_empty());
        named.or_else(|| transport::USUAL_ADDRESS.map(str::to_owned)).ok_or_else(|| {
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
            Error::new(Kind::Locked, format!("the ssh-agent at {socket} gave no whole answer within {seconds:.0} s"))
                .with_hint(format!("it may wait for you to confirm, or hang: `ssh-add -l` tells{more}"))
        }
        Failure::Broken(what) => {
            Error::new(Kind::Locked, format!("Unable to speak the ssh-agent protocol: {socket} {what}"))
                .with_hint("is SSH_AUTH_SOCK the socket of an ssh-agent?")
        }
        Failure::Stopped(error) => error,
    }
}

/// Sends a message with its length in front and receives one (RFC 9987, section 3).
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
        return Err(Failure::Broken("announced a message that is empty or far too long"));
    }
    let mut answer = Zeroizing::new(vec![0; length]);
    stream.receive(&mut answer, wait)?;
    Ok(answer)
}

/// Whether a failure means that nothing has happened yet, so that one waits on.
fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::system::{CancellationToken, os::LOOKUP_LIMIT};

    /// A FIFO that is open for both gives back what it is given, as an agent with one message would.
    fn echo(folder: &tempfile::TempDir) -> String {
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_pipe_carries_a_message_and_its_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = echo(&folder);
        let system =
            OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT);
        let wait = Wait::new(&system, LOOKUP_LIMIT);
        let answer = exchange(pipe::connect(&path, &wait).unwrap(), b"\x0b message", &wait).unwrap();
        assert_eq!(answer.as_slice(), b"\x0b message");
        assert!(matches!(pipe::connect("/nowhere", &wait), Err(Failure::Unreachable(_))));
        assert_eq!(pipe::peer(&path, &wait).unwrap(), None);
        assert!(pipe::USUAL_ADDRESS.is_some());
    }

    #[test]
    fn a_silent_pipe_is_given_up_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = echo(&folder);
        let system =
            OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT);
        let wait = Wait::new(&system, Duration::from_millis(100));
        let mut stream = pipe::connect(&path, &wait).unwrap();
        assert!(matches!(stream.receive(&mut [0; 4], &wait), Err(Failure::Slow(_, false))));
    }
}
