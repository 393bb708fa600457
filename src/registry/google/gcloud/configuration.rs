//! The configuration of gcloud: its directory, and the properties of the active configuration.
//! <https://cloud.google.com/sdk/docs/configurations>

use std::path::PathBuf;

use crate::system::System;

/// The properties that matter here, and where the logins are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::registry::google) struct Configuration;

impl Configuration {
    /// Reads the active configuration.
    pub(in crate::registry::google) fn read(system: &dyn System) -> Self {
        let _ = system;
        Self
    }
}

/// The configuration directory: CLOUDSDK_CONFIG, or the usual one of the platform.
pub(in crate::registry::google) fn directory(system: &dyn System) -> Option<PathBuf> {
    let _ = system;
    None
}

/// The files that decide who is logged in, present or not.
pub(in crate::registry::google) fn files(system: &dyn System) -> Vec<PathBuf> {
    let _ = system;
    Vec::new()
}

/// The files of logins, which a run of gcloud may write.
pub(in crate::registry::google) fn login_files(system: &dyn System) -> Vec<PathBuf> {
    let _ = system;
    Vec::new()
}
