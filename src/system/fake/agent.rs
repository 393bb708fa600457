//! An ssh-agent that a test implements.

use std::time::Duration;

use zeroize::Zeroizing;

use super::FakeSystem;
use crate::{
    error::{Error, Kind, Result},
    system::agent::{AgentSocket, Peer},
};

/// The agent's response to a message.
pub(super) type Responder = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

impl FakeSystem {
    /// Starts an ssh-agent.
    pub(crate) fn agent(mut self, respond: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.agent = Some(Box::new(respond));
        self
    }
}

impl AgentSocket for FakeSystem {
    fn ask_agent(&self, message: &[u8], _limit: Duration) -> Result<Zeroizing<Vec<u8>>> {
        let respond = self.agent.as_ref().ok_or_else(|| Error::new(Kind::Locked, "there is no agent"))?;
        Ok(Zeroizing::new(respond(message)))
    }

    fn agent_peer(&self) -> Result<Peer> {
        Ok(Peer { socket: "/the/fake".to_owned(), process: None })
    }
}
