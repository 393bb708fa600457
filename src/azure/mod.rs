//! Azure DevOps Artifacts.
//!
//! A lookup goes: the feed is read from the service ([`feed`]); the feed itself says, to an anonymous
//! request, which Entra tenant it belongs to and where tokens are exchanged ([`discovery`]); one of the
//! [`providers`] yields a bearer token of that tenant ([`entra`]); a user's bearer is exchanged for a
//! token that reads packages and nothing else ([`session`]). [`minting`] puts these together, and the
//! cache here makes each token once for every [`identity`].

pub mod discovery;
pub mod entra;
pub mod feed;
pub mod identity;
pub mod minting;
pub mod providers;
pub mod session;

use std::time::SystemTime;

use log::debug;

use self::{
    feed::Feed,
    minting::{KnownOrganisations, Minting},
    providers::Choice,
};
use crate::{
    backend::{Backend, Credential},
    error::{Kind, Result},
    jwt::Claims,
    secret::Secret,
    service::Service,
    sys::System,
    token::TokenCache,
};

/// The user name that goes with session tokens, and that uv users write into their index URLs.
/// The service looks at the password alone.
pub const SESSION_USERNAME: &str = "VssSessionToken";

/// The user name that goes with the bearer of a service principal, as artifacts-keyring-nofuss has it.
pub const BEARER_USERNAME: &str = "bearer";

/// The backend for Azure Artifacts feeds.
#[derive(Default)]
pub struct AzureArtifacts {
    credentials: TokenCache<Credential>,
    organisations: KnownOrganisations,
}

impl Backend for AzureArtifacts {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn class(&self) -> &'static str {
        "AzureArtifactsKeyring"
    }

    fn priority(&self) -> f64 {
        9.9
    }

    fn username(&self) -> &'static str {
        SESSION_USERNAME
    }

    fn claims(&self, service: &Service) -> bool {
        Feed::claims(service)
    }

    fn get(&self, system: &dyn System, service: &Service, _username: Option<&str>) -> Result<Option<Credential>> {
        let Some(feed) = Feed::from_service(service) else {
            debug!("{service:?} names no organisation: tools ask for it after the whole URL");
            return Ok(None);
        };
        match self.credential(system, &feed) {
            Ok(credential) => Ok(Some(credential)),
            Err(error) if error.kind() == Kind::NotConfigured => {
                debug!("{}: {}", feed.shown(), error.message());
                Ok(None)
            }
            Err(error) => Err(error.within(format_args!("no credential for {}", feed.shown()))),
        }
    }
}

impl AzureArtifacts {
    fn credential(&self, system: &dyn System, feed: &Feed) -> Result<Credential> {
        // Before any request: a mistyped name should not cost a network round trip to be told.
        let choice = Choice::read(system)?;
        let key = identity::cache_key(system, feed, &choice);
        self.credentials.get_or_make(system, &key, feed.url().as_str(), || {
            let credential = Minting::new(system, feed, &self.organisations).credential(&choice)?;
            let expires = credential.expires;
            Ok((credential, expires))
        })
    }
}

/// Whether a text has the form of a GUID, as Azure writes tenants, projects and feeds.
fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The end of a token: as the service says, or as the token itself does.
fn expiry(said: Option<SystemTime>, token: &Secret) -> Option<SystemTime> {
    said.or_else(|| Claims::read(token)?.expires())
}
