//! The ssh-agent's socket: a connection per message, with one limit for all waits.

use std::{
    io,
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
        let address = self.agent_address()?;
        let wait = Wait::new(self, limit);
        transport::connect(&address.path, &wait)
            .and_then(|stream| exchange(stream, message, &wait))
            .map_err(|failure| explain(&address, failure))
    }

    fn agent_peer(&self) -> Result<Peer> {
        let address = self.agent_address()?;
        let limit = Duration::from_secs(5);
        let wait = Wait::new(self, limit);
        let process = transport::peer(&address.path, &wait).map_err(|failure| explain(&address, failure))?;
        Ok(Peer { socket: address.path, process })
    }
}

/// Where the agent listens.
struct Address {
    /// The path of the socket, or the name of the pipe.
    path: String,
    /// Whether SSH_AUTH_SOCK names it, rather than the platform.
    is_named: bool,
}

impl OsSystem {
    /// The agent's address: SSH_AUTH_SOCK, or the pipe of Windows' OpenSSH.
    fn agent_address(&self) -> Result<Address> {
        let named = self.variable(SOCKET_VARIABLE).filter(|path| !path.is_empty());
        let named = named.map(|path| Address { path, is_named: true });
        let default = || transport::DEFAULT_ADDRESS.map(|path| Address { path: path.to_owned(), is_named: false });
        named.or_else(default).ok_or_else(|| {
            Error::new(Kind::Locked, "SSH_AUTH_SOCK is not set; ssh-agent is not available")
                .with_hint("start one with `eval \"$(ssh-agent)\"`, or log in with agent forwarding")
        })
    }
}

fn explain(address: &Address, failure: Failure) -> Error {
    let socket = &address.path;
    match failure {
        Failure::Unreachable(error) => {
            Error::new(Kind::Locked, format!("Unable to connect to ssh-agent at {socket}: {}", io_message(&error)))
                .with_source(&error)
                .with_hint(transport::unreachable_hint(address))
        }
        Failure::Slow(length, is_cut) => {
            let seconds = length.as_secs_f64();
            let more = if is_cut { "; RINGBEARER_TIMEOUT=SECONDS gives it more time" } else { "" };
            Error::new(Kind::Locked, format!("the ssh-agent at {socket} did not respond within {seconds:.0} s"))
                .with_hint(format!("it may hang, or be waiting for a confirmation: check with `ssh-add -l`{more}"))
        }
        Failure::Broken(what) => {
            Error::new(Kind::Locked, format!("Unable to speak the ssh-agent protocol: {socket} {what}")).with_hint(
                if address.is_named {
                    "is SSH_AUTH_SOCK the socket of an ssh-agent?"
                } else {
                    "another program than ssh-agent may serve it"
                },
            )
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
#[cfg(unix)]
fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs::File, sync::Arc};

    use super::*;
    use crate::system::{CancellationToken, os::LOOKUP_LIMIT};

    fn system(socket: &str) -> OsSystem {
        let environment = [(OsString::from(SOCKET_VARIABLE), OsString::from(socket))].into_iter().collect();
        OsSystem::new(environment, Arc::default(), CancellationToken::default(), LOOKUP_LIMIT)
    }

    fn default_address() -> Address {
        Address { path: pipe::DEFAULT_ADDRESS.unwrap().to_owned(), is_named: false }
    }

    #[test]
    fn an_agent_that_is_not_there_is_an_error_with_its_address() {
        let addresses: &[&str] =
            if cfg!(windows) { &[r"\\.\pipe\nowhere", "//./pipe/nowhere"] } else { &["/nowhere/agent"] };
        for address in addresses {
            let error = system(address).ask_agent(&[11], LOOKUP_LIMIT).unwrap_err();
            assert_eq!(error.kind(), Kind::Locked);
            assert!(error.message().starts_with(&format!("Unable to connect to ssh-agent at {address}: ")), "{error}");
            assert!(error.to_string().contains(SOCKET_VARIABLE), "{error}");
        }
    }

    #[test]
    fn an_agent_that_nothing_names_is_started_as_a_service() {
        let hint = pipe::unreachable_hint(&default_address());
        assert!(hint.contains("Start-Service ssh-agent") && !hint.contains(SOCKET_VARIABLE), "{hint}");
        let error = explain(&default_address(), Failure::Broken("closed the connection"));
        assert!(!error.to_string().contains(SOCKET_VARIABLE), "{error}");
        assert!(
            explain(&Address { is_named: true, ..default_address() }, Failure::Broken("x"))
                .to_string()
                .contains(SOCKET_VARIABLE)
        );
    }

    #[test]
    fn a_name_that_is_no_pipe_is_recognized_in_the_hint() {
        let hint = |path: &str| pipe::unreachable_hint(&Address { path: path.to_owned(), is_named: true });
        assert_eq!(hint(r"\\.\pipe\x"), hint("//./PIPE/x"));
        assert_eq!(hint("/tmp/ssh-XX/agent.7"), hint(r"C:\agent.sock"));
        assert_ne!(hint("/tmp/ssh-XX/agent.7"), hint("//./pipe/x"));
    }

    #[test]
    fn a_silent_pipe_fails_at_the_limit() {
        let (reader, _writer) = io::pipe().unwrap();
        #[cfg(unix)]
        let reader = std::os::fd::OwnedFd::from(reader);
        #[cfg(windows)]
        let reader = std::os::windows::io::OwnedHandle::from(reader);
        let system = system("");
        let wait = Wait::new(&system, Duration::from_millis(100));
        let mut stream = pipe::Pipe(File::from(reader));
        assert!(matches!(stream.receive(&mut [0; 4], &wait), Err(Failure::Slow(_, false))));
    }

    /// A FIFO opened for reading and writing echoes what is written, like an agent with one response.
    #[cfg(unix)]
    #[test]
    fn a_pipe_carries_a_message_and_its_response() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let path = path.to_str().unwrap();
        let system = system(path);
        let wait = Wait::new(&system, LOOKUP_LIMIT);
        let answer = exchange(pipe::connect(path, &wait).unwrap(), b"\x0b message", &wait).unwrap();
        assert_eq!(answer.as_slice(), b"\x0b message");
        assert!(matches!(pipe::connect("/nowhere", &wait), Err(Failure::Unreachable(_))));
        assert_eq!(pipe::peer(path, &wait).unwrap(), None);
    }

    #[cfg(windows)]
    #[test]
    fn a_file_in_place_of_the_pipe_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        std::fs::write(&path, "content").unwrap();
        let error = system(path.to_str().unwrap()).ask_agent(&[11], LOOKUP_LIMIT).unwrap_err();
        assert!(error.message().ends_with("not a pipe"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
    }

    /// The flags are visible in no other way without a server that impersonates its client.
    #[cfg(windows)]
    #[test]
    fn the_server_of_the_pipe_may_only_identify_its_client() {
        // SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION
        assert!(format!("{:?}", pipe::options()).contains("security_qos_flags: 1114112"));
    }
}
