//! What every backend can do.

use std::time::SystemTime;

use crate::{error::Result, secret::Secret, service::Service, sys::System};

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user name that callers must use.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// When it ends, where that is known.
    pub expires: Option<SystemTime>,
}

/// A place that credentials come from.
pub trait Backend: Send + Sync {
    /// Its name inside this program.
    fn name(&self) -> &'static str;

    /// The name of its class in `ringbearer.backends`.
    fn class(&self) -> &'static str;

    /// The priority of its class among keyring's backends.
    fn priority(&self) -> f64;

    /// The user name that goes with most of its passwords, which users write into index URLs.
    fn username(&self) -> &'static str;

    /// Whether a service is this backend's. Pure: no input, no output, a few microseconds.
    fn claims(&self, service: &Service) -> bool;

    /// The credential for a service that it claims. `Ok(None)` means that there is none and nothing is
    /// wrong. An index backend answers every user name alike.
    fn get(&self, system: &dyn System, service: &Service, username: Option<&str>) -> Result<Option<Credential>>;
}
