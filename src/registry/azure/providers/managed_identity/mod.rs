//! The managed identity of a machine, from the service that this platform has for it.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
//!
//! Each answers on the machine itself or at a link-local address, never through a proxy.

mod arc;
mod imds;
mod service_endpoint;

use url::Url;

use super::{Grant, Tenant, ado_auth_helper};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        metadata,
    },
    error::Result,
    registry::azure::entra::{AZURE_DEVOPS, CLIENT_VARIABLE},
    system::System,
};

/// The provider.
pub(crate) struct ManagedIdentity;

impl TokenProvider<Tenant, Grant> for ManagedIdentity {
    fn name(&self) -> &'static str {
        "managed_identity"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, system: &dyn System) -> CachePolicy {
        // A sign-in with the helper, which has precedence, would not change the cache key.
        let has_helper = ado_auth_helper::program(system).is_some();
        if has_helper { CachePolicy::Waiters } else { CachePolicy::Session }
    }

    fn token(&self, system: &dyn System, _tenant: &Tenant) -> Result<Attempt<Grant>> {
        let client = system.setting(CLIENT_VARIABLE).map(|id| Client { id, variable: CLIENT_VARIABLE });
        Ok(match sign_in(system, client.as_ref())? {
            Attempt::Token(token) => Attempt::Token(Grant::Bearer(token)),
            Attempt::NotConfigured(why) => Attempt::NotConfigured(why),
        })
    }
}

/// A user-assigned identity; without one the system-assigned identity signs in.
pub(super) struct Client {
    /// Its client id.
    pub(super) id: String,
    /// The variable that names it.
    pub(super) variable: &'static str,
}

impl Client {
    /// Not configured on a platform that has one identity only: another one must not answer in its place.
    fn unknown_to(&self, platform: &str) -> Attempt<AccessToken> {
        Attempt::not_configured(format!("{platform} knows no user-assigned identities, and {} is set", self.variable))
    }
}

/// Signs in by the service that its platform's variables select, in the order of Azure's own SDKs.
pub(super) fn sign_in(system: &dyn System, client: Option<&Client>) -> Result<Attempt<AccessToken>> {
    let identity_endpoint = system.setting("IDENTITY_ENDPOINT");
    let msi_endpoint = system.setting("MSI_ENDPOINT");
    if let Some((endpoint, header)) = identity_endpoint.as_deref().zip(system.secret_setting("IDENTITY_HEADER")) {
        service_endpoint::app_service(system, &metadata::address("IDENTITY_ENDPOINT", endpoint)?, &header, client)
    } else if let Some(endpoint) = identity_endpoint.as_deref().filter(|_| system.setting("IMDS_ENDPOINT").is_some()) {
        arc::token(system, &metadata::address("IDENTITY_ENDPOINT", endpoint)?, client)
    } else if let Some((endpoint, secret)) = msi_endpoint.as_deref().zip(system.secret_setting("MSI_SECRET")) {
        service_endpoint::machine_learning(system, &metadata::address("MSI_ENDPOINT", endpoint)?, &secret, client)
    } else if let Some(endpoint) = msi_endpoint.as_deref() {
        service_endpoint::cloud_shell(system, &metadata::address("MSI_ENDPOINT", endpoint)?, client)
    } else {
        imds::token(system, client)
    }
}

/// Adds the API version, the resource and, if one is chosen, the identity.
fn with_query(endpoint: &Url, version: &str, client: Option<(&str, &Client)>) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", AZURE_DEVOPS);
    if let Some((name, client)) = client {
        url.query_pairs_mut().append_pair(name, &client.id);
    }
    url
}
