//! Credential files: those that a variable names, and that of `gcloud auth application-default login`.

use std::path::PathBuf;

use log::debug;

use crate::{
    auth::{
        cache_key::is_there,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        private_file,
    },
    error::{Result, quote},
    registry::google::{
        credential_file::CredentialFile,
        gcloud::configuration::{self, Configuration},
        grant::Grant,
        location::{Location, NamedBy},
        variables,
    },
    system::System,
};

/// The file that a variable names.
pub(super) struct NamedFile {
    name: &'static str,
    variable: &'static str,
}

/// The file of every program that uses Google's libraries.
pub(super) static APPLICATION_CREDENTIALS: NamedFile =
    NamedFile { name: "application_credentials", variable: variables::APPLICATION_CREDENTIALS };

/// The file of gcloud.
pub(super) static CREDENTIAL_FILE_OVERRIDE: NamedFile =
    NamedFile { name: "credential_file_override", variable: variables::CREDENTIAL_FILE_OVERRIDE };

impl NamedFile {
    fn location(&self, system: &dyn System) -> Result<Option<Location>> {
        let Some(path) = system.setting(self.variable) else { return Ok(None) };
        let path = private_file::named(self.variable, &path)?;
        Ok(Some(Location { path, named_by: NamedBy::Variable(self.variable) }))
    }
}

impl TokenProvider<Configuration, Grant> for NamedFile {
    fn name(&self) -> &'static str {
        self.name
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(self.variable.into())
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, configuration: &Configuration) -> Result<Attempt<Grant>> {
        let is_of_gcloud = self.variable == variables::CREDENTIAL_FILE_OVERRIDE;
        if is_of_gcloud && system.setting(variables::IMPERSONATED).is_some() {
            // gcloud would sign in by the file and impersonate the other account with it.
            return Ok(asks_for_gcloud());
        }
        match self.location(system)? {
            Some(location) => grant(system, self.name, &location, configuration).map(Attempt::Token),
            None => Ok(Attempt::not_configured(format!("no {}", self.variable))),
        }
    }
}

/// The file of `gcloud auth application-default login`.
pub(super) struct ApplicationDefault;

impl ApplicationDefault {
    fn location(system: &dyn System) -> Option<Location> {
        let path = configuration::directory(system)?.join("application_default_credentials.json");
        Some(Location { path, named_by: NamedBy::ApplicationDefault })
    }
}

impl TokenProvider<Configuration, Grant> for ApplicationDefault {
    fn name(&self) -> &'static str {
        "application_default"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, configuration: &Configuration) -> Result<Attempt<Grant>> {
        if system.setting(variables::IMPERSONATED).is_some() {
            // It would answer as the account itself.
            return Ok(asks_for_gcloud());
        }
        match Self::location(system).filter(|location| is_there(system, &location.path)) {
            Some(location) => grant(system, self.name(), &location, configuration).map(Attempt::Token),
            None => Ok(Attempt::not_configured("no login of `gcloud auth application-default login`")),
        }
    }
}

/// The outcome where only gcloud can answer: it impersonates another account.
fn asks_for_gcloud() -> Attempt<Grant> {
    Attempt::not_configured(format!("{} asks for gcloud", variables::IMPERSONATED))
}

/// Exchanges a file for a token. A note is logged if gcloud's own login is, or may be, another account's: a user who
/// knows only one of the two logins cannot explain a 403.
fn grant(system: &dyn System, step: &str, location: &Location, configuration: &Configuration) -> Result<Grant> {
    let grant = CredentialFile::read(system, location)?.grant(system, location)?;
    if let Some(account) = configuration.account().filter(|account| grant.account.as_deref() != Some(account)) {
        debug!(step = step, outcome = "noted"; "this login comes before gcloud's own, of {}", quote(account, &[]));
    }
    Ok(grant)
}

/// Where the files are, present or not.
fn locations(system: &dyn System) -> impl Iterator<Item = Location> {
    let named = [&APPLICATION_CREDENTIALS, &CREDENTIAL_FILE_OVERRIDE].into_iter();
    let named = named.filter_map(|file| file.location(system).ok().flatten());
    named.chain(ApplicationDefault::location(system))
}

/// The files, present or not.
pub(super) fn files(system: &dyn System) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = locations(system).map(|location| location.path).collect();
    // google-github-actions/auth names one file by both variables.
    paths.dedup();
    paths
}

/// The files whose content says which workload this is, that the credentials name.
pub(super) fn subject_files(system: &dyn System) -> Vec<PathBuf> {
    let read = |location: Location| CredentialFile::read(system, &location).ok();
    locations(system).filter_map(read).filter_map(|file| file.subject_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        Platform,
        fake::{FakeSystem, absolute},
    };

    #[test]
    fn a_file_that_both_variables_name_is_listed_once() {
        let path = absolute("/srv/gha-creds.json");
        let named = FakeSystem::default().on(Platform::Linux).variable(variables::APPLICATION_CREDENTIALS, &path);
        let named = named.variable(variables::CREDENTIAL_FILE_OVERRIDE, &path);
        assert_eq!(files(&named), [PathBuf::from(path)]);
    }
}
