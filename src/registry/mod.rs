//! What every backend can do.

pub(crate) mod azure;
pub(crate) mod chainguard;
pub(crate) mod menda;

use std::{path::PathBuf, time::SystemTime};

use crate::{
    auth::{cache_key::Identity, cache_policy::CachePolicy},
    error::Result,
    secret::Secret,
    service::Service,
    system::System,
};

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The user name that callers must use.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret,
    /// When it ends, where that is known.
    pub(crate) expires: Option<SystemTime>,
    /// Whose it is, where that is known.
    pub(crate) owner: Option<String>,
    /// Where it may be cached.
    pub(crate) cache_policy: CachePolicy,
}

/// A place that credentials come from.
pub(crate) trait Backend: Send + Sync {
    /// Its name inside this program.
    fn name(&self) -> &'static str;

    /// The name of its class in `ringbearer.backends`.
    fn class(&self) -> &'static str;

    /// The priority of its class among keyring's backends.
    fn priority(&self) -> f64;

    /// The user name that goes with most of its passwords, which users write into index URLs.
    fn username(&self) -> &'static str;

    /// The service that it is for, as people call it.
    fn title(&self) -> &'static str;

    /// What the variables begin with that it reads.
    fn variables(&self) -> &'static [&'static str];

    /// The files that it may read, whether they are there or not.
    fn files(&self, system: &dyn System) -> Vec<PathBuf>;

    /// For whom, and of which organisation or audience, a lookup would be. `None` where that cannot be told.
    fn identity(&self, system: &dyn System, service: &Service) -> Option<Identity>;

    /// The variables by which programs that this one starts find a credential of its.
    fn handed_on(&self, credential: &Credential) -> Vec<(&'static str, Secret)>;

    /// The variables that let a job of GitHub Actions sign in, each with what gives it its value there.
    fn job_settings(&self) -> &'static [(&'static str, &'static str)];

    /// What to do if nothing is known for a service that it claims.
    fn advice_if_unset(&self) -> &'static str;

    /// What to do if the registry answers with this status although it was given a credential.
    fn advice(&self, service: &Service, status: u16) -> String;

    /// Whether a service is this backend's. Pure: no input, no output, a few microseconds.
    fn claims(&self, service: &Service) -> bool;

    /// The credential for a service that it claims. `Ok(None)` means that there is none and nothing is
    /// wrong. An index backend answers every user name alike.
    fn get(&self, system: &dyn System, service: &Service, username: Option<&str>) -> Result<Option<Credential>>;
}
