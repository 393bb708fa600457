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

    /// Selects the service by the variables that its platform sets, in the order of Azure's own SDKs.
    fn token(&self, system: &dyn System, _tenant: &Tenant) -> Result<Attempt<Grant>> {
        let identity_endpoint = system.setting("IDENTITY_ENDPOINT");
        let msi_endpoint = system.setting("MSI_ENDPOINT");
        let attempt = if let Some((endpoint, header)) =
            identity_endpoint.as_deref().zip(system.secret_setting("IDENTITY_HEADER"))
        {
            service_endpoint::app_service(system, &metadata::address("IDENTITY_ENDPOINT", endpoint)?, &header)?
        } else if let Some(endpoint) =
            identity_endpoint.as_deref().filter(|_| system.setting("IMDS_ENDPOINT").is_some())
        {
            arc::token(system, &metadata::address("IDENTITY_ENDPOINT", endpoint)?)?
        } else if let Some((endpoint, secret)) = msi_endpoint.as_deref().zip(system.secret_setting("MSI_SECRET")) {
            service_endpoint::machine_learning(system, &metadata::address("MSI_ENDPOINT", endpoint)?, &secret)?
        } else if let Some(endpoint) = msi_endpoint.as_deref() {
            service_endpoint::cloud_shell(system, &metadata::address("MSI_ENDPOINT", endpoint)?)?
        } else {
            imds::token(system)?
        };
        Ok(match attempt {
            Attempt::Token(token) => Attempt::Token(Grant::Bearer(token)),
            Attempt::NotConfigured(why) => Attempt::NotConfigured(why),
        })
    }
}

/// Adds the API version, the resource and, if one is chosen, the identity.
fn with_query(endpoint: &Url, version: &str, client: Option<(&str, String)>) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", AZURE_DEVOPS);
    if let Some((name, id)) = client {
        url.query_pairs_mut().append_pair(name, &id);
    }
    url
}

/// The user-assigned identity in AZURE_CLIENT_ID; without it the system-assigned one serves.
fn client_id(system: &dyn System) -> Option<String> {
    system.setting(CLIENT_VARIABLE)
}
