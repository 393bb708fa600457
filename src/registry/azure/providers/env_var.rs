//! A token that was put into the environment, or into a file of the sort that containers mount.

use std::path::PathBuf;

use log::debug;

use super::{Feed, Grant};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, TokenProvider},
        private_file,
    },
    error::Result,
    system::System,
};

/// Names a file with the token (Docker's convention). It beats the variables.
const FILE_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE";

/// The token.
pub(crate) const TOKEN_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_TOKEN";

/// The token, as artifacts-credprovider has it.
const OTHER_TOKEN_VARIABLE: &str = "VSS_NUGET_ACCESSTOKEN";

/// Where BuildKit mounts secrets of these names.
const MOUNTED: [&str; 2] = ["/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN", "/run/secrets/ado_token"];

/// The provider.
pub(crate) struct EnvVar;

/// The files that may hold the token.
pub(crate) fn files(system: &dyn System) -> impl Iterator<Item = PathBuf> {
    system.setting(FILE_VARIABLE).into_iter().map(PathBuf::from).chain(MOUNTED.map(PathBuf::from))
}

impl TokenProvider<Feed, Grant> for EnvVar {
    fn name(&self) -> &'static str {
        "env_var"
    }

    fn token(&self, system: &dyn System, _feed: &Feed) -> Result<Attempt<Grant>> {
        let mut broken = None;
        if let Some(path) = system.setting(FILE_VARIABLE) {
            match private_file::read_token(system, FILE_VARIABLE, &path) {
                Ok(token) => return Ok(found(FILE_VARIABLE, token)),
                // The variables still count, as they do for artifacts-keyring-nofuss.
                Err(error) => broken = Some(error),
            }
        }
        for variable in [TOKEN_VARIABLE, OTHER_TOKEN_VARIABLE] {
            if let Some(token) = AccessToken::from_variable(system, variable)? {
                return Ok(found(variable, token));
            }
        }
        for path in MOUNTED {
            if let Ok(token) = private_file::read_token(system, "BuildKit", path) {
                return Ok(found(path, token));
            }
        }
        match broken {
            Some(error) => Err(error),
            None => Ok(Attempt::not_configured(format!("no {TOKEN_VARIABLE}"))),
        }
    }
}

fn found(source: &str, token: AccessToken) -> Attempt<Grant> {
    debug!(step = "env_var", outcome = "found"; "the token in {source}");
    Attempt::Token(Grant::of_unknown_sort(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{service::Service, system::fake::FakeSystem};

    fn ask(system: &FakeSystem) -> Result<Option<String>> {
        let feed = Feed::from_service(&Service::parse("https://pkgs.dev.azure.com/contoso/")).unwrap();
        Ok(match EnvVar.token(system, &feed)? {
            Attempt::Token(Grant::Password { token, .. } | Grant::Bearer(token)) => {
                Some(token.secret().expose().to_owned())
            }
            Attempt::NotConfigured(_) => None,
        })
    }

    #[test]
    fn the_sources_have_an_order() {
        let all = || {
            FakeSystem::default()
                .variable(FILE_VARIABLE, "/token")
                .variable(TOKEN_VARIABLE, " variable\n")
                .variable(OTHER_TOKEN_VARIABLE, "other")
                .file(MOUNTED[0], "mounted")
                .file(MOUNTED[1], "mounted-too")
        };
        assert_eq!(ask(&all().file("/token", "file \n")).unwrap().as_deref(), Some("file"));
        assert_eq!(ask(&all().file("/token", " \n")).unwrap().as_deref(), Some("variable"));
        assert_eq!(ask(&all()).unwrap().as_deref(), Some("variable"));
        assert_eq!(ask(&all().variable(TOKEN_VARIABLE, " ")).unwrap().as_deref(), Some("other"));
        let mounted = FakeSystem::default().file(MOUNTED[1], "mounted-too");
        assert_eq!(ask(&mounted).unwrap().as_deref(), Some("mounted-too"));
    }

    #[test]
    fn nothing_set_is_a_skip_and_a_broken_file_alone_is_a_failure() {
        assert_eq!(ask(&FakeSystem::default()), Ok(None));
        let error = ask(&FakeSystem::default().variable(FILE_VARIABLE, "/token")).unwrap_err();
        assert!(error.message().contains("/token"), "{error}");
    }
}
