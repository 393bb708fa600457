//! Makes a credential: asks the providers in turn, and exchanges bearers.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, SystemTime},
};

// Nothing here is logged at INFO: pip prints that level on standard output, even for commands whose output is JSON.
use log::debug;

use super::{
    BEARER_USERNAME, SESSION_USERNAME,
    discovery::{self, Discovery},
    entra,
    feed::Feed,
    known_organisations::KnownOrganisations,
    providers::{Choice, Grant, NextHost, env_var, pat},
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

/// Makes one credential for one feed.
pub(super) struct Minting<'lookup> {
    system: &'lookup dyn System,
    feed: &'lookup Feed,
    organisations: &'lookup KnownOrganisations,
    discovery: RefCell<Option<Result<Discovery>>>,
    /// Whether the discovery is one that was kept, rather than an answer to this lookup.
    is_kept: Cell<bool>,
    /// Whether the feed no longer says what was kept.
    has_moved: Cell<bool>,
}

impl<'lookup> Minting<'lookup> {
    pub(super) fn new(
        system: &'lookup dyn System,
        feed: &'lookup Feed,
        organisations: &'lookup KnownOrganisations,
    ) -> Self {
        let (discovery, is_kept, has_moved) = (RefCell::default(), Cell::default(), Cell::default());
        Self { system, feed, organisations, discovery, is_kept, has_moved }
    }

    /// Asks the chosen providers, and once more if they failed with a discovery that no longer holds.
    pub(super) fn credential(&self, choice: &Choice) -> Result<Credential> {
        let outcome = self.ask(choice).map_err(|error| self.explained(error));
        if outcome.is_err() && self.has_moved.get() { self.ask(choice) } else { outcome }
    }

    /// Asks the chosen providers: the local ones first, then, after discovery, those that sign in to the tenant.
    fn ask(&self, choice: &Choice) -> Result<Credential> {
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
        let next = choice.next_host(self.system);
        let discovery = self.discovery(next)?;
        if self.is_kept.get() && next == Some(NextHost::Authority) {
            // While a program gets the token.
            self.system.open_ahead(&discovery.authority);
        }
        let tenant = discovery.tenant.at_configured_login_host(self.system)?;
        ask_in_turn(self.system, &entra_providers, &tenant, &shown, |provider, grant, policy| {
            self.accept(provider.name(), grant, policy, true)
        })
        .map_err(|others| exhausted(refused.and(others), Some(&tenant.id)))
    }

    /// The discovery of the feed: a kept one, or the answer to one request. Meanwhile a connection to the next host is
    /// opened.
    fn discovery(&self, next: Option<NextHost>) -> Result<Discovery> {
        if let Some(known) = &*self.discovery.borrow() {
            return known.clone();
        }
        // No exchange would confirm the tenant of an application.
        let may_be_kept = next != Some(NextHost::Login);
        let kept = may_be_kept.then(|| self.organisations.kept(self.system, self.feed)).flatten();
        self.is_kept.set(kept.is_some());
        let found = if let Some(kept) = kept {
            debug!(step = "discovery", outcome = "noted"; "{} is known: not asked again", self.feed.shown());
            Ok(kept)
        } else {
            let expected = match next {
                Some(NextHost::Login) => entra::expected_login_host(self.system),
                Some(NextHost::Authority) => discovery::expected_authority(self.feed),
                None => None,
            };
            if let Some(expected) = expected {
                self.system.open_ahead(&expected);
            }
            self.discover()
        };
        self.discovery.replace(Some(found.clone()));
        found
    }

    fn discover(&self) -> Result<Discovery> {
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
            self.organisations.keep(self.system, self.feed, &discovery);
            return Ok(discovery);
        }
        let unknown =
            || Error::new(Kind::NotConfigured, "the feed is public and does not name its tenant").of_one_url();
        self.organisations.last(self.feed).ok_or_else(unknown)
    }

    /// The failure; or, if it is due to a kept discovery, an error that stops the chain: the feed comes before other logins.
    fn explained(&self, failure: Error) -> Error {
        if failure.ends_the_lookup() {
            return failure;
        }
        self.confirm().err().filter(|_| self.has_moved.get()).unwrap_or(failure)
    }

    /// Asks the feed whether a kept discovery still holds. If it names another tenant or authority, that replaces the kept
    /// one, and the error says so.
    fn confirm(&self) -> Result<()> {
        if !self.is_kept.replace(false) {
            return Ok(());
        }
        self.organisations.forget(self.system, self.feed);
        let new = self.discover()?;
        let kept = self.discovery.replace(Some(Ok(new.clone())));
        if kept == Some(Ok(new)) {
            return Ok(());
        }
        self.has_moved.set(true);
        let message = format!("{} names another tenant or authority than before", self.feed.shown());
        Err(Error::new(Kind::Protocol, message))
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
            self.confirm()?;
            let cache_policy = if signs_in { cache_policy } else { CachePolicy::Never };
            let username = BEARER_USERNAME.to_owned();
            return Ok(Credential { username, password: token.into_secret(), expires, owner: account, cache_policy });
        }
        debug!(step = step, outcome = "gives"; "the token of {shown_account}");
        let authority = self.discovery(Some(NextHost::Authority))?.authority;
        let session = session::exchange(self.system, &authority, self.feed, token.secret(), account.as_deref())
            .map_err(|error| self.explained(error))?;
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
    exhausted.into_error(&format!("{sign_in}, or in CI set {} or {}", env_var::TOKEN_VARIABLE, pat::PAT_VARIABLE))
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

    const AUTHORITY: &str = "https://vssps.dev.azure.com/contoso/";
    const OTHER_TENANT: &str = "11111111-86f1-41af-91ab-2d7cd011db47";

    /// A feed's answer to an anonymous request.
    fn says(fake: FakeSystem, tenant: &str, authority: &str) -> FakeSystem {
        let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{tenant}");
        let headers = [("WWW-Authenticate", challenge.as_str()), ("X-VSS-AuthorizationEndpoint", authority)];
        fake.answer_with_headers(Method::Get, FEEDS[0], 401, &headers, "")
    }

    fn exchange(fake: FakeSystem, authority: &str, status: u16) -> FakeSystem {
        let body = r#"{"token":"session"}"#;
        fake.answer(Method::Post, &format!("{authority}_apis/Token/SessionTokens"), status, body)
    }

    /// A user with a bearer in a variable.
    fn user() -> FakeSystem {
        FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &token_of(&json!({"upn": "ada"})))
    }

    /// The same user, whose organisation is known.
    fn known() -> FakeSystem {
        let fake = exchange(says(user(), TENANT, AUTHORITY), AUTHORITY, 200);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
        fake
    }

    #[test]
    fn a_known_organisation_is_not_asked_again() {
        let fake = exchange(known(), AUTHORITY, 200);
        assert_eq!(ask(&fake, FEEDS[1]).unwrap().password.expose(), "session");
        fake.assert_done();
    }

    #[test]
    fn a_moved_authority_is_asked_for_after_a_refusal() {
        let moved = "https://app.vssps.visualstudio.com/";
        for status in [302, 401, 403, 404] {
            let fake = exchange(says(exchange(known(), AUTHORITY, status), TENANT, moved), moved, 200);
            assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session", "{status}");
            fake.assert_done();
            let fake = exchange(fake, moved, 200);
            assert!(ask(&fake, FEEDS[0]).is_ok(), "the new authority is known");
            fake.assert_done();
        }
    }

    #[test]
    fn a_refusal_stands_if_the_feed_says_the_same() {
        let fake = says(exchange(known(), AUTHORITY, 401), TENANT, AUTHORITY);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().kind(), Kind::Rejected);
        fake.assert_done();
        // A feed that does not answer, and one that names an untrusted host, change nothing either.
        let fake = says(exchange(known(), AUTHORITY, 401), TENANT, "https://vssps.evil.example/contoso/");
        assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().kind(), Kind::Rejected);
        fake.assert_done();
    }

    /// A run of az for a tenant.
    fn az(fake: FakeSystem, tenant: &str, code: i32, token: &serde_json::Value) -> FakeSystem {
        let arguments = ["account", "get-access-token", "--resource", entra::AZURE_DEVOPS, "--tenant", tenant];
        let arguments = [&arguments[..], &["--query", "accessToken", "--output", "json"]].concat();
        let output = json!(token_of(token)).to_string();
        fake.run("az", &arguments, code, if code == 0 { &output } else { "" }, "AADSTS90002: no such tenant")
    }

    #[test]
    fn a_tenant_that_is_gone_is_asked_for_again() {
        let fake = az(says(known_to_az(), OTHER_TENANT, AUTHORITY), TENANT, 1, &json!({}));
        let fake = exchange(az(fake, OTHER_TENANT, 0, &json!({"upn": "ada"})), AUTHORITY, 200);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
        fake.assert_done();
    }

    /// A user of az, whose organisation is known.
    fn known_to_az() -> FakeSystem {
        let fake = FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azure_cli");
        let fake = exchange(az(says(fake, TENANT, AUTHORITY), TENANT, 0, &json!({"upn": "ada"})), AUTHORITY, 200);
        assert!(ask(&fake, FEEDS[0]).is_ok());
        assert_eq!(fake.opened_ahead(), ["https://vssps.dev.azure.com/"]);
        fake
    }

    #[test]
    fn the_authority_of_a_known_organisation_is_connected_to_while_az_runs() {
        let fake = exchange(az(known_to_az(), TENANT, 0, &json!({"upn": "ada"})), AUTHORITY, 200);
        assert!(ask(&fake, FEEDS[0]).is_ok());
        assert_eq!(fake.opened_ahead(), ["https://vssps.dev.azure.com/", AUTHORITY]);
    }

    #[test]
    fn the_feed_confirms_the_tenant_of_an_application() {
        let application = json!({"idtyp": "app", "oid": "robot"});
        let fake = says(az(known_to_az(), TENANT, 0, &application), TENANT, AUTHORITY);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().username, BEARER_USERNAME);
        fake.assert_done();
        let fake = says(az(fake, TENANT, 0, &application), OTHER_TENANT, AUTHORITY);
        let other = json!({"idtyp": "app", "oid": "another"});
        let found = ask(&az(fake, OTHER_TENANT, 0, &other), FEEDS[0]).unwrap();
        assert_eq!(found.password.expose(), token_of(&other));
        let fake = FakeSystem::default().variable("AZURE_CLIENT_ID", "robot").variable("AZURE_CLIENT_SECRET", "s");
        let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
        let body = json!({"access_token": token_of(&application)}).to_string();
        let fake =
            (0..2).fold(fake, |fake, _| says(fake, TENANT, AUTHORITY).answer(Method::Post, &endpoint, 200, &body));
        assert!((0..2).all(|_| ask(&fake, FEEDS[0]).is_ok()), "it is asked each time");
        fake.assert_done();
    }

    #[test]
    fn the_next_host_is_connected_to_while_the_feed_is_asked() {
        let fake = exchange(says(user(), TENANT, AUTHORITY), AUTHORITY, 200);
        assert!(ask(&fake, FEEDS[0]).is_ok());
        assert_eq!(fake.opened_ahead(), ["https://vssps.dev.azure.com/"]);
        let fake = exchange(fake, AUTHORITY, 200);
        assert!(ask(&fake, FEEDS[0]).is_ok());
        assert_eq!(fake.opened_ahead().len(), 1, "of a known organisation, the exchange connects at once");
        let application = || {
            let fake = FakeSystem::default().variable("AZURE_CLIENT_ID", "robot").variable("AZURE_CLIENT_SECRET", "s");
            says(fake, TENANT, AUTHORITY)
        };
        for (fake, host) in [
            (application(), "login.microsoftonline.com"),
            (application().variable("AZURE_AUTHORITY_HOST", "login.microsoftonline.us"), "login.microsoftonline.us"),
        ] {
            let endpoint = format!("https://{host}/{TENANT}/oauth2/v2.0/token");
            let fake = fake.answer(Method::Post, &endpoint, 400, "{}");
            assert!(ask(&fake, FEEDS[0]).is_err());
            assert_eq!(fake.opened_ahead(), [format!("https://{host}/organizations/oauth2/v2.0/token")]);
        }
    }

    #[test]
    fn nothing_is_connected_to_for_a_password_or_without_a_login() {
        let fake = FakeSystem::default().variable("AZURE_DEVOPS_EXT_PAT", "x".repeat(52).as_str());
        assert!(ask(&fake, FEEDS[0]).is_ok());
        assert_eq!(fake.opened_ahead(), [""; 0]);
        let fake = FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azd");
        let fake = says(fake, TENANT, AUTHORITY);
        assert!(ask(&fake, FEEDS[0]).is_err());
        assert_eq!(fake.opened_ahead(), [""; 0]);
    }
}
