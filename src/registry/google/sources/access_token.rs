//! An access token that was obtained elsewhere, for a container or a step of a job.

use std::path::PathBuf;

use log::debug;

use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin, TokenProvider},
        private_file,
    },
    error::Result,
    registry::google::{
        gcloud::configuration::Configuration,
        grant::Grant,
        variables::{ACCESS_TOKEN, ACCESS_TOKEN_FILE},
    },
    system::System,
};

/// The token in CLOUDSDK_AUTH_ACCESS_TOKEN, or in the file that CLOUDSDK_AUTH_ACCESS_TOKEN_FILE names.
pub(super) struct AccessTokenVariables;

impl TokenProvider<Configuration, Grant> for AccessTokenVariables {
    fn name(&self) -> &'static str {
        "access_token"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        let is_value = system.secret_setting(ACCESS_TOKEN).is_some();
        Origin::Explicit(if is_value { ACCESS_TOKEN } else { ACCESS_TOKEN_FILE }.into())
    }

    fn token(&self, system: &dyn System, _configuration: &Configuration) -> Result<Attempt<Grant>> {
        let (variable, token) = match AccessToken::from_variable(system, ACCESS_TOKEN)? {
            Some(token) => (ACCESS_TOKEN, token),
            None => match system.setting(ACCESS_TOKEN_FILE) {
                Some(path) => (ACCESS_TOKEN_FILE, private_file::read_token(system, ACCESS_TOKEN_FILE, &path)?),
                None => return Ok(Attempt::not_configured(format!("no {ACCESS_TOKEN}, no {ACCESS_TOKEN_FILE}"))),
            },
        };
        debug!(step = self.name(), outcome = "found"; "the token of {variable}");
        Ok(Attempt::Token(Grant { token, account: None, may_change_unnoticed: false }))
    }
}

/// The file that the variable names.
pub(super) fn file(system: &dyn System) -> Option<PathBuf> {
    system.setting(ACCESS_TOKEN_FILE).map(PathBuf::from).filter(|path| path.is_absolute())
}
