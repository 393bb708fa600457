//! The real operating system.
#![expect(
    clippy::disallowed_methods,
    reason = "this folder is the one place that calls the operating system: nearly every function of it does"
)]

mod agent;
mod clock;
mod console;
mod desktop_keyring;
mod environment;
mod files;
pub(crate) mod loopback;
mod network;
mod process;
mod proxy;
mod shared_memory;
mod shortage;
#[cfg(feature = "executables")]
pub(crate) mod signals;
mod terminal;
mod trust;

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use ring::rand::{SecureRandom, SystemRandom};

#[cfg(feature = "python")]
pub(crate) use self::environment::LiveEnvironment;
#[cfg(feature = "executables")]
pub(crate) use self::process::{is_filter, run_filter};
pub(crate) use self::{
    clock::{LOOKUP_LIMIT, lookup_limit, throttled},
    console::StdConsole,
    environment::Environment,
    network::Network,
    process::exec,
    shortage::no_thread,
};
use self::{network::Opening, proxy::SystemProxy};
use super::{CancellationToken, Random};
use crate::error::{Error, Kind, Result};

/// The operating system as one lookup sees it.
pub(crate) struct OsSystem {
    environment: Environment,
    network: Arc<Network>,
    /// Read when the first request needs it.
    system_proxy: OnceLock<SystemProxy>,
    /// The connections that are opened ahead, oldest first.
    openings: Mutex<Vec<Opening>>,
    cancellation: CancellationToken,
    deadline: Instant,
}

impl OsSystem {
    /// Starts a lookup that may take `limit`, with a captured environment. `network` outlives it, so that the next
    /// lookup reuses the open connections.
    #[must_use]
    pub(crate) fn new(
        environment: Environment,
        network: Arc<Network>,
        cancellation: CancellationToken,
        limit: Duration,
    ) -> Self {
        let (system_proxy, openings) = (OnceLock::new(), Mutex::default());
        Self { environment, network, system_proxy, openings, cancellation, deadline: Instant::now() + limit }
    }
}

impl Random for OsSystem {
    fn random(&self, buffer: &mut [u8]) -> Result<()> {
        SystemRandom::new()
            .fill(buffer)
            .map_err(|_| Error::new(Kind::Internal, "the operating system gives no random bytes"))
    }
}
