//! The socket of the ssh-agent.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::Result;

/// The environment variable that names the agent's socket.
pub(crate) const SOCKET_VARIABLE: &str = "SSH_AUTH_SOCK";

/// The longest message that is taken. OpenSSH's agent keeps to the same limit (256 KiB, authfd.h and
/// ssh-agent.c).
pub(crate) const MAX_MESSAGE: usize = 256 * 1024;

/// Who is behind the agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where the socket is.
    pub(crate) socket: String,
    /// The name of the process that listens there; `None` where the system does not tell.
    pub(crate) process: Option<String>,
}

/// The way to the ssh-agent.
pub(crate) trait AgentSocket {
    /// Sends one message and returns the answer to it, both without the length in front, over a
    /// connection of its own: nothing is shared between threads, or with a fork.
    ///
    /// Fails with [`Kind::Locked`](crate::error::Kind::Locked) if there is no agent, or none that answers
    /// within `limit`.
    fn ask_agent(&self, message: &[u8], limit: Duration) -> Result<Zeroizing<Vec<u8>>>;

    /// Who would be asked. Fails as [`ask_agent`](Self::ask_agent) does.
    fn agent_peer(&self) -> Result<Peer>;
}
