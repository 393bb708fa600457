//! The socket of the ssh-agent.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::Result;

/// The environment variable that names the agent's socket.
pub(crate) const SOCKET_VARIABLE: &str = "SSH_AUTH_SOCK";

/// What to do on Windows if its own agent, a service, does not answer.
pub(crate) const START_SERVICE: &str = "run `Start-Service ssh-agent`; if the service is disabled, an administrator first \
                                        runs `Set-Service ssh-agent -StartupType Automatic`";

/// The longest message accepted, in bytes: the limit of OpenSSH's agent (256 KiB, authfd.h and ssh-agent.c).
pub(crate) const MAX_MESSAGE: usize = 256 * 1024;

/// The process that serves the agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The path of the socket.
    pub(crate) socket: String,
    /// The name of the process; `None` where the platform does not report it.
    pub(crate) process: Option<String>,
}

/// The connection to the ssh-agent.
pub(crate) trait AgentSocket {
    /// Sends one message and returns the response, both without their length prefix. Each message has a connection of its
    /// own, so that threads and forks share none.
    ///
    /// Fails with [`Kind::Locked`](crate::error::Kind::Locked) if no agent responds within `limit`.
    fn ask_agent(&self, message: &[u8], limit: Duration) -> Result<Zeroizing<Vec<u8>>>;

    /// The process that [`ask_agent`](Self::ask_agent) would reach. Fails as [`ask_agent`](Self::ask_agent) does.
    fn agent_peer(&self) -> Result<Peer>;
}
