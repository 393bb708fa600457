//! The list of backends.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use log::{debug, warn};

use crate::{
    azure::AzureArtifacts,
    backend::{Backend, Credential},
    error::{Error, Kind, Result},
    secret::Secret,
    service::Service,
    sys::System,
};

/// Raise the error of a failed read instead of answering `None`.
const STRICT_VARIABLE: &str = "RINGBEARER_STRICT";

/// Every backend of this program, with what they remember.
pub struct Keyring {
    backends: Vec<Box<dyn Backend>>,
    /// The failures that were told already: one WARNING a process and cause.
    told: Mutex<HashSet<String>>,
}

impl Default for Keyring {
    fn default() -> Self {
        Self { backends: vec![Box::new(AzureArtifacts::default())], told: Mutex::default() }
    }
}

impl Keyring {
    /// The backend of this name, if it claims the service. Pure.
    #[must_use]
    pub fn claimant(&self, name: &str, service: &Service) -> Option<&dyn Backend> {
        self.backends.iter().map(AsRef::as_ref).find(|backend| backend.name() == name && backend.claims(service))
    }

    /// Reads a credential. A failure is told once as a WARNING and answered with `None`, unless
    /// RINGBEARER_STRICT asks for the error, or the caller gave up.
    pub fn get(
        &self,
        system: &dyn System,
        backend: &dyn Backend,
        service: &Service,
        username: Option<&str>,
    ) -> Result<Option<Credential>> {
        match backend.get(system, service, username) {
            Err(error) if error.kind() != Kind::Cancelled && !is_strict(system) => {
                self.tell(&error);
                Ok(None)
            }
            outcome => outcome,
        }
    }

    /// Stores a credential.
    pub fn set(
        &self,
        system: &dyn System,
        name: &str,
        service: &Service,
        username: &str,
        password: &Secret,
    ) -> Result<()> {
        self.named(name)?.set(system, service, username, password)
    }

    /// Deletes a credential.
    pub fn delete(&self, system: &dyn System, name: &str, service: &Service, username: &str) -> Result<()> {
        self.named(name)?.delete(system, service, username)
    }

    fn named(&self, name: &str) -> Result<&dyn Backend> {
        self.backends
            .iter()
            .map(AsRef::as_ref)
            .find(|backend| backend.name() == name)
            .ok_or_else(|| Error::new(Kind::Internal, format!("there is no backend named {name}")))
    }

    fn tell(&self, error: &Error) {
        let line = error.to_string();
        let is_new = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone());
        if is_new {
            warn!("{line}");
        } else {
            debug!("again: {line}");
        }
    }
}

/// Whether the failures of reads are to be raised: RINGBEARER_STRICT is set and not 0.
fn is_strict(system: &dyn System) -> bool {
    system.setting(STRICT_VARIABLE).is_some_and(|value| value != "0")
}
