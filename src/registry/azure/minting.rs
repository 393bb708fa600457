//! Makes a credential: asks the providers in turn, and exchanges bearers.

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

// Nothing here is logged at INFO: pip prints that level on standard output, even for commands whose output is JSON.
use log::debug;

use super::{
    BEARER_USERNAME, SESSION_USERNAME,
    discovery::{self, Discovery},
    entra,
    feed::Feed,
    providers::{Choice, Grant, pat},
    session,
};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Exhausted, ask_in_turn},
    },
    error::{Error, Kind, Result},
    registry::Credential,
    system::System,
};

/// The tolerated difference between clocks.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The last discovery of each organisation, for public feeds whose answers lack it at times.
#[derive(Default)]
pub(super) struct KnownOrganisations(Mutex<HashMap<String, Discovery>>);

/// Makes one credential for one feed.
pub(super) struct Minting<'lookup> {
    system: &'lookup dyn System,
    feed: &'lookup Feed,
    organisations: &'lookup KnownOrganisations,
    discovery: OnceCell<Result<Discovery>>,
}

impl<'lookup> Minting<'lookup> {
    pub(super) fn new(
        system: &'lookup dyn System,
        feed: &'lookup Feed,
        organisations: &'lookup KnownOrganisations,
    ) -> Self {
        Self { system, feed, organisations, discovery: OnceCell::new() }
    }

    /// Asks the chosen providers: the local ones first, then, after discovery, those that sign in to the tenant.
    pub(super) fn credential(&self, choice: &Choice) -> Result<Credential> {
        let shown = self.feed.shown();
        let local =
            ask_in_turn(self.system, &choice.local_providers(), self.feed, &shown, |provider, grant, policy| {
                self.accept(provider.name(), grant, policy, false)
            });
        let refused = match local {
            Ok(credential) => return Ok(credential),
            Err(refused) => refused,
        };
        let entra_providers = choice.entra_providers();
        if refused.has_stopped() || entra_providers.is_empty() {
            return Err(exhausted(refused, None));
        }
        let tenant = self.discovery()?.tenant.at_configured_login_host(self.system)?;
        ask_in_turn(self.system, &entra_providers, &tenant, &shown, |provider, grant, policy| {
            self.accept(provider.name(), grant, policy, true)
        })
        .map_err(|others| exhausted(refused.and(others), Some(&tenant.id)))
    }

    /// The discovery of the feed, requested once and on demand.
    fn discovery(&self) -> Result<Discovery> {
        self.discovery.get_or_init(|| self.discover()).clone()
    }

    fn discover(&self) -> Result<Discovery> {
        let organisation = self.feed.organisation_key();
        let known = || self.organisations.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = discovery::discover(self.system, self.feed).map_err(|error| {
            debug!(step = "discovery", outcome = "failed"; "{error}");
            if error.kind() == Kind::Protocol { error.of_one_url() } else { error }
        })?;
        if let Some(discovery) = said {
            debug!(
                step = "discovery", outcome = "done";
                "{} belongs to tenant {}; tokens are exchanged at {}",
                self.feed.shown(), discovery.tenant.id, discovery.authority.host_str().unwrap_or_default()
            );
            known().insert(organisation, discovery.clone());
            return Ok(discovery);
        }
        let unknown =
            || Error::new(Kind::NotConfigured, "the feed is public and does not name its tenant").of_one_url();
        known().get(&organisation).cloned().ok_or_else(unknown)
    }

    /// Makes a credential from a grant. A user's bearer is exchanged; everything else is the password itself.
    /// `signs_in` is false for tokens at rest, which are not cached again.
    fn accept(
        &self,
        step: &'static str,
        grant: Grant,
        cache_policy: CachePolicy,
        signs_in: bool,
    ) -> Result<Credential> {
        let token = match grant {
            Grant::Password { username, token } => {
                debug!(step = step, outcome = "gives"; "a password, which is used as it is");
                let (expires, password) = (token.expires(), token.into_secret());
                return Ok(Credential { username, password, expires, owner: None, cache_policy: CachePolicy::Never });
            }
            Grant::Bearer(token) => token,
        };
        let (claims, expires) = (token.claims(), token.expires());
        self.check_end(expires)?;
        let account = claims.as_ref().and_then(entra::account);
        let shown_account = account.as_deref().unwrap_or("an account that it does not name");
        if claims.as_ref().is_some_and(entra::is_service_principal) {
            debug!(
                step = step, outcome = "gives";
                "the token of {shown_account}, a service principal, which is used as it is"
            );
            let cache_policy = if signs_in { cache_policy } else { CachePolicy::Never };
            let username = BEARER_USERNAME.to_owned();
            return Ok(Credential { username, password: token.into_secret(), expires, owner: account, cache_policy });
        }
        debug!(step = step, outcome = "gives"; "the token of {shown_account}");
        let authority = self.discovery()?.authority;
        let session = session::exchange(self.system, &authority, self.feed, token.secret(), account.as_deref())?;
        debug!(
            step = "exchange", outcome = "done";
            "for a token of {} that {}", self.feed.shown(), self.feed.access()
        );
        let username = SESSION_USERNAME.to_owned();
        let expires = session.expires();
        Ok(Credential { username, password: session.into_secret(), expires, owner: account, cache_policy })
    }

    /// Rejects a bearer that has expired, unless the clocks may differ by that much.
    fn check_end(&self, expires: Option<SystemTime>) -> Result<()> {
        let since = expires.and_then(|end| self.system.now().duration_since(end).ok());
        match since {
            Some(since) if since > CLOCK_SKEW => Err(Error::new(Kind::Rejected, "its token has expired")),
            _ => Ok(()),
        }
    }
}

fn exhausted(exhausted: Exhausted, tenant: Option<&str>) -> Error {
    let sign_in = match tenant {
        Some(tenant) => format!("run `az login --tenant {tenant}`"),
        None => "run `az login`".to_owned(),
    };
    exhausted.into_error(&format!("{sign_in}, or in CI set {}", pat::PAT_VARIABLE))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        service::Service,
        system::{
            fake::{FakeSystem, absolute},
            http::Method,
        },
    };

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const FEEDS: [&str; 2] = [
        "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/",
        "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/upload/",
    ];

    /// A system where discovery succeeds.
    fn machine(feed: &str) -> FakeSystem {
        let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}");
        let headers = [
            ("WWW-Authenticate", challenge.as_str()),
            ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/contoso/"),
        ];
        FakeSystem::default().answer_with_headers(Method::Get, feed, 401, &headers, "")
    }

    fn ask(fake: &FakeSystem, feed: &str) -> Result<Credential> {
        let feed = Feed::from_service(&Service::parse(feed)).unwrap();
        Minting::new(fake, &feed, &KnownOrganisations::default()).credential(&Choice::read(fake)?)
    }

    #[test]
    fn a_wrong_client_secret_is_not_followed_by_az() {
        let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret."}"#;
        for feed in FEEDS {
            // az is on PATH, and a run of it would fail the test.
            let fake = machine(feed).run("az", &[], 0, "", "").answer(Method::Post, &endpoint, 401, body);
            let fake = fake.variable("AZURE_CLIENT_ID", "robot").variable("AZURE_CLIENT_SECRET", "x-wrong");
            let error = ask(&fake, feed).unwrap_err();
            assert_eq!(error.kind(), Kind::Rejected);
            assert!(error.message().starts_with("client_secret failed ("), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("unset AZURE_CLIENT_SECRET")), "{error}");
        }
    }

    #[test]
    fn explicit_sources_that_fail_are_not_followed_by_others() {
        let expired = token_of(&json!({"iss": "https://sts.windows.net/t/", "exp": 1}));
        let nowhere = absolute("/nowhere");
        for (name, value) in [
            ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", expired.as_str()),
            ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "two words"),
            ("ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE", &nowhere),
            ("VSS_NUGET_EXTERNAL_FEED_ENDPOINTS", "no JSON"),
        ] {
            let fake = FakeSystem::default().variable(name, value).variable("AZURE_DEVOPS_EXT_PAT", "other");
            let error = ask(&fake, FEEDS[0]).unwrap_err();
            assert!(error.hint().is_some_and(|hint| hint.contains("unset") && hint.contains(name)), "{error}");
        }
        for (name, value) in [
            ("AZURE_CLIENT_SECRET", "secret"),
            ("AZURE_CLIENT_CERTIFICATE_PATH", nowhere.as_str()),
            ("AZURE_FEDERATED_TOKEN_FILE", &nowhere),
        ] {
            let fake = machine(FEEDS[0]).run("az", &[], 0, "", "").variable(name, value);
            let fake = if name == "AZURE_CLIENT_SECRET" { fake } else { fake.variable("AZURE_CLIENT_ID", "robot") };
            let error = ask(&fake, FEEDS[0]).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.hint().is_some_and(|hint| hint.contains("unset") && hint.contains(name)), "{error}");
        }
    }

    #[test]
    fn a_found_login_that_fails_moves_on() {
        let arguments = ["account", "get-access-token", "--resource", entra::AZURE_DEVOPS, "--tenant", TENANT];
        let arguments = [&arguments[..], &["--query", "accessToken", "--output", "json"]].concat();
        let bearer = token_of(&json!({"idtyp": "app", "oid": "robot"}));
        let fake = machine(FEEDS[0])
            .run("az", &arguments, 1, "", "Please run 'az login'")
            .variable("MSI_ENDPOINT", "http://127.0.0.1:1/")
            .answer(Method::Post, "http://127.0.0.1:1/", 200, &json!({"access_token": bearer}).to_string());
        let found = ask(&fake, FEEDS[0]).unwrap();
        assert_eq!((found.username.as_str(), found.password.expose()), (BEARER_USERNAME, bearer.as_str()));
    }
}
