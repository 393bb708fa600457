//! Chainguard Libraries: `libraries.cgr.dev` and every other host below `cgr.dev`.
//!
//! One token serves all indexes. Sources of existing tokens ([`variables`], [`cache_file`]) come before those that create
//! one: [`exchange`] for CI, then [`chainctl`], the vendor's program.

pub(crate) mod cache_file;
pub(crate) mod chainctl;
pub(crate) mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub(crate) mod variables;

use std::path::PathBuf;

use crate::{
    auth::{
        access_token::AccessToken,
        cache::TokenCache,
        cache_key::{CacheKey, Digest},
        cache_policy::CachePolicy,
        chain::{TokenProvider, ask_in_turn},
        job_token,
        jwt::Claims,
    },
    error::{Error, Kind, Result, quote},
    registry::{Credential, CredentialSource, ExecVariables, JobLogin, Probe, Registry},
    service::{Service, subdomain_of},
    system::{Env, System, places},
    variable::{self, Variable},
};

/// Audience of tokens for the libraries.
pub(crate) const AUDIENCE: &str = "libraries.cgr.dev";

/// The domain below which Chainguard serves packages.
const DOMAIN: &str = "cgr.dev";

/// User name of tokens. The service checks only the password.
const TOKEN_USERNAME: &str = "_token";

/// Hint unless a source has a better one.
const HINT: &str = "run `chainctl auth login --audience=libraries.cgr.dev`, or in CI set RINGBEARER_CHAINGUARD_IDENTITY \
                    or CHAINGUARD_PYTHON_TOKEN";

static VARIABLES: &[Variable] = &[
    Variable::login("CHAINCTL_AUTH_TOKEN", "token that chainctl uses instead of its login"),
    Variable::login("CHAINCTL_CONFIG", "configuration file of chainctl"),
    Variable::login("CHAINCTL_PARENT", "organisation for which a pull token is created"),
    Variable::login("CHAINGUARD_PYTHON_IDENTITY_ID", "user name of a pull token"),
    Variable::login("CHAINGUARD_PYTHON_TOKEN", "password of a pull token"),
    Variable::login("RINGBEARER_CHAINGUARD_IDENTITY", "identity that a CI job assumes"),
    Variable::login("RINGBEARER_CHAINGUARD_OIDC_TOKEN", "identity token of the job, such as one of GitLab's id_tokens"),
    Variable::login("RINGBEARER_CHAINGUARD_OIDC_TOKEN_FILE", "file with the identity token of the job"),
];

/// Chainguard Libraries.
pub(super) static REGISTRY: Registry = Registry {
    id: "chainguard",
    title: "Chainguard Libraries",
    python_class: "ChainguardLibrariesKeyring",
    priority: 9.0,
    username: TOKEN_USERNAME,
    example: "https://libraries.cgr.dev/python/simple/",
    domains: &[DOMAIN],
    variables: &[VARIABLES, job_token::VARIABLES, variable::LOCATIONS],
    exec_variables: &[
        ExecVariables { if_username: Some(TOKEN_USERNAME), username: None, password: variables::AUTH_TOKEN_VARIABLE },
        ExecVariables {
            if_username: None,
            username: Some(variables::IDENTITY_VARIABLE),
            password: variables::TOKEN_VARIABLE,
        },
    ],
    job_login: JobLogin::Variables(&[("RINGBEARER_CHAINGUARD_IDENTITY", "vars.CHAINGUARD_IDENTITY")]),
    advice_if_unset: HINT,
    probe: Probe {
        headers: &[],
        is_sign_in: |_| false,
        has_no_page: |_| false,
        advice: &[
            (
                401,
                "the token is for another audience, or was withdrawn: `chainctl auth login --audience=libraries.cgr.dev`",
            ),
            (403, "this account needs a role that may pull libraries, such as libraries.python.pull"),
            (404, "check the path: https://libraries.cgr.dev/python/simple/ is the index of all Python packages"),
        ],
    },
    source: || Box::new(ChainguardLibraries::default()),
};

/// What all sources share. There is one audience, so no source needs the service.
pub(crate) struct Known {
    /// The token in chainctl's cache file, or why it is unusable.
    pub(crate) cached: std::result::Result<AccessToken, String>,
}

impl Known {
    /// Digest of the account that signs in. An unusable token in chainctl's file counts as none.
    fn identity(&self, system: &dyn System) -> String {
        Digest::new()
            .field("audience", AUDIENCE.as_bytes())
            .field("login", self.cached.as_ref().map_or("", |token| token.secret().expose()).as_bytes())
            .variables(system, REGISTRY.login_variables())
            .paths(cache_file::login(system).into_iter().chain(places::user_config(system)))
            .programs(system, &["chainctl"])
            .finish()
    }
}

/// A source of credentials.
type Source = &'static dyn TokenProvider<Known, Credential>;

/// The sources by precedence: explicit and free ones first; a new pull token last, because each creates an identity in the
/// organisation.
const SOURCES: [Source; 6] = [
    &variables::PullToken,
    &variables::TokenVariable,
    &cache_file::CacheFile,
    &exchange::Oidc,
    &chainctl::Login,
    &chainctl::NewPullToken,
];

/// The credentials of Chainguard Libraries.
#[derive(Default)]
pub(crate) struct ChainguardLibraries {
    credentials: TokenCache<Credential>,
}

impl CredentialSource for ChainguardLibraries {
    fn files(&self, system: &dyn System) -> Vec<PathBuf> {
        cache_file::path(system).into_iter().collect()
    }

    fn cache_key(&self, system: &dyn System, _service: &Service) -> Option<CacheKey> {
        let identity = Known { cached: cache_file::usable(system) }.identity(system);
        let login = Digest::new().files(system, cache_file::login(system)).finish();
        Some(CacheKey { realm: AUDIENCE.to_owned(), identity, login })
    }

    fn claims(&self, _environment: &dyn Env, service: &Service) -> bool {
        service.is_https_on_default_port()
            && service.host().and_then(|host| subdomain_of(host, DOMAIN)).is_some_and(|labels| !labels.is_empty())
    }

    fn get(&self, system: &dyn System, service: &Service) -> Result<Option<Credential>> {
        let known = Known { cached: cache_file::usable(system) };
        let key = known.identity(system);
        let shown = service.host().unwrap_or(DOMAIN);
        let make = || {
            let credential = ask_in_turn(system, &SOURCES, &known, shown, |_, found, cache_policy| {
                check(system, Credential { cache_policy, ..found })
            })
            .map_err(|exhausted| exhausted.into_error(HINT))?;
            let expires = credential.expires;
            Ok((credential, expires))
        };
        let credential = self
            .credentials
            .get_or_make(system, &key, AUDIENCE, make)
            .map_err(|error| error.no_credential_for(shown))?;
        Ok(Some(credential))
    }
}

/// A token with its user name.
fn credential(token: AccessToken) -> Credential {
    let (claims, expires) = (token.claims(), token.expires());
    let owner = claims.as_ref().and_then(|claims| claims.text("email").or_else(|| claims.text("sub")));
    let owner = owner.map(|owner| quote(owner, &[]));
    Credential {
        username: TOKEN_USERNAME.to_owned(),
        password: token.into_secret(),
        expires,
        owner,
        cache_policy: CachePolicy::Never,
    }
}

/// Rejects malformed and expired credentials.
fn check(system: &dyn System, credential: Credential) -> Result<Credential> {
    if credential.username.contains(char::is_control) {
        return Err(Error::new(Kind::Rejected, "its user name has several lines"));
    }
    if credential.expires.is_some_and(|end| end <= system.now()) {
        return Err(Error::new(Kind::Rejected, "its token has expired"));
    }
    Ok(credential)
}

/// Whether the audience of a token is the libraries; `None` without an audience (RFC 7519, section 4.1.3).
fn is_for_libraries(claims: &Claims) -> Option<bool> {
    claims.audiences().map(|audiences| {
        audiences
            .iter()
            .any(|audience| audience.strip_prefix("https://").unwrap_or(audience).trim_end_matches('/') == AUDIENCE)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        error::ExceptionClass,
        system::fake::{FakeSystem, absolute},
    };

    #[test]
    fn hosts_below_the_domain_are_claimed_and_no_others() {
        let claims = |raw: &str| ChainguardLibraries::default().claims(&FakeSystem::default(), &Service::parse(raw));
        for raw in [
            "https://libraries.cgr.dev/python/simple/",
            "libraries.cgr.dev",
            "https://_token:x@LIBRARIES.cgr.dev:443/cu128/simple",
            "https://virtualapk.a.cgr.dev/",
        ] {
            assert!(claims(raw), "{raw}");
        }
        for raw in [
            "https://cgr.dev/",
            "http://libraries.cgr.dev/",
            "https://libraries.cgr.dev:8443/",
            "https://libraries.cgr.dev.evil.example/",
            "https://evil.example/libraries.cgr.dev",
            "https://librariesxcgr.dev/",
            "https://libraries.cgr.dev@evil.example/",
            "https://[bad",
        ] {
            assert!(!claims(raw), "{raw}");
        }
    }

    #[test]
    fn a_token_serves_every_host_until_shortly_before_its_end() {
        let end = 1_795_305_600 + 3600;
        let token = token_of(&json!({"aud": AUDIENCE, "exp": end}));
        let fake = FakeSystem::default().variable("CHAINCTL_AUTH_TOKEN", &token);
        let backend = ChainguardLibraries::default();
        for service in ["https://libraries.cgr.dev/python/simple/", "other.cgr.dev"] {
            let found = backend.get(&fake, &Service::parse(service)).unwrap().unwrap();
            assert_eq!((found.username.as_str(), found.password.expose()), ("_token", token.as_str()));
        }
        let later = fake.later(std::time::Duration::from_secs(3600));
        let error = backend.get(&later, &Service::parse("libraries.cgr.dev")).unwrap_err();
        assert!(error.message().contains("its token has expired"), "{error}");
    }

    #[test]
    fn another_login_with_chainctl_is_another_identity() {
        let backend = ChainguardLibraries::default();
        let get = |fake: FakeSystem| {
            let fake = fake.variable("CHAINCTL_AUTH_TOKEN", &token_of(&json!({"aud": AUDIENCE})));
            backend.get(&fake, &Service::parse("libraries.cgr.dev")).unwrap().unwrap();
            backend.credentials.len()
        };
        let user = || FakeSystem::default().home("/home/user").variable("LOCALAPPDATA", &absolute("/local"));
        let path = cache_file::path(&user()).unwrap();
        let file = |claims: serde_json::Value| user().file(&path.to_string_lossy(), &token_of(&claims));
        assert_eq!(get(user()), 1);
        assert_eq!(get(file(json!({"aud": AUDIENCE, "exp": 1}))), 1);
        assert_eq!(get(file(json!({"aud": AUDIENCE, "exp": 2_000_000_000_u64, "sub": "ada"}))), 2);
        assert_eq!(get(file(json!({"aud": AUDIENCE, "exp": 2_000_000_000_u64, "sub": "eve"}))), 3);
    }

    #[test]
    fn if_nobody_serves_the_error_names_host_sources_and_remedy() {
        let error = ChainguardLibraries::default()
            .get(&FakeSystem::default(), &Service::parse("libraries.cgr.dev"))
            .unwrap_err();
        assert_eq!(error.class(), Some(ExceptionClass::ChainctlNotFound));
        let shown = error.to_string();
        for part in [
            "no credential for libraries.cgr.dev: ",
            "chainctl failed (chainctl is not on PATH); install chainctl and run `chainctl auth login",
            "; 5 other sources are not set up: ",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    impl Default for Known {
        fn default() -> Self {
            Self { cached: Err("not read".to_owned()) }
        }
    }
}
