//! Azure DevOps Artifacts, and Azure DevOps Server where an endpoint names it ([`providers::feed_endpoints`]).
//!
//! A lookup parses the feed from the service ([`feed`]), asks the feed anonymously for its Entra tenant and token
//! authority ([`discovery`]), obtains a bearer token of that tenant from one of the [`providers`] ([`entra`]), and
//! exchanges a user's bearer for a token that only reads packages ([`session`]). [`minting`] combines these steps; each
//! token is cached by `cache_key`, and the answer of discovery by `known_organisations`. [`sign_in`] signs a person in, by the
//! flows of [`login`].

mod addresses;
mod bare_host;
mod cache_key;
mod credprovider;
pub(crate) mod discovery;
pub(crate) mod entra;
pub(crate) mod feed;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod known_organisations;
mod login;
pub(crate) mod minting;
pub(crate) mod providers;
mod remedy;
mod retries;
pub(crate) mod session;
mod sign_in;
mod sign_in_command;
mod variables;

use std::path::PathBuf;

use log::debug;
use url::Url;

use self::{
    bare_host::KnownHosts,
    feed::{Address, Feed},
    known_organisations::KnownOrganisations,
    login::logins::Logins,
    minting::Minting,
    providers::{Choice, az_devops, azd, azure_cli::state, feed_endpoints},
};
use crate::{
    auth::{browser, cache::TokenCache, cache_key::CacheKey, cache_policy::CachePolicy, ci, job_token},
    error::{Kind, Result},
    registry::{
        Credential, CredentialSource, ExecVariables, JobLogin, Probe, Registry, SetupVariable, sign_in::SignIn,
    },
    service::Service,
    system::{Env, System, places},
    variable,
};

/// User name of session tokens, which users write into index URLs. The service checks only the password.
pub(crate) const SESSION_USERNAME: &str = "VssSessionToken";

/// User name of a service principal's bearer, as in artifacts-keyring-nofuss.
pub(crate) const BEARER_USERNAME: &str = "bearer";

/// User name of an Entra token that is not exchanged, as in artifacts-credprovider.
const ENTRA_USERNAME: &str = "EntraToken";

/// The header without which the service redirects to a sign-in page.
const NO_SIGN_IN_PAGE: (&str, &str) = ("X-TFS-FedAuthRedirect", "Suppress");

/// Azure Artifacts.
pub(super) static REGISTRY: Registry = Registry {
    id: "azure",
    title: "Azure Artifacts",
    python_class: "AzureArtifactsKeyring",
    priority: 9.9,
    username: SESSION_USERNAME,
    example: "https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
    domains: &["pkgs.dev.azure.com", "pkgs.codedev.ms", "pkgs.visualstudio.com", "pkgs.vsts.me"],
    variables: &[variables::VARIABLES, job_token::VARIABLES, browser::VARIABLES, ci::VARIABLES, variable::LOCATIONS],
    exec_variables: &[ExecVariables {
        if_username: None,
        username: None,
        password: providers::env_var::TOKEN_VARIABLE,
    }],
    job_login: JobLogin::Variables(&[("AZURE_CLIENT_ID", "vars.AZURE_CLIENT_ID")]),
    advice_if_unset: "name the whole URL of the index: https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
    probe: Probe {
        headers: &[NO_SIGN_IN_PAGE],
        is_sign_in,
        has_no_page: |_| false,
        advice: &[
            (401, "is this account a member of {place}? If not, sign in as one that is, or let it be added"),
            (402, "this account has no licence for Artifacts: the owner of {place} must set its access level to Basic"),
            (403, "the owner of the feed must give this account the role Reader (Feed Settings, Permissions)"),
            (404, "look for the feed at {place}/_artifacts: its name, its project in the URL, your access"),
        ],
    },
    source: || Box::new(AzureArtifacts::default()),
};

/// Whether a redirect leads to a sign-in page.
fn is_sign_in(target: &Url) -> bool {
    let host = target.host_str().unwrap_or_default();
    target.path().contains("_signin")
        || ["login.microsoftonline.com", "login.windows.net", "login.live.com"].contains(&host)
        || host.ends_with(".visualstudio.com") && host.contains("vssps")
}

/// The credentials of Azure Artifacts feeds.
#[derive(Default)]
pub(crate) struct AzureArtifacts {
    credentials: TokenCache<Credential>,
    organisations: KnownOrganisations,
    hosts: KnownHosts,
}

impl CredentialSource for AzureArtifacts {
    fn claims(&self, environment: &dyn Env, service: &Service) -> bool {
        Feed::claims(service) || feed_endpoints::names_server(environment, service)
    }

    fn get(&self, system: &dyn System, service: &Service) -> Result<Option<Credential>> {
        if let Some(feed) = Feed::from_service(service) {
            let outcome = self.of_feed(system, &feed);
            self.hosts.remember(system, &feed, matches!(outcome, Ok(Some(_))));
            return outcome;
        }
        if let Some(server) = Address::of_server(service) {
            return of_server(system, service, &server);
        }
        match self.hosts.feed(service)? {
            Some(feed) => self.of_feed(system, &feed),
            None => Ok(None),
        }
    }

    fn cache_key(&self, system: &dyn System, service: &Service) -> Option<CacheKey> {
        let feed = Feed::from_service(service)?;
        let choice = Choice::read(system).ok().filter(|_| credprovider::may_cache(system))?;
        Some(cache_key::cache_key(system, &feed, &choice))
    }

    fn forget(&self, system: &dyn System, service: &Service) {
        if let Some(feed) = Feed::from_service(service) {
            self.organisations.forget(system, &feed);
        }
    }

    fn files(&self, system: &dyn System) -> Vec<PathBuf> {
        let mut files = Choice::files(system);
        files.extend(state::profile(system));
        files.extend(state::tokens(system));
        files.extend(places::home(system).map(|home| home.join("ado-auth-helper")));
        files.extend(Logins::file(system));
        files.extend(azd::login(system));
        files.extend(az_devops::file(system));
        files
    }

    fn upload_url(&self, service: &Service) -> Option<Url> {
        addresses::upload_url(service)
    }

    fn index_url(&self, service: &Service) -> Option<Url> {
        addresses::index_url(service)
    }

    fn setup_variable(&self, service: &Service) -> Option<SetupVariable> {
        addresses::setup_variable(service)
    }

    fn place(&self, service: &Service) -> String {
        let host = || service.host().unwrap_or_default().to_owned();
        Feed::from_service(service).map_or_else(host, |feed| feed.portal())
    }

    fn advice(&self, service: &Service, status: u16) -> Option<&'static str> {
        let advice = SERVER_ADVICE.iter().find(|(code, _)| *code == status && !Feed::claims(service));
        advice.map(|(_, advice)| *advice)
    }

    fn sign_in(&self) -> Option<&dyn SignIn> {
        Some(self)
    }

    fn at_own_host(&self, service: &Service) -> Option<Url> {
        Feed::from_service(service)?.at_own_host()
    }
}

/// What to do if Azure DevOps Server refuses the password of an endpoint, by HTTP status.
const SERVER_ADVICE: [(u16, &str); 2] = [
    (
        401,
        "renew it: a personal access token of this server with Packaging (Read); NTLM and Negotiate do not work with pip and uv",
    ),
    (404, "check the collection, the project and the feed in the URL, and your access to the feed"),
];

/// The password of an endpoint on Azure DevOps Server. Nothing is sent there, and no other source is asked: logins and
/// tokens of Azure DevOps Services do not belong on another host.
fn of_server(system: &dyn System, service: &Service, server: &Address) -> Result<Option<Credential>> {
    let choice = Choice::read(system)?;
    if !choice.local_providers().iter().any(|provider| provider.name() == feed_endpoints::NAME) {
        debug!(step = feed_endpoints::NAME, outcome = "skipped"; "another provider is chosen");
        return Ok(None);
    }
    let shown = service.host().unwrap_or_default();
    let found = feed_endpoints::server_password(system, server)
        .map_err(|error| error.within(format_args!("no credential for {shown}")))?;
    Ok(found.map(|(username, token)| {
        debug!(step = feed_endpoints::NAME, outcome = "served"; "");
        let (expires, password) = (token.expires(), token.into_secret());
        Credential { username, password, expires, owner: None, cache_policy: CachePolicy::Never }
    }))
}

impl AzureArtifacts {
    fn of_feed(&self, system: &dyn System, feed: &Feed) -> Result<Option<Credential>> {
        match self.credential(system, feed) {
            Ok(credential) => Ok(Some(credential)),
            Err(error) if error.kind() == Kind::NotConfigured => {
                debug!(step = "feed", outcome = "skipped"; "{}: {}", feed.shown(), error.message());
                Ok(None)
            }
            Err(error) => Err(error.no_credential_for(&feed.shown())),
        }
    }

    fn credential(&self, system: &dyn System, feed: &Feed) -> Result<Credential> {
        // Before any request: a mistyped name costs no network round trip.
        let choice = Choice::read(system)?;
        credprovider::warn_of_hosts(system);
        let make = || Minting::new(system, feed, &self.organisations).credential(&choice);
        if !credprovider::may_cache(system) {
            return make();
        }
        let key = cache_key::cache_key(system, feed, &choice).identity;
        self.credentials.get_or_make(system, &key, feed.url().as_str(), || {
            let credential = make()?;
            let expires = credential.expires;
            Ok((credential, expires))
        })
    }

    /// Remembers the credential of a sign-in for the next lookup of this process: a login that is not kept gives no other.
    fn remember(&self, system: &dyn System, feed: &Feed, credential: &Credential) {
        if let Some(choice) = Choice::read(system).ok().filter(|_| credprovider::may_cache(system)) {
            let key = cache_key::cache_key(system, feed, &choice).identity;
            self.credentials.put(system, &key, credential.clone(), credential.expires);
        }
    }
}

/// Whether a text has the form of a GUID, as tenants, projects and feeds have.
fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/";

    fn identity(fake: &FakeSystem, service: &str) -> Option<String> {
        AzureArtifacts::default().cache_key(fake, &Service::parse(service)).map(|key| key.identity)
    }

    #[test]
    fn a_disabled_cache_has_no_key() {
        let variable = "NUGET_CREDENTIALPROVIDER_SESSIONTOKENCACHE_ENABLED";
        assert!(identity(&FakeSystem::default().variable(variable, "true"), FEED).is_some());
        let disabled = || FakeSystem::default().variable(variable, "FALSE");
        assert_eq!(identity(&disabled(), FEED), None);
        assert!(identity(&disabled().variable("RINGBEARER_CACHE", "session"), FEED).is_some());
    }

    #[test]
    fn sources_of_some_feeds_change_the_cache_key_of_those() {
        let other = "https://pkgs.dev.azure.com/contoso/_packaging/other/pypi/simple/";
        let plain = || FakeSystem::default().variable("VSS_NUGET_ACCESSTOKEN", "token");
        assert_eq!(identity(&plain(), FEED), identity(&plain(), other));
        let endpoints = format!(r#"{{"endpointCredentials":[{{"endpoint":"{FEED}","clientId":"system"}}]}}"#);
        for (name, value) in
            [("VSS_NUGET_URI_PREFIXES", FEED), ("ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS", endpoints.as_str())]
        {
            let fake = plain().variable(name, value);
            assert_ne!(identity(&fake, FEED), identity(&fake, other), "{name}");
        }
    }

    #[test]
    fn a_changed_file_of_az_devops_changes_the_cache_key() {
        let fake = FakeSystem::default().home("/home/ada");
        let before = identity(&fake, FEED);
        fake.write("/home/ada/.azure/azuredevops/personalAccessTokens", b"[azdevops-cli: default]");
        assert_ne!(identity(&fake, FEED), before);
    }
}
