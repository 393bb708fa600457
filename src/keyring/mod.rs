//! The list of backends, and what becomes of their failures.

pub(crate) mod lookup;
pub(crate) mod memory;
pub(crate) mod session_cache;
pub(crate) mod single_flight;

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    error::{Error, Kind, Result},
    registry::{Backend, azure::AzureArtifacts, chainguard::ChainguardLibraries, menda::MendaCodeArtifact},
    service::Service,
};

/// Set for a keyring that takes over from the native one after that asked the index backends about a service (the
/// [`fingerprint`](crate::auth::cache_key::fingerprint) of it): they have no other answer.
pub(crate) const ASKED_VARIABLE: &str = "RINGBEARER_INDEXES_ASKED";

/// Raise the error of a failed read instead of answering `None`, if it is set and not 0.
const STRICT_VARIABLE: &str = "RINGBEARER_STRICT";

/// Every backend of this program, with what they remember.
pub(crate) struct Keyring {
    backends: Vec<Box<dyn Backend>>,
    /// The failures that were reported.
    warned: Mutex<HashSet<String>>,
}

impl Default for Keyring {
    fn default() -> Self {
        let backends: Vec<Box<dyn Backend>> = vec![
            Box::new(AzureArtifacts::default()),
            Box::new(MendaCodeArtifact::default()),
            Box::new(ChainguardLibraries::default()),
        ];
        Self { backends, warned: Mutex::default() }
    }
}

impl Keyring {
    /// Whether failed reads are errors, and not just told.
    #[must_use]
    pub(crate) fn is_strict(variable: impl Fn(&str) -> Option<String>) -> bool {
        variable(STRICT_VARIABLE).is_some_and(|value| !matches!(value.trim(), "" | "0"))
    }

    /// The backend that claims a service. Pure.
    #[must_use]
    pub(crate) fn claimant(&self, service: &Service) -> Option<&dyn Backend> {
        self.backends().find(|backend| backend.claims(service))
    }

    /// Every backend, in the order of their priorities.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &dyn Backend> {
        self.backends.iter().map(AsRef::as_ref)
    }

    /// Whether the backend of this name claims the service. Pure.
    #[must_use]
    pub(crate) fn claims(&self, name: &str, service: &Service) -> bool {
        self.named(name).is_ok_and(|backend| backend.claims(service))
    }

    /// Whether a failure occurs for the first time in this process, and so deserves a WARNING.
    #[must_use]
    pub(crate) fn first_occurrence(&self, error: &Error) -> bool {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(error.to_string())
    }

    /// The backend of this name.
    pub(crate) fn named(&self, name: &str) -> Result<&dyn Backend> {
        self.backends()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| Error::new(Kind::Internal, format!("there is no backend named {name}")))
    }
}
