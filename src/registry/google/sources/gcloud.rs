//! The active account of gcloud: that of `gcloud auth login` or `gcloud auth activate-service-account`.
//!
//! gcloud keeps the credentials of each account in a file, so that one token request replaces a run of gcloud, which takes a
//! second or two to start. gcloud is run where only it can sign in.

use std::fmt;

use log::debug;

use crate::{
    auth::{
        cache_key::is_there,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::{Error, Kind, Result},
    registry::google::{
        credential_file::CredentialFile,
        gcloud::{PROGRAM, configuration::Configuration, program},
        grant::Grant,
        location::{Location, NamedBy},
        refusal,
        variables::IMPERSONATED,
    },
    system::System,
};

/// The source.
pub(super) struct Gcloud;

impl TokenProvider<Configuration, Grant> for Gcloud {
    fn name(&self) -> &'static str {
        "gcloud"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        if is_explicit(system) { Origin::Explicit(IMPERSONATED.into()) } else { Origin::Found }
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, configuration: &Configuration) -> Result<Attempt<Grant>> {
        let obstacle = match request(system, configuration) {
            Ok(grant) => return Ok(Attempt::Token(grant)),
            Err(Obstacle::Final(error)) => return Err(error),
            Err(obstacle) => obstacle,
        };
        let Some(path) = system.find_program(PROGRAM) else { return obstacle.without_gcloud(is_explicit(system)) };
        debug!(step = self.name(), outcome = "noted"; "gcloud is run, since {obstacle}");
        let token = program::token(system, path, configuration.impersonated())?;
        let account = configuration.account().map(str::to_owned);
        Ok(Attempt::Token(Grant { token, account, may_change_unnoticed: configuration.is_opaque() }))
    }
}

/// Whether a variable asks for an account that only gcloud can impersonate.
fn is_explicit(system: &dyn System) -> bool {
    system.setting(IMPERSONATED).is_some()
}

/// Asks for a token with the credential file of the active account.
fn request(system: &dyn System, configuration: &Configuration) -> std::result::Result<Grant, Obstacle> {
    let path = configuration.login(system).filter(|path| is_there(system, path));
    if let Some(reason) = configuration.reason() {
        let has_login = path.is_some() || configuration.names_login();
        return Err(Obstacle::Reserved { reason, has_login });
    }
    let location = Location { path: path.ok_or(Obstacle::Missing)?, named_by: NamedBy::Gcloud };
    let passed = |error: Error| if error.ends_the_lookup() { Obstacle::Final(error) } else { Obstacle::Failed(error) };
    let file = CredentialFile::read(system, &location).map_err(passed)?;
    let grant = file.grant(system, &location).map_err(|error| {
        // Only gcloud has the proof of a sign-in that the organisation asks for; another refusal would be the same.
        if refusal::asks_for_reauthentication(&error) { Obstacle::Failed(error) } else { Obstacle::Final(error) }
    })?;
    Ok(Grant { account: configuration.account().map(str::to_owned), ..grant })
}

/// Why there is no token by the credential file of the active account.
enum Obstacle {
    /// Only gcloud itself can answer, for this reason.
    Reserved { reason: String, has_login: bool },
    /// There is no such file.
    Missing,
    /// The file cannot be used; gcloud may succeed.
    Failed(Error),
    /// gcloud would fail in the same way.
    Final(Error),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved { reason, .. } => formatter.write_str(reason),
            Self::Missing => formatter.write_str("its active account has no credential file"),
            Self::Failed(error) | Self::Final(error) => formatter.write_str(error.message()),
        }
    }
}

impl Obstacle {
    /// The outcome where gcloud is not installed.
    fn without_gcloud(self, is_explicit: bool) -> Result<Attempt<Grant>> {
        let needed = |why: &str, otherwise: &str| {
            Error::new(Kind::Process, format!("gcloud is not on PATH, and only gcloud can answer: {why}"))
                .with_hint(format!("install the Google Cloud CLI{otherwise}"))
        };
        match self {
            _ if is_explicit => Err(needed(&format!("{IMPERSONATED} is set"), &format!(", or unset {IMPERSONATED}"))),
            Self::Reserved { reason, has_login: true } => Err(needed(&reason, "")),
            Self::Reserved { has_login: false, .. } | Self::Missing => {
                Ok(Attempt::not_configured("no gcloud on PATH, and no login of `gcloud auth login`"))
            }
            Self::Failed(error) | Self::Final(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        registry::google::gcloud::PROGRAM,
        system::{
            Platform,
            fake::{FakeSystem, absolute},
            http::Method,
        },
    };

    const NEW: [&str; 4] = ["config", "config-helper", "--format=json(credential)", "--min-expiry=5m"];

    const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

    const PERSON: &str = r#"{"type":"authorized_user","client_id":"c","client_secret":"client-secret","refresh_token":"refresh-secret"}"#;

    const CONFIGURATION: &str = "/home/ada/.config/gcloud/configurations/config_default";

    const LOGIN: &str = "/home/ada/.config/gcloud/legacy_credentials/ada@contoso.example/adc.json";

    fn ask(fake: &FakeSystem) -> Result<Attempt<Grant>> {
        Gcloud.token(fake, &Configuration::read(fake))
    }

    fn granted(fake: &FakeSystem) -> (String, Option<String>, bool) {
        match ask(fake) {
            Ok(Attempt::Token(grant)) => {
                (grant.token.secret().expose().to_owned(), grant.account, grant.may_change_unnoticed)
            }
            other => panic!("{other:?}"),
        }
    }

    fn home(properties: &str) -> FakeSystem {
        let fake = FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"));
        fake.file(CONFIGURATION, &format!("[core]\naccount = ada@contoso.example\n{properties}"))
    }

    fn running(fake: FakeSystem) -> FakeSystem {
        fake.run(PROGRAM, &NEW, 0, r#"{"credential":{"access_token":"printed","token_expiry":null}}"#, "")
    }

    fn of_ada(token: &str) -> (String, Option<String>, bool) {
        (token.to_owned(), Some("ada@contoso.example".to_owned()), false)
    }

    #[test]
    fn a_login_needs_one_request_and_no_gcloud() {
        let answer = r#"{"access_token":"refreshed","expires_in":3599}"#;
        let fake = home("").file(LOGIN, PERSON).answer(Method::Post, TOKEN_URL, 200, answer).program(PROGRAM);
        assert_eq!(granted(&fake), of_ada("refreshed"));
        fake.assert_done();
        let without = home("").file(LOGIN, PERSON).answer(Method::Post, TOKEN_URL, 200, answer);
        assert_eq!(granted(&without), of_ada("refreshed"));
    }

    #[test]
    fn gcloud_runs_where_the_file_does_not_serve() {
        let reauthentication = r#"{"error":"invalid_grant","error_subtype":"invalid_rapt",
            "error_description":"reauth related error (invalid_rapt)"}"#;
        let refused = home("").file(LOGIN, PERSON).answer(Method::Post, TOKEN_URL, 400, reauthentication);
        for fake in [
            home(""),
            home("[auth]\ntoken_host = https://psc.example/\n").file(LOGIN, PERSON),
            home("").file(LOGIN, r#"{"type":"external_account_authorized_user"}"#),
            home("").file(LOGIN, "{"),
            home("").file(LOGIN, PERSON).unreadable(LOGIN),
            refused,
        ] {
            let fake = running(fake);
            assert_eq!(granted(&fake), of_ada("printed"));
            fake.assert_done();
        }
    }

    #[test]
    fn failures_of_the_request_are_not_tried_with_gcloud() {
        let login = || home("").file(LOGIN, PERSON).program(PROGRAM);
        let revoked = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        let error = ask(&login().answer(Method::Post, TOKEN_URL, 400, revoked)).unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        let error = ask(&login().failure(Method::Post, TOKEN_URL, false)).unwrap_err();
        assert_eq!(error.kind(), Kind::Network);
    }

    #[test]
    fn a_variable_that_names_another_account_asks_for_gcloud() {
        let explicit = || home("").file(LOGIN, PERSON).variable(IMPERSONATED, "a@p.example,builder@p.example");
        assert_eq!(Gcloud.origin(&explicit()), Origin::Explicit(IMPERSONATED.into()));
        assert_eq!(Gcloud.origin(&home("")), Origin::Found);
        let impersonated = ("printed".to_owned(), Some("builder@p.example".to_owned()), false);
        assert_eq!(granted(&running(explicit())), impersonated);
        let error = ask(&explicit()).unwrap_err();
        assert_eq!((error.kind(), error.hint().unwrap().contains(IMPERSONATED)), (Kind::Process, true));
        let property = home("[auth]\nimpersonate_service_account = builder@p.example\n").file(LOGIN, PERSON);
        assert_eq!(Gcloud.origin(&property), Origin::Found);
        assert_eq!(granted(&running(property)), impersonated);
    }

    #[test]
    fn without_gcloud_and_login_the_source_is_not_configured() {
        for fake in [
            FakeSystem::default(),
            home(""),
            home("[auth]\ntoken_host = https://psc.example/\n"),
            home("[core\n"),
            home("").variable("CLOUDSDK_CORE_ACCOUNT", "../ada"),
        ] {
            assert!(matches!(ask(&fake), Ok(Attempt::NotConfigured(_))));
        }
    }

    #[test]
    fn a_login_that_only_gcloud_can_use_is_an_error_without_it() {
        let error = ask(&home("[auth]\ntoken_host = https://psc.example/\n").file(LOGIN, PERSON)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "gcloud is not on PATH, and only gcloud can answer: auth/token_host is set; install the Google Cloud CLI"
        );
        assert!(ask(&home("").file(LOGIN, "{")).is_err());
        for property in [
            "access_token_file = /run/token",
            "credential_file_override = /run/key.json",
            "impersonate_service_account = builder@p.example",
        ] {
            let error = ask(&home(&format!("[auth]\n{property}\n"))).unwrap_err();
            assert!(error.message().starts_with("gcloud is not on PATH, and only gcloud can answer"), "{error}");
        }
    }

    #[test]
    fn the_account_is_unknown_where_gcloud_signs_in_by_another_file() {
        let fake = running(home("[auth]\ncredential_file_override = /run/key.json\n").file(LOGIN, PERSON));
        assert_eq!(granted(&fake), ("printed".to_owned(), None, true));
        let absent = running(FakeSystem::default());
        assert_eq!(granted(&absent), ("printed".to_owned(), None, false));
    }
}
