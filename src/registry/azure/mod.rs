//! Azure DevOps Artifacts.
//!
//! A lookup parses the feed from the service ([`feed`]), asks the feed anonymously for its Entra tenant and token
//! authority ([`discovery`]), obtains a bearer token of that tenant from one of the [`providers`] ([`entra`]), and
//! exchanges a user's bearer for a token that only reads packages ([`session`]). [`minting`] combines these steps; each
//! token is cached by `cache_key`.

mod cache_key;
pub(crate) mod discovery;
pub(crate) mod entra;
pub(crate) mod feed;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub(crate) mod minting;
pub(crate) mod providers;
mod retries;
pub(crate) mod session;
mod variables;

use std::path::PathBuf;

use log::debug;
use url::Url;

use self::{
    feed::Feed,
    minting::{KnownOrganisations, Minting},
    providers::{Choice, azd, azure_cli::state},
};
use crate::{
    auth::{cache::TokenCache, cache_key::CacheKey, job_token},
    error::{Kind, Result},
    registry::{Credential, CredentialSource, ExecVariables, Probe, Registry},
    service::Service,
    system::{System, places},
    variable,
};

/// User name of session tokens, which users write into index URLs. The service checks only the password.
pub(crate) const SESSION_USERNAME: &str = "VssSessionToken";

/// User name of a service principal's bearer, as in artifacts-keyring-nofuss.
pub(crate) const BEARER_USERNAME: &str = "bearer";

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
    variables: &[variables::VARIABLES, job_token::VARIABLES, variable::LOCATIONS],
    exec_variables: &[ExecVariables {
        if_username: None,
        username: None,
        password: providers::env_var::TOKEN_VARIABLE,
    }],
    job_settings: &[("AZURE_CLIENT_ID", "vars.AZURE_CLIENT_ID")],
    advice_if_unset: "name the whole URL of the index: https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
    probe: Probe {
        headers: &[NO_SIGN_IN_PAGE],
        is_sign_in,
        advice: &[
            (401, "is this account a member of {place}? If not, sign in as one that is, or let it be added"),
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
}

impl CredentialSource for AzureArtifacts {
    fn claims(&self, service: &Service) -> bool {
        Feed::claims(service)
    }

    fn get(&self, system: &dyn System, service: &Service, _username: Option<&str>) -> Result<Option<Credential>> {
        let Some(feed) = Feed::from_service(service) else {
            debug!(
                step = "feed", outcome = "skipped";
                "{service:?} names no organisation: tools ask for it after the whole URL"
            );
            return Ok(None);
        };
        match self.credential(system, &feed) {
            Ok(credential) => Ok(Some(credential)),
            Err(error) if error.kind() == Kind::NotConfigured => {
                debug!(step = "feed", outcome = "skipped"; "{}: {}", feed.shown(), error.message());
                Ok(None)
            }
            Err(error) => Err(error.no_credential_for(&feed.shown())),
        }
    }

    fn cache_key(&self, system: &dyn System, service: &Service) -> Option<CacheKey> {
        let feed = Feed::from_service(service)?;
        let choice = Choice::read(system).ok()?;
        Some(cache_key::cache_key(system, &feed, &choice))
    }

    fn files(&self, system: &dyn System) -> Vec<PathBuf> {
        let mut files = Choice::files(system);
        files.extend(state::profile(system));
        files.extend(state::tokens(system));
        files.extend(places::home(system).map(|home| home.join("ado-auth-helper")));
        files.extend(azd::login(system));
        files
    }

    fn place(&self, service: &Service) -> String {
        Feed::from_service(service).map_or_else(String::new, |feed| feed.portal())
    }
}

impl AzureArtifacts {
    fn credential(&self, system: &dyn System, feed: &Feed) -> Result<Credential> {
        // Before any request: a mistyped name costs no network round trip.
        let choice = Choice::read(system)?;
        let key = cache_key::cache_key(system, feed, &choice).identity;
        self.credentials.get_or_make(system, &key, feed.url().as_str(), || {
            let credential = Minting::new(system, feed, &self.organisations).credential(&choice)?;
            let expires = credential.expires;
            Ok((credential, expires))
        })
    }
}

/// Whether a text has the form of a GUID, as tenants, projects and feeds have.
fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
