//! Google Artifact Registry, with the credentials that Google's own programs would use.
//!
//! One access token serves every repository. It comes from the first of the [`sources`] that is configured.

mod account;
mod credential_file;
mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod gcloud;
mod grant;
mod host;
mod location;
mod refusal;
mod sources;
mod urls;
mod variables;

use std::path::PathBuf;

use url::Url;

use self::{gcloud::configuration::Configuration, grant::Grant, sources::SOURCES};
use crate::{
    auth::{
        cache::TokenCache,
        cache_key::{CacheKey, Digest},
        cache_policy::CachePolicy,
        chain::{SEE_DOCTOR, ask_in_turn},
        program::without_secrets,
    },
    aws,
    error::{Error, Kind, LONGEST_NAME, Result, quote, truncate},
    registry::{Credential, CredentialSource, ExecVariables, JobLogin, Probe, Registry},
    service::Service,
    system::{Env, System},
    variable,
};

/// User name that the registry requires with an access token.
/// <https://cloud.google.com/artifact-registry/docs/python/authentication>
const USERNAME: &str = "oauth2accesstoken";

/// The domain of every repository, and the realm of cached tokens: a token serves all of them.
const DOMAIN: &str = "pkg.dev";

/// Google Artifact Registry.
pub(super) static REGISTRY: Registry = Registry {
    id: "google",
    title: "Google Artifact Registry",
    python_class: "GoogleArtifactRegistryKeyring",
    priority: 9.6,
    username: USERNAME,
    example: "https://LOCATION-python.pkg.dev/PROJECT/REPOSITORY/simple/",
    domains: &[DOMAIN],
    variables: &[variables::VARIABLES, aws::variables::VARIABLES, variable::LOCATIONS],
    exec_variables: &[ExecVariables { if_username: None, username: None, password: variables::ACCESS_TOKEN }],
    job_login: JobLogin::Action {
        uses: "google-github-actions/auth@v3",
        inputs: &[
            ("workload_identity_provider", "vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER"),
            ("service_account", "vars.GOOGLE_SERVICE_ACCOUNT"),
        ],
    },
    advice_if_unset: SIGN_IN,
    probe: Probe {
        headers: &[],
        is_sign_in: |_| false,
        has_no_page: |_| false,
        advice: &[
            (401, "the token has ended, or was withdrawn"),
            (
                403,
                "this account needs roles/artifactregistry.reader for the repository; check that it is the account you mean",
            ),
            (404, "check the location, the project and the repository in the URL"),
        ],
    },
    source: || Box::new(GoogleArtifactRegistry::default()),
};

/// What to do if nothing is configured.
const SIGN_IN: &str = "run `gcloud auth application-default login`, or in CI set GOOGLE_APPLICATION_CREDENTIALS";

/// The credentials of Artifact Registry.
#[derive(Default)]
pub(crate) struct GoogleArtifactRegistry {
    tokens: TokenCache<Credential>,
}

impl CredentialSource for GoogleArtifactRegistry {
    fn files(&self, system: &dyn System) -> Vec<PathBuf> {
        sources::files(system)
    }

    fn cache_key(&self, system: &dyn System, _service: &Service) -> Option<CacheKey> {
        Some(CacheKey {
            realm: DOMAIN.to_owned(),
            identity: identity(system),
            login: Digest::new().files(system, sources::login_files(system)).finish(),
        })
    }

    fn claims(&self, _environment: &dyn Env, service: &Service) -> bool {
        host::is_claimed(service)
    }

    fn check_username(&self, service: &Service, username: &str) -> Result<()> {
        if username == USERNAME {
            return Ok(());
        }
        let host = service.host().unwrap_or(DOMAIN);
        // A token may be the user name of a URL.
        let shown = truncate(&without_secrets(username), LONGEST_NAME);
        let message = format!("the user name must be {USERNAME}, not {shown}");
        Err(Error::new(Kind::Configuration, message)
            .with_hint(format!("use https://{USERNAME}@{host}/..."))
            .no_credential_for(host))
    }

    fn upload_url(&self, service: &Service) -> Option<Url> {
        urls::upload_url(service)
    }

    fn index_url(&self, service: &Service) -> Option<Url> {
        urls::index_url(service)
    }

    fn get(&self, system: &dyn System, service: &Service) -> Result<Option<Credential>> {
        let host = service.host().unwrap_or(DOMAIN);
        self.find(system).map(Some).map_err(|error| error.no_credential_for(host))
    }

    fn caller(&self, system: &dyn System, _service: &Service) -> Result<Option<String>> {
        match self.find(system)? {
            Credential { owner: None, password, .. } => account::of_token(system, &password),
            Credential { owner: Some(_), .. } => Ok(None),
        }
    }
}

/// Digest of everything that decides which account answers.
fn identity(system: &dyn System) -> String {
    Digest::new()
        .variables(system, REGISTRY.login_variables())
        .files(system, sources::files(system))
        .programs(system, &[gcloud::PROGRAM])
        .finish()
}

impl GoogleArtifactRegistry {
    fn find(&self, system: &dyn System) -> Result<Credential> {
        self.tokens.get_or_make(system, &identity(system), DOMAIN, || {
            let configuration = Configuration::read(system);
            let found = ask_in_turn(system, &SOURCES, &configuration, DOMAIN, |_, grant, cache_policy| {
                check(system, credential(grant, cache_policy))
            });
            let credential = found.map_err(|exhausted| {
                let hint = if exhausted.is_unset() { SIGN_IN } else { SEE_DOCTOR };
                exhausted.into_error(hint)
            })?;
            let expires = credential.expires;
            Ok((credential, expires))
        })
    }
}

/// A token with its user name.
fn credential(grant: Grant, cache_policy: CachePolicy) -> Credential {
    let expires = grant.token.expires();
    Credential {
        username: USERNAME.to_owned(),
        password: grant.token.into_secret(),
        expires,
        owner: grant.account.map(|account| quote(&account, &[])),
        cache_policy: if grant.may_change_unnoticed { cache_policy.of_fallback() } else { cache_policy },
    }
}

/// Rejects a token that has ended.
fn check(system: &dyn System, credential: Credential) -> Result<Credential> {
    if credential.expires.is_some_and(|end| end <= system.now()) {
        return Err(Error::new(Kind::Rejected, "its token has ended"));
    }
    Ok(credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    #[test]
    fn a_user_name_that_may_be_a_token_is_not_shown() {
        let service = Service::parse("https://us-python.pkg.dev/project/repository/simple/");
        let source = GoogleArtifactRegistry::default();
        assert!(source.check_username(&service, USERNAME).is_ok());
        for (username, shown) in [
            ("_json_key_base64", "_json_key_base64"),
            ("ada@contoso.example", "ada@contoso.example"),
            ("ya29.a0AfB_byC0123456789abcdef-x_secret", "ya29.(hidden)"),
            ("1//0gAbCdEfGhIjKlMnOpQrStUvWxYz", "1//(hidden)"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2ln", "(hidden).c2ln"),
            (&"ada ".repeat(99), &format!("{}…", &"ada ".repeat(99)[..70])),
        ] {
            let error = source.check_username(&service, username).unwrap_err();
            assert!(error.message().ends_with(&format!("must be oauth2accesstoken, not {shown}")), "{error}");
        }
    }

    #[test]
    fn another_subject_token_is_another_identity() {
        let document = serde_json::json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": absolute("/run/token")},
        });
        let system = FakeSystem::default()
            .variable(variables::APPLICATION_CREDENTIALS, &absolute("/key.json"))
            .file("/key.json", &document.to_string())
            .file("/run/token", "ada");
        let of_ada = identity(&system);
        assert_eq!(of_ada, identity(&system));
        system.write("/run/token", b"alice");
        assert_ne!(of_ada, identity(&system));
    }

    #[test]
    fn a_file_of_gcloud_does_not_answer_for_the_impersonated() {
        let key = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
        let arguments = ["config", "config-helper", "--format=json(credential)", "--min-expiry=5m"];
        let system = FakeSystem::default()
            .variable(variables::CREDENTIAL_FILE_OVERRIDE, &absolute("/key.json"))
            .variable(variables::IMPERSONATED, "builder@p.example")
            .file("/key.json", key)
            .run(gcloud::PROGRAM, &arguments, 0, r#"{"credential":{"access_token":"t"}}"#, "");
        let service = Service::parse("https://us-python.pkg.dev/project/repository/simple/");
        let found = GoogleArtifactRegistry::default().get(&system, &service).unwrap().unwrap();
        assert_eq!((found.password.expose(), found.owner.as_deref()), ("t", Some("builder@p.example")));
    }
}
