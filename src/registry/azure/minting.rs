//! Makes a credential: asks the providers in turn, and exchanges bearers.

use std::{
    cell::{Cell, OnceCell},
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

// Nothing here is logged at INFO: pip prints that level on standard output, even for commands whose output is JSON.
use log::debug;

use super::{
    BEARER_USERNAME, ENTRA_USERNAME, SESSION_USERNAME, credprovider,
    discovery::{self, Discovery},
    entra::{self, Tenant},
    feed::Feed,
    providers::{Choice, Grant, env_var, pat},
    session::{self, Refused},
};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Exhausted, TokenProvider, ask_further, ask_in_turn},
        clock_skew::{ClockSkew, TOLERANCE},
    },
    error::{Error, Kind, Result},
    registry::Credential,
    system::System,
};

/// The last discovery of each organisation, for public feeds whose answers lack it at times.
#[derive(Default)]
pub(super) struct KnownOrganisations(Mutex<HashMap<String, Discovery>>);

/// Makes one credential for one feed.
pub(super) struct Minting<'lookup> {
    system: &'lookup dyn System,
    feed: &'lookup Feed,
    organisations: &'lookup KnownOrganisations,
    discovery: OnceCell<Result<Discovery>>,
    /// The difference between the clocks, once the feed has answered.
    skew: Cell<Option<ClockSkew>>,
}

impl<'lookup> Minting<'lookup> {
    pub(super) fn new(
        system: &'lookup dyn System,
        feed: &'lookup Feed,
        organisations: &'lookup KnownOrganisations,
    ) -> Self {
        Self { system, feed, organisations, discovery: OnceCell::new(), skew: Cell::new(None) }
    }

    /// Asks the chosen providers: the local ones first, then, after discovery, those that sign in to the tenant.
    pub(super) fn credential(&self, choice: &Choice) -> Result<Credential> {
        let shown = self.feed.shown();
        let local =
            ask_in_turn(self.system, &choice.local_providers(), self.feed, &shown, |provider, grant, policy| {
                self.accept(provider.name(), grant, policy, false).map_err(|refused| refused.error)
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
        ask_further(refused, self.system, &entra_providers, &tenant, &shown, |provider, grant, policy| {
            self.accept_login(provider, &tenant, grant, policy)
        })
        .map_err(|refused| exhausted(refused, Some(&tenant)))
    }

    /// The discovery of the feed, requested once and on demand.
    fn discovery(&self) -> Result<Discovery> {
        self.discovery.get_or_init(|| self.discover()).clone()
    }

    fn discover(&self) -> Result<Discovery> {
        let organisation = self.feed.organisation_key();
        let known = || self.organisations.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = discovery::discover(self.system, self.feed, &self.skew).map_err(|error| {
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

    /// Makes a credential from the grant of a provider that signs in. If a cached bearer is refused, the provider is asked
    /// once for a newer one: the same identity, so that nobody else answers.
    fn accept_login(
        &self,
        provider: &dyn TokenProvider<Tenant, Grant>,
        tenant: &Tenant,
        grant: Grant,
        cache_policy: CachePolicy,
    ) -> Result<Credential> {
        let name = provider.name();
        let accept = |grant| self.accept(name, grant, cache_policy, true);
        let cached = if let Grant::CachedBearer(token) = &grant { Some(token.clone()) } else { None };
        let (error, cached) = match (accept(grant), cached) {
            (Ok(credential), _) => return Ok(credential),
            (Err(Refused { error, newer_may_serve: true }), Some(cached)) => (error, cached),
            (Err(Refused { error, .. }), _) => return Err(error),
        };
        debug!(step = name, outcome = "noted"; "its cached token was refused, {error}; asking for a newer one");
        match provider.newer_token(self.system, tenant) {
            Ok(Attempt::Token(Grant::Bearer(newer))) if newer.secret() != cached.secret() => {
                accept(Grant::Bearer(newer)).map_err(|refused| refused.error)
            }
            Ok(_) => Err(error),
            Err(failure) if failure.ends_the_lookup() => Err(failure),
            Err(failure) => {
                debug!(step = name, outcome = "noted"; "it has no newer token, {failure}");
                Err(error)
            }
        }
    }

    /// Makes a credential from a grant. A user's bearer is exchanged; everything else is the password itself.
    /// `signs_in` is false for tokens at rest, which are not cached again.
    fn accept(
        &self,
        step: &'static str,
        grant: Grant,
        cache_policy: CachePolicy,
        signs_in: bool,
    ) -> std::result::Result<Credential, Refused> {
        let (token, signs_in) = match grant {
            Grant::Password { username, token } => {
                debug!(step = step, outcome = "gives"; "a password, which is used as it is");
                let (expires, password) = (token.expires(), token.into_secret());
                return Ok(Credential { username, password, expires, owner: None, cache_policy: CachePolicy::Never });
            }
            Grant::Bearer(token) | Grant::CachedBearer(token) => (token, signs_in),
            Grant::Identity(identity) => {
                let tenant = self.discovery()?.tenant.at_configured_login_host(self.system)?;
                (identity.sign_in(self.system, &tenant)?, true)
            }
        };
        let claims = token.claims();
        let account = claims.as_ref().and_then(entra::account);
        let shown_account = account.as_deref().unwrap_or("an account that it does not name");
        let is_service_principal = claims.as_ref().is_some_and(entra::is_service_principal);
        let returns_entra_tokens = credprovider::returns_entra_tokens(self.system);
        let is_exchanged = !is_service_principal && !returns_entra_tokens;
        // The exchange knows the time better than this machine, and a token that a sign-in has just given is hardly expired.
        if !is_exchanged || !signs_in {
            self.check_end(&token, is_exchanged)?;
        }
        if returns_entra_tokens {
            debug!(step = step, outcome = "gives"; "the token of {shown_account}, which is used as it is");
            let (username, expires) = (ENTRA_USERNAME.to_owned(), self.end_of(&token));
            let password = token.into_secret();
            return Ok(Credential { username, password, expires, owner: account, cache_policy: CachePolicy::Never });
        }
        if is_service_principal {
            let expires = self.end_of(&token);
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

    /// Rejects a bearer that has expired by both clocks, as far as the other one is known. The exchange needs the feed's
    /// answer in any case, whose date shows it.
    fn check_end(&self, token: &AccessToken, is_exchanged: bool) -> Result<()> {
        let has_expired = |now: SystemTime| {
            let since = token.expires().and_then(|end| now.duration_since(end).ok());
            since.is_some_and(|since| since > TOLERANCE)
        };
        let ours = self.system.now();
        if !has_expired(ours) {
            return Ok(());
        }
        if let (true, Err(over)) = (is_exchanged, self.discovery())
            && over.ends_the_lookup()
        {
            return Err(over);
        }
        match self.skew.get() {
            Some(skew) if !has_expired(skew.service_time(ours)) => Ok(()),
            _ => Err(Error::new(Kind::Rejected, "its token has expired")),
        }
    }

    /// When a bearer expires by this machine's clock. Its own statement is by the clock of the service; a lifetime that came
    /// with it counts from now.
    fn end_of(&self, token: &AccessToken) -> Option<SystemTime> {
        let stated = token.claims().and_then(|claims| claims.expires());
        match self.skew.get().zip(token.expires().filter(|end| Some(*end) == stated)) {
            Some((skew, end)) => Some(skew.expiry(self.system.now(), end)),
            None => token.expires(),
        }
    }
}

fn exhausted(exhausted: Exhausted, tenant: Option<&Tenant>) -> Error {
    let login = tenant.map_or_else(|| entra::AZ_LOGIN.to_owned(), Tenant::az_login);
    let (token, pat) = (env_var::TOKEN_VARIABLE, pat::PAT_VARIABLE);
    exhausted.into_error(&format!("run `{login}`, or in CI set {token} or {pat}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        service::Service,
        system::{
            Clock,
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
            let fake = machine(FEEDS[0]).variable(name, value).variable("AZURE_DEVOPS_EXT_PAT", "other");
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

    #[test]
    fn an_entra_token_is_the_password_where_that_is_asked_for() {
        for claims in [json!({"upn": "ada@contoso.example"}), json!({"idtyp": "app", "oid": "robot"})] {
            let bearer = token_of(&claims);
            let fake = FakeSystem::default()
                .variable("ARTIFACTS_CREDENTIALPROVIDER_RETURN_ENTRA_TOKENS", "True")
                .variable("ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN", &bearer);
            let found = ask(&fake, FEEDS[0]).unwrap();
            assert_eq!((found.username.as_str(), found.password.expose()), ("EntraToken", bearer.as_str()));
            assert_eq!((found.cache_policy, fake.requests().len()), (CachePolicy::Never, 0));
        }
    }

    const EXCHANGE: &str = "https://vssps.dev.azure.com/contoso/_apis/Token/SessionTokens";

    const AZ: [&str; 10] = [
        "account",
        "get-access-token",
        "--resource",
        entra::AZURE_DEVOPS,
        "--tenant",
        TENANT,
        "--query",
        "accessToken",
        "--output",
        "json",
    ];

    /// A user's token that expires this many seconds after the fake clock's start.
    fn token_for(seconds: i64) -> String {
        token_of(&json!({"upn": "ada@contoso.example", "scp": "x", "exp": 1_795_305_600 + seconds}))
    }

    /// A system where discovery succeeds and az alone is asked.
    fn machine_with_az() -> FakeSystem {
        machine(FEEDS[0]).variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azure_cli")
    }

    /// The files of az with a token of Ada.
    fn with_cached_token(fake: FakeSystem, token: &str) -> FakeSystem {
        let user = json!({"name": "ada@contoso.example", "type": "user"});
        let person = json!({
            "home_account_id": "ada.home", "environment": "login.microsoftonline.com", "username": "ada@contoso.example",
        });
        let entry = json!({
            "secret": token, "home_account_id": "ada.home", "environment": "login.microsoftonline.com",
            "client_id": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "realm": TENANT,
            "target": format!("{}/.default", entra::AZURE_DEVOPS), "expires_on": "1795309200",
        });
        let profile = json!({"subscriptions": [{"isDefault": true, "user": user}]}).to_string();
        let tokens = json!({"AccessToken": {"ada": entry}, "Account": {"ada": person}}).to_string();
        fake.variable("AZURE_CONFIG_DIR", &absolute("/azure"))
            .file("/azure/azureProfile.json", &profile)
            .file("/azure/msal_token_cache.json", &tokens)
    }

    fn printed(token: &str) -> String {
        json!(token).to_string()
    }

    const POLICY: &str = r#"{"message":"VS403463: The conditional access policy failed"}"#;

    #[test]
    fn a_cached_token_that_is_refused_is_replaced_once() {
        let (cached, newer) = (token_for(3600), token_for(7200));
        for (status, body) in [(401, ""), (403, POLICY)] {
            let fake = with_cached_token(machine_with_az(), &cached)
                .run("az", &AZ, 0, &printed(&newer), "")
                .answer(Method::Post, EXCHANGE, status, body)
                .answer(Method::Post, EXCHANGE, 200, r#"{"token":"session"}"#);
            assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
            let sent: Vec<_> = fake.requests()[1..]
                .iter()
                .map(|request| request.headers.iter().any(|(_, value)| value.expose() == format!("Bearer {newer}")))
                .collect();
            assert_eq!(sent, [false, true]);
            fake.assert_done();
        }
    }

    #[test]
    fn the_managed_identity_of_a_feed_signs_in_for_that_feed() {
        let endpoint = json!({"endpoint": FEEDS[0], "clientId": "system"});
        let endpoints = json!({ "endpointCredentials": [endpoint] }).to_string();
        let bearer = token_of(&json!({"idtyp": "app", "oid": "robot"}));
        let fake = || {
            machine(FEEDS[0])
                .variable("ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS", &endpoints)
                .variable("AZURE_DEVOPS_EXT_PAT", "personal")
                .variable("MSI_ENDPOINT", "http://127.0.0.1:1/")
        };
        let answered =
            fake().answer(Method::Post, "http://127.0.0.1:1/", 200, &json!({"access_token": bearer}).to_string());
        let found = ask(&answered, FEEDS[0]).unwrap();
        assert_eq!((found.username.as_str(), found.password.expose()), (BEARER_USERNAME, bearer.as_str()));
        assert_eq!(found.cache_policy, CachePolicy::Session);
        let other = ask(&fake(), "https://pkgs.dev.azure.com/contoso/_packaging/other/pypi/simple/").unwrap();
        assert_eq!(other.password.expose(), "personal");
        let refused = fake().answer(Method::Post, "http://127.0.0.1:1/", 401, "");
        let error = ask(&refused, FEEDS[0]).unwrap_err();
        assert!(error.message().starts_with("feed_identity failed ("), "{error}");
        assert!(
            error.hint().is_some_and(|hint| hint.ends_with("unset ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS")),
            "{error}"
        );
    }

    #[test]
    fn a_newer_token_that_is_refused_too_ends_with_the_policy() {
        let (cached, newer) = (token_for(3600), token_for(7200));
        let fake = with_cached_token(machine_with_az(), &cached)
            .run("az", &AZ, 0, &printed(&newer), "")
            .answer(Method::Post, EXCHANGE, 403, POLICY)
            .answer(Method::Post, EXCHANGE, 403, POLICY);
        let error = ask(&fake, FEEDS[0]).unwrap_err();
        assert!(error.message().contains("a Conditional Access or IP policy refuses ada@contoso.example"), "{error}");
        fake.assert_done();
    }

    #[test]
    fn no_token_is_exchanged_twice() {
        let cached = token_for(3600);
        let refused = |fake: FakeSystem| fake.answer(Method::Post, EXCHANGE, 403, POLICY);
        let with_file = || with_cached_token(machine_with_az(), &cached);
        for fake in [
            refused(with_file().run("az", &AZ, 0, &printed(&cached), "")),
            refused(with_file().run("az", &AZ, 1, "", "ERROR: AADSTS53003: blocked")),
            refused(with_file()),
            // This token came from az itself.
            refused(machine_with_az().run("az", &AZ, 0, &printed(&cached), "")),
        ] {
            let error = ask(&fake, FEEDS[0]).unwrap_err();
            assert!(error.message().contains("VS403463"), "{error}");
            fake.assert_done();
        }
    }

    #[test]
    fn a_refusal_of_the_account_asks_for_no_newer_token() {
        for (status, body) in [(401, r#"{"message":"TF401444: sign in once"}"#), (402, "")] {
            let fake =
                with_cached_token(machine_with_az(), &token_for(3600)).answer(Method::Post, EXCHANGE, status, body);
            assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().kind(), Kind::Exhausted);
            fake.assert_done();
        }
    }

    /// A system where discovery succeeds, at three hours before this machine's time.
    fn machine_with_clock_ahead() -> FakeSystem {
        let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}");
        let headers = [
            ("Date", "Sat, 21 Nov 2026 21:00:00 GMT"),
            ("WWW-Authenticate", challenge.as_str()),
            ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/contoso/"),
        ];
        FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azure_cli").answer_with_headers(
            Method::Get,
            FEEDS[0],
            401,
            &headers,
            "",
        )
    }

    #[test]
    fn a_token_that_az_has_just_printed_serves_with_a_clock_ahead() {
        let fake = machine_with_clock_ahead().run("az", &AZ, 0, &printed(&token_for(-7200)), "").answer(
            Method::Post,
            EXCHANGE,
            200,
            r#"{"token":"session"}"#,
        );
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
        let application = |seconds: i64| token_of(&json!({"idtyp": "app", "exp": 1_795_305_600 + seconds}));
        let ask_application = |fake: FakeSystem, seconds| {
            let fake = fake.run("az", &AZ, 0, &printed(&application(seconds)), "");
            ask(&fake, FEEDS[0]).map(|found| found.expires.unwrap().duration_since(fake.now()).unwrap().as_secs())
        };
        assert_eq!(ask_application(machine_with_clock_ahead(), -7200), Ok(3600));
        assert!(ask_application(machine_with_clock_ahead(), -4 * 3600).is_err(), "it has expired by both clocks");
        assert!(ask_application(machine_with_az(), -7200).is_err(), "it has expired by the only clock that is known");
    }

    #[test]
    fn a_token_at_rest_has_expired_by_both_clocks() {
        let with_token = |fake: FakeSystem| fake.variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &token_for(-7200));
        let fake = with_token(machine_with_clock_ahead()).answer(Method::Post, EXCHANGE, 200, r#"{"token":"session"}"#);
        let fake = fake.variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "env_var");
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
        let error = ask(&with_token(machine(FEEDS[0])), FEEDS[0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "env_var failed (its token has expired); renew or unset ARTIFACTS_KEYRING_NOFUSS_TOKEN"
        );
        let fake = with_token(FakeSystem::default()).failure(Method::Get, FEEDS[0], false);
        assert!(ask(&fake, FEEDS[0]).unwrap_err().message().contains("its token has expired"));
    }

    #[test]
    fn a_wrong_clock_is_named_when_a_token_is_refused() {
        let date = [("Date", "Sun, 22 Nov 2026 03:00:00 GMT")];
        let cached = token_for(3600);
        let fake = with_cached_token(machine_with_az(), &cached)
            .run("az", &AZ, 0, &printed(&cached), "")
            .answer_with_headers(Method::Post, EXCHANGE, 401, &date, "");
        assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().hint(), Some("this machine's clock is 3 h behind: correct it"));
    }
}
