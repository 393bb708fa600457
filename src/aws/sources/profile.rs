//! Profiles: what the one that is chosen is configured with.

use std::path::PathBuf;

use super::Wanted;
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    aws::{config::Config, keys::Keys, variables},
    error::Result,
    system::System,
};

/// The profile that AWS_PROFILE or AWS_DEFAULT_PROFILE names.
pub(crate) struct NamedProfile;

impl TokenProvider<Wanted, Keys> for NamedProfile {
    fn name(&self) -> &'static str {
        "profile"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, _system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Keys>> {
        Ok(Attempt::not_configured("to be written"))
    }
}

/// The profile `default`, if no other is named.
pub(crate) struct DefaultProfile;

impl TokenProvider<Wanted, Keys> for DefaultProfile {
    fn name(&self) -> &'static str {
        "default_profile"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, _system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Keys>> {
        Ok(Attempt::not_configured("to be written"))
    }
}

/// The keys of a profile, by its kind; `NotConfigured` if it has none. A profile that is missing, or has half of what it needs,
/// is an error.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, name: &str) -> Result<Attempt<Keys>> {
    let _ = (system, wanted, name);
    Ok(Attempt::not_configured("to be written"))
}

/// The name of the profile that the environment chooses, and the variable that does; `default` without one.
pub(crate) fn chosen(system: &dyn System) -> (String, Option<&'static str>) {
    let named = [variables::PROFILE, variables::DEFAULT_PROFILE]
        .into_iter()
        .find_map(|variable| Some((system.setting(variable)?, Some(variable))));
    named.unwrap_or_else(|| ("default".to_owned(), None))
}

/// The files of the login of a profile, which a sign-in with it reads and may replace, whether or not they exist.
pub(crate) fn login_files(system: &dyn System, config: &Config, name: &str) -> Vec<PathBuf> {
    let _ = (system, config, name);
    Vec::new()
}
