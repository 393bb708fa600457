//! Menda cloud: private registries on AWS CodeArtifact, with tokens that Menda issues.
//!
//! The [`profile`] names the API and the account. An access token comes from the Menda CLI's [`cached_login`] or, for a
//! client, from the [`api`], which exchanges it for a registry token.

pub(crate) mod api;
pub(crate) mod cached_login;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub(crate) mod profile;

use std::{path::PathBuf, time::Duration};

use log::debug;
use url::Url;

use self::{
    cached_login::CachedLogin,
    profile::{Profile, Way},
};
use crate::{
    auth::{
        access_token::AccessToken,
        cache::TokenCache,
        cache_key::{CacheKey, Digest},
        cache_policy::CachePolicy,
    },
    error::{Error, ExceptionClass, Kind, Result, quote},
    registry::{Credential, CredentialSource, ExecVariables, JobLogin, Probe, Registry, codeartifact::urls},
    service::{Service, subdomain_of},
    system::{Env, System},
    variable::{self, Variable},
};

/// User name that CodeArtifact requires.
const USERNAME: &str = "aws";

/// How long a registry token without an expiry is cached. CodeArtifact's tokens live 15 minutes or more.
/// <https://docs.aws.amazon.com/codeartifact/latest/ug/tokens-authentication.html>
const UNKNOWN_LIFE: Duration = Duration::from_secs(10 * 60);

static VARIABLES: &[Variable] = &[
    Variable::login("MENDA_CLIENT_ID", "client that signs in"),
    Variable::login("MENDA_CLIENT_SECRET", "secret of the client"),
    Variable::login("MENDA_CONFIG_FILE", "configuration file of the Menda CLI"),
    Variable::login("MENDA_HOST", "address of Menda's API"),
    Variable::login("MENDA_PROFILE_ID", "profile in the configuration file"),
];

/// Menda's registries on AWS CodeArtifact.
pub(super) static REGISTRY: Registry = Registry {
    id: "menda",
    title: "Menda (AWS CodeArtifact)",
    python_class: "MendaCodeArtifactKeyring",
    priority: 9.8,
    username: USERNAME,
    example: "https://NAME-ACCOUNT.d.codeartifact.REGION.amazonaws.com/pypi/REPOSITORY/simple/",
    domains: &["amazonaws.com"],
    variables: &[VARIABLES, variable::LOCATIONS],
    // The name in AWS's documentation.
    // <https://docs.aws.amazon.com/codeartifact/latest/ug/tokens-authentication.html>
    exec_variables: &[ExecVariables { if_username: None, username: None, password: "CODEARTIFACT_AUTH_TOKEN" }],
    job_login: JobLogin::Variables(&[
        ("MENDA_CLIENT_ID", "secrets.MENDA_CLIENT_ID"),
        ("MENDA_CLIENT_SECRET", "secrets.MENDA_CLIENT_SECRET"),
        ("MENDA_HOST", "secrets.MENDA_HOST"),
    ]),
    advice_if_unset: "`menda auth configure` and `menda auth login`, or set MENDA_CLIENT_ID, MENDA_CLIENT_SECRET and MENDA_HOST",
    probe: Probe {
        headers: &[],
        is_sign_in: |_| false,
        has_no_page: urls::is_index_root,
        advice: &[
            (401, "the token is for another domain or account, or a policy of the repository forbids reading it"),
            (403, "the token is for another domain or account, or a policy of the repository forbids reading it"),
            (404, "check the name of the domain, the account, the region and the repository in the URL"),
        ],
    },
    source: || Box::new(MendaCodeArtifact::default()),
};

/// The credentials of Menda's registries.
pub(crate) struct MendaCodeArtifact {
    tokens: TokenCache<AccessToken>,
}

impl Default for MendaCodeArtifact {
    fn default() -> Self {
        Self { tokens: TokenCache::with_default_lifetime(UNKNOWN_LIFE) }
    }
}

impl CredentialSource for MendaCodeArtifact {
    fn files(&self, system: &dyn System) -> Vec<PathBuf> {
        [profile::path(system), cached_login::path(system)].into_iter().flatten().collect()
    }

    fn cache_key(&self, system: &dyn System, _service: &Service) -> Option<CacheKey> {
        let profile = Profile::read(system).ok()??;
        let identity = identity(system, &profile, &CachedLogin::read(system));
        Some(CacheKey { realm: profile.host.to_string(), identity, login: String::new() })
    }

    fn claims(&self, _environment: &dyn Env, service: &Service) -> bool {
        service.is_https_on_default_port() && service.host().is_some_and(is_code_artifact)
    }

    fn upload_url(&self, service: &Service) -> Option<Url> {
        urls::upload_url(service)
    }

    fn index_url(&self, service: &Service) -> Option<Url> {
        urls::index_url(service)
    }

    fn is_configured(&self, system: &dyn System) -> bool {
        !matches!(Profile::read(system), Ok(None))
    }

    fn get(&self, system: &dyn System, service: &Service) -> Result<Option<Credential>> {
        let host = service.host().unwrap_or_default();
        let found = Profile::read(system).and_then(|profile| {
            let Some(profile) = profile else { return Ok(None) };
            debug!(step = "profile", outcome = "done"; "{}, at {}", profile.shown(), profile.host);
            self.token(system, &profile).map(|token| Some((token, profile.shown())))
        });
        match found {
            Ok(Some((token, owner))) => {
                let (username, expires, password) = (USERNAME.to_owned(), token.expires(), token.into_secret());
                Ok(Some(Credential {
                    username,
                    password,
                    expires,
                    owner: Some(owner),
                    cache_policy: CachePolicy::Session,
                }))
            }
            Ok(None) => {
                debug!(
                    step = "profile", outcome = "skipped";
                    "{host}: Menda is not set up here; another backend may know the registry"
                );
                Ok(None)
            }
            Err(error) => Err(with_class(error).no_credential_for(host)),
        }
    }
}

/// Sets the exception class that menda-keyring raises; MendaKeyRingError if there is no other.
fn with_class(error: Error) -> Error {
    match (error.class(), error.kind()) {
        (Some(_), _) => error,
        (None, Kind::Network) => error.with_class(ExceptionClass::MendaNetwork),
        (None, Kind::Timeout | Kind::Cancelled) => error.with_class(ExceptionClass::MendaTimeout),
        (None, _) => error.with_class(ExceptionClass::MendaKeyRing),
    }
}

impl MendaCodeArtifact {
    fn token(&self, system: &dyn System, profile: &Profile) -> Result<AccessToken> {
        let login = CachedLogin::read(system);
        self.tokens.get_or_make(system, &identity(system, profile, &login), profile.host.as_str(), || {
            let token = mint(system, profile, &login)?;
            debug!(step = "exchange", outcome = "done"; "for a token of the registry");
            let expires = token.expires();
            Ok((token, expires))
        })
    }
}

/// Digest of the account that signs in. A client's cached token is not part of it; a person's is.
fn identity(system: &dyn System, profile: &Profile, login: &CachedLogin) -> String {
    let login: &[u8] = if matches!(profile.way, Way::User { .. }) { login.content() } else { &[] };
    Digest::new()
        .variables(system, REGISTRY.login_variables())
        .field("profile", &profile.fingerprint())
        .field("login", login)
        .finish()
}

/// Signs in, with the Menda CLI's cached login if it is valid, and exchanges the access token.
fn mint(system: &dyn System, profile: &Profile, login: &CachedLogin) -> Result<AccessToken> {
    match &profile.way {
        Way::User { id, note } => {
            let Some(access) = login.access_token(system.now(), id)? else {
                let message = format!("No valid cached token for profile '{id}'{note}");
                return Err(Error::new(Kind::Rejected, message)
                    .with_hint("Run `menda auth login` or use M2M (env vars or auth_type=m2m)")
                    .with_class(ExceptionClass::NoCachedLogin));
            };
            let hint = "run `menda auth login`, and check whether this login may read the registry";
            debug!(step = "login", outcome = "done"; "by the Menda CLI's token");
            api::registry_token(system, &profile.host, &access, &[], hint)
        }
        Way::Machine { client_id, client_secret, cached_as } => {
            let sign_in = || {
                let token = api::access_token(system, &profile.host, client_id, client_secret)?;
                debug!(step = "login", outcome = "done"; "as {}", quote(client_id, &[client_secret.expose()]));
                Ok(token)
            };
            let hint = "check whether this client may read the registry";
            let exchange =
                |access: &AccessToken| api::registry_token(system, &profile.host, access, &[client_secret], hint);
            let cached = login.access_token(system.now(), cached_as).unwrap_or_else(|error| {
                debug!("{error}; signing in again");
                None
            });
            let Some(cached) = cached else {
                return exchange(&sign_in()?);
            };
            debug!(step = "login", outcome = "done"; "by the Menda CLI's token");
            match exchange(&cached) {
                // It may have been revoked before its expiry.
                Err(error) if error.kind() == Kind::Rejected => {
                    debug!("{error}; signing in again");
                    exchange(&sign_in()?)
                }
                outcome => outcome,
            }
        }
    }
}

/// Whether a host is a domain of CodeArtifact's: `{name}-{account}.d.codeartifact.{region}.amazonaws.com`.
/// <https://docs.aws.amazon.com/codeartifact/latest/ug/python-configure-pip.html>
fn is_code_artifact(host: &str) -> bool {
    let parts = || {
        let (domain, rest) = subdomain_of(host, "amazonaws.com")?.split_once(".d.codeartifact.")?;
        let (name, account) = domain.rsplit_once('-')?;
        Some((name, account, rest))
    };
    let is_label = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
    };
    parts().is_some_and(|(name, account, region)| {
        is_label(name) && account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && is_label(region)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{fake::FakeSystem, http::Method};

    const SERVICE: &str = "https://menda-058264169513.d.codeartifact.eu-west-1.amazonaws.com/pypi/plugins/simple/";
    const OAUTH: &str = "https://api.menda.example/api/v1/auth/oauth2/token";
    const REGISTRY: &str = "https://api.menda.example/api/v1/auth/registry/token";

    fn machine() -> FakeSystem {
        FakeSystem::default()
            .home("/home/user")
            .variable("MENDA_CLIENT_ID", "robot")
            .variable("MENDA_CLIENT_SECRET", "x-secret")
            .variable("MENDA_HOST", "https://api.menda.example/")
    }

    fn get(backend: &MendaCodeArtifact, fake: &FakeSystem) -> Result<Option<(String, String)>> {
        let found = backend.get(fake, &Service::parse(SERVICE))?;
        Ok(found.map(|found| (found.username, found.password.expose().to_owned())))
    }

    #[test]
    fn uploads_go_to_the_repository_itself() {
        let menda = MendaCodeArtifact::default();
        let upload = SERVICE.replace("simple/", "");
        let url = |url: Option<Url>| url.map(|url| url.to_string());
        assert_eq!(url(menda.upload_url(&Service::parse(SERVICE))).as_ref(), Some(&upload));
        for upload in [upload.as_str(), upload.trim_end_matches('/')] {
            assert_eq!(url(menda.index_url(&Service::parse(upload))).as_deref(), Some(SERVICE));
            assert_eq!(menda.upload_url(&Service::parse(upload)), None);
        }
        for other in [SERVICE, &format!("{SERVICE}greetings/"), "menda-058264169513.d.codeartifact.x.amazonaws.com"] {
            assert_eq!(menda.index_url(&Service::parse(other)), None, "{other}");
        }
    }

    #[test]
    fn only_code_artifact_hosts_are_claimed() {
        let claims = |raw: &str| MendaCodeArtifact::default().claims(&FakeSystem::default(), &Service::parse(raw));
        for raw in [
            SERVICE,
            "menda-private-058264169513.d.codeartifact.us-gov-east-1.amazonaws.com",
            "https://aws@A-058264169513.d.codeartifact.eu-west-1.AMAZONAWS.com:443/pypi/x/simple",
        ] {
            assert!(claims(raw), "{raw}");
        }
        for raw in [
            "http://menda-058264169513.d.codeartifact.eu-west-1.amazonaws.com/",
            "https://menda-058264169513.d.codeartifact.eu-west-1.amazonaws.com:8443/",
            "https://menda-058264169513.d.codeartifact.eu-west-1.amazonaws.com.evil.example/",
            "https://evil.example/?x=menda-058264169513.d.codeartifact.us-east-1.amazonaws.com",
            "https://menda-058264169513.d.codeartifact.eu-west-1.amazonaws.com@evil.example/",
            "https://menda-05826416951.d.codeartifact.eu-west-1.amazonaws.com/",
            "https://menda-05826416951x.d.codeartifact.eu-west-1.amazonaws.com/",
            "https://-058264169513.d.codeartifact.eu-west-1.amazonaws.com/",
            "https://a.b-058264169513.d.codeartifact.eu-west-1.amazonaws.com/",
            "https://menda-058264169513.d.codeartifact.a.b.amazonaws.com/",
            "https://menda-058264169513.d.codeartifact..amazonaws.com/",
            "https://codeartifact.eu-west-1.amazonaws.com/",
            "https://s3.amazonaws.com/",
            "https://amazonaws.com/",
        ] {
            assert!(!claims(raw), "{raw}");
        }
    }

    #[test]
    fn a_client_signs_in_once_for_ten_minutes() {
        let fake = machine().answer(Method::Post, OAUTH, 200, r#"{"access_token":"access"}"#).answer(
            Method::Post,
            REGISTRY,
            200,
            r#"{"token":"registry"}"#,
        );
        let backend = MendaCodeArtifact::default();
        for _ in 0..2 {
            assert_eq!(get(&backend, &fake).unwrap(), Some(("aws".to_owned(), "registry".to_owned())));
        }
        fake.assert_done();
        let fake = fake.later(UNKNOWN_LIFE.saturating_sub(Duration::from_secs(1)));
        assert!(get(&backend, &fake).is_ok());
        let again = fake.later(UNKNOWN_LIFE).answer(Method::Post, OAUTH, 200, r#"{"access_token":"access"}"#).answer(
            Method::Post,
            REGISTRY,
            200,
            r#"{"token":"second"}"#,
        );
        assert_eq!(get(&backend, &again).unwrap().unwrap().1, "second");
    }

    #[test]
    fn a_refused_cached_token_of_a_client_causes_a_sign_in() {
        let fake = machine()
            .file("/home/user/.menda/tokens/cache/.token", "[robot]\naccess_token = old\n")
            .answer(Method::Post, REGISTRY, 401, "")
            .answer(Method::Post, OAUTH, 200, r#"{"access_token":"access"}"#)
            .answer(Method::Post, REGISTRY, 200, r#"{"token":"registry"}"#);
        assert_eq!(get(&MendaCodeArtifact::default(), &fake).unwrap().unwrap().1, "registry");
        let tokens: Vec<_> = fake.requests().iter().flat_map(|request| request.headers.clone()).collect();
        assert_eq!(tokens.iter().filter(|(name, _)| *name == "authorizationToken").count(), 2);
    }

    #[test]
    fn a_person_needs_a_login_and_another_login_is_another_identity() {
        let fake = FakeSystem::default()
            .home("/home/user")
            .file("/home/user/.menda/mendacfg", "[default]\nhost = https://api.menda.example\n");
        let backend = MendaCodeArtifact::default();
        let error = get(&backend, &fake).unwrap_err();
        assert_eq!(error.class(), Some(ExceptionClass::NoCachedLogin));
        let log_in = |fake: FakeSystem, name: &str| {
            fake.file("/home/user/.menda/tokens/cache/.token", &format!("[default]\nid_token = {name}\n")).answer(
                Method::Post,
                REGISTRY,
                200,
                &format!(r#"{{"token":"of-{name}"}}"#),
            )
        };
        fake.advance(Duration::from_secs(10));
        let fake = log_in(fake, "ada");
        assert_eq!(get(&backend, &fake).unwrap().unwrap().1, "of-ada");
        let fake = log_in(fake, "eve");
        assert_eq!(get(&backend, &fake).unwrap().unwrap().1, "of-eve");
    }

    #[test]
    fn where_nothing_is_set_up_there_is_nothing_and_nothing_wrong() {
        assert_eq!(get(&MendaCodeArtifact::default(), &FakeSystem::default().home("/home/user")).unwrap(), None);
        assert_eq!(get(&MendaCodeArtifact::default(), &FakeSystem::default()).unwrap(), None);
    }
}
