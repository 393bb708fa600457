//! Azure DevOps Artifacts.
//!
//! A lookup goes: the feed is read from the service ([`feed`]); the feed itself says, to an anonymous
//! request, which Entra tenant it belongs to and where tokens are exchanged ([`discovery`]); one of the
//! [`providers`] yields a bearer token of that tenant ([`entra`]); a user's bearer is exchanged for a
//! token that reads packages and nothing else ([`session`]).

pub mod discovery;
pub mod entra;
pub mod feed;
pub mod providers;
pub mod session;

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

// Nothing here is logged at INFO: pip prints that on standard output, also of commands whose output is JSON.
use log::debug;

use self::{
    discovery::Discovery,
    feed::Feed,
    providers::{Choice, Grant, feed_endpoints},
};
use crate::{
    backend::{Backend, Credential},
    error::{Error, Kind, Result},
    jwt::Claims,
    provider::{Exhausted, ask_in_turn},
    secret::Secret,
    service::Service,
    sys::{System, retry::Policy},
    token::{Token, TokenCache},
};

/// The user name that goes with session tokens, and that uv users write into their index URLs.
/// The service looks at the password alone.
pub const SESSION_USERNAME: &str = "VssSessionToken";

/// The user name that goes with the bearer of a service principal, as artifacts-keyring-nofuss has it.
pub const BEARER_USERNAME: &str = "bearer";

/// How much clocks may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// How many times a request is tried at the most, 1 to 10.
const ATTEMPTS_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_RETRIES";

/// What the variables begin with that decide who a lookup is made for. A change of any of them is
/// another identity, and another identity must not get the first one's token.
const IDENTITY_PREFIXES: [&str; 11] = [
    "ACTIONS_",
    "ARTIFACTS_",
    "AZURE",
    "HOME",
    "IDENTITY_",
    "IMDS_",
    "MSI_",
    "PATH",
    "SYSTEM_",
    "USERPROFILE",
    "VSS_NUGET_",
];

/// The backend for Azure Artifacts feeds.
#[derive(Default)]
pub struct AzureArtifacts {
    credentials: TokenCache<Credential>,
    /// What each organisation said last, for public feeds that do not say it every time.
    known: Mutex<HashMap<String, Discovery>>,
}

impl Backend for AzureArtifacts {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn claims(&self, service: &Service) -> bool {
        Feed::claims(service)
    }

    fn get(&self, system: &dyn System, service: &Service, _username: Option<&str>) -> Result<Option<Credential>> {
        let Some(feed) = Feed::from_service(service) else {
            debug!("{service:?} names no organisation: tools ask again with the whole URL, or did already");
            return Ok(None);
        };
        // Before any request: a mistyped name should not cost a network round trip to be told.
        let choice = Choice::read(system)?;
        let key = cache_key(system, &feed, &choice);
        let outcome = self.credentials.get_or_make(system, &key, || {
            let credential = self.mint(system, &feed, &choice)?;
            let expires = credential.expires;
            Ok((credential, expires))
        });
        match outcome {
            Ok(credential) => Ok(Some(credential)),
            Err(error) if error.kind() == Kind::NotConfigured => {
                debug!("{}", error.message());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl AzureArtifacts {
    fn mint(&self, system: &dyn System, feed: &Feed, choice: &Choice) -> Result<Credential> {
        let minting = Minting {
            azure: self,
            system,
            feed,
            policy: policy(system),
            discovery: OnceCell::new(),
        };
        let refused = match ask_in_turn(system, &choice.local_providers(), feed, |name, grant| {
            minting.accept(name, grant)
        }) {
            Ok(credential) => return Ok(credential),
            Err(exhausted) => exhausted,
        };
        let entra_providers = choice.entra_providers();
        if refused.has_ended() || entra_providers.is_empty() {
            return Err(minting.exhausted(refused, None));
        }
        let discovery = minting.discovery()?;
        let tenant = discovery.tenant.clone().from_environment(system)?;
        ask_in_turn(system, &entra_providers, &tenant, |name, grant| {
            minting.accept(name, grant)
        })
        .map_err(|exhausted| minting.exhausted(refused.and(exhausted), Some(&tenant.id)))
    }
}

/// The making of one credential.
struct Minting<'lookup> {
    azure: &'lookup AzureArtifacts,
    system: &'lookup dyn System,
    feed: &'lookup Feed,
    policy: Policy,
    discovery: OnceCell<Result<Discovery>>,
}

impl Minting<'_> {
    /// What the feed says of itself, asked once, and only when somebody wants to know.
    fn discovery(&self) -> Result<Discovery> {
        self.discovery.get_or_init(|| self.discover()).clone()
    }

    fn discover(&self) -> Result<Discovery> {
        let organisation = self.feed.organisation_key();
        let known = || self.azure.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(discovery) = discovery::discover(self.system, self.feed, self.policy)? {
            known().insert(organisation, discovery.clone());
            return Ok(discovery);
        }
        known().get(&organisation).cloned().ok_or_else(|| {
            Error::new(
                Kind::NotConfigured,
                format!("{} lets everybody in and does not say whose it is", self.feed.shown()),
            )
        })
    }

    /// Makes a credential of what a provider gave. A user's bearer is exchanged; everything else is a
    /// password as it is.
    fn accept(&self, provider: &'static str, grant: Grant) -> Result<Credential> {
        let token = match grant {
            Grant::Password { username, password } => {
                debug!(
                    "{}: {provider} gives a password that is used as it is",
                    self.feed.shown()
                );
                let expires = Claims::read(&password).and_then(|claims| claims.expires());
                return Ok(Credential {
                    username,
                    password,
                    expires,
                });
            }
            Grant::Bearer(token) => token,
        };
        self.check_end(&token)?;
        let claims = Claims::read(&token.secret);
        let account = claims.as_ref().and_then(entra::account);
        let shown_account = account.unwrap_or("an account that it does not name");
        if claims.as_ref().is_some_and(entra::is_service_principal) {
            debug!(
                "{}: {provider} gives the bearer of {shown_account}, a service principal",
                self.feed.shown()
            );
            let expires = token.expires.or_else(|| claims.and_then(|claims| claims.expires()));
            return Ok(Credential {
                username: BEARER_USERNAME.to_owned(),
                password: token.secret,
                expires,
            });
        }
        debug!(
            "{}: exchanging the bearer of {shown_account} from {provider}",
            self.feed.shown()
        );
        let discovery = self.discovery()?;
        let Token { secret, expires } = session::exchange(
            self.system,
            &discovery.authority,
            self.feed,
            &token.secret,
            account,
            self.policy,
        )?;
        debug!("{}: signed in as {shown_account} by {provider}", self.feed.shown());
        Ok(Credential {
            username: SESSION_USERNAME.to_owned(),
            password: secret,
            expires,
        })
    }

    /// A bearer that has ended is no use to anybody: a later provider may have a live one. A clock that
    /// is some minutes off does not matter.
    fn check_end(&self, token: &Token) -> Result<()> {
        let since = token.expires.and_then(|end| self.system.now().duration_since(end).ok());
        let has_ended = since.is_some_and(|since| since > CLOCK_SKEW);
        if has_ended {
            Err(Error::new(Kind::Rejected, "the token has expired"))
        } else {
            Ok(())
        }
    }

    fn exhausted(&self, exhausted: Exhausted, tenant: Option<&str>) -> Error {
        let sign_in = match tenant {
            Some(tenant) => format!("run `az login --tenant {tenant}`"),
            None => "run `az login`".to_owned(),
        };
        exhausted.into_error(
            &format!("no credential for {}", self.feed.shown()),
            &format!(
                "{sign_in}, or in CI set {} or {}; RINGBEARER_DEBUG=1 shows every step",
                providers::env_var::TOKEN_VARIABLE,
                providers::pat::PAT_VARIABLE
            ),
        )
    }
}

/// One entry of the cache an organisation, access and identity.
fn cache_key(system: &dyn System, feed: &Feed, choice: &Choice) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (name, value) in system.variables() {
        if IDENTITY_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            for part in [name.as_bytes(), b"=", value.as_bytes(), b"\0"] {
                context.update(part);
            }
        }
    }
    let identity: u128 = context
        .finish()
        .as_ref()
        .iter()
        .take(16)
        .fold(0, |number, byte| (number << 8) | u128::from(*byte));
    let endpoint = feed_endpoints::matching_endpoint(system, feed).unwrap_or_default();
    format!(
        "{} {} {} {identity:032x} {endpoint}",
        feed.organisation_key(),
        feed.scope(),
        choice.name()
    )
}

/// The usual retries, as many as the user asks for.
fn policy(system: &dyn System) -> Policy {
    let usual = Policy::USUAL;
    let attempts = match system.setting(ATTEMPTS_VARIABLE).map(|value| value.parse::<i64>()) {
        Some(Ok(attempts)) => u32::try_from(attempts.clamp(1, 10)).unwrap_or(usual.attempts),
        Some(Err(_)) => {
            debug!("{ATTEMPTS_VARIABLE} is not a number: taking {}", usual.attempts);
            usual.attempts
        }
        None => usual.attempts,
    };
    Policy::with_attempts(attempts)
}

/// The end of a token: as the service says, or as the token itself does.
pub(crate) fn expiry(said: Option<SystemTime>, token: &Secret) -> Option<SystemTime> {
    said.or_else(|| Claims::read(token)?.expires())
}
