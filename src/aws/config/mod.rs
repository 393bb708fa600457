//! The configuration files of AWS's programs: `~/.aws/config` and `~/.aws/credentials`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::path::PathBuf;

use crate::{error::Result, system::System};

/// The content of both files. A file that is not there counts as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    profiles: Vec<Profile>,
}

/// A profile: the keys of both files, of which the credentials file has precedence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    name: String,
}

/// The settings of an `[sso-session NAME]` section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SsoSession {
    /// The address at which people sign in.
    pub(crate) start_url: String,
    /// The region of IAM Identity Center.
    pub(crate) region: String,
}

impl Config {
    /// Reads both files. One that cannot be read, or that everybody may write, is an error.
    pub(crate) fn read(system: &dyn System) -> Result<Self> {
        let _ = system;
        Ok(Self::default())
    }

    /// The paths of both files, whether or not they exist.
    pub(crate) fn files(system: &dyn System) -> Vec<PathBuf> {
        let _ = system;
        Vec::new()
    }

    /// The profile of a name.
    pub(crate) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The `[sso-session NAME]` section of a name.
    pub(crate) fn sso_session(&self, name: &str) -> Option<SsoSession> {
        let _ = name;
        None
    }
}

impl Profile {
    /// Its name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value of a key, by its name in lower case; `None` if it is missing or blank.
    #[must_use]
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let _ = key;
        None
    }

    /// The address of a service (by its key in a `services` section), as the profile's `services` section has it.
    #[must_use]
    pub(crate) fn service_endpoint(&self, service: &str) -> Option<&str> {
        let _ = service;
        None
    }
}
