//! The identity of the machine, from whichever service hands it out here.
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
//!
//! All of them answer on the machine itself or on a link-local address: no proxy ever lies in between.

mod arc;
mod imds;
mod service_endpoint;

use url::{Host, Url};

use super::{Grant, Tenant, ado_auth_helper};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::{Error, Kind, Result},
    registry::azure::entra::{AZURE_DEVOPS, CLIENT_VARIABLE},
    system::{System, http::is_loopback},
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

    /// Chooses the service by the variables that it sets, in the order of Azure's own SDKs.
    fn token(&self, system: &dyn System, _tenant: &Tenant) -> Result<Attempt<Grant>> {
        let identity_endpoint = system.setting("IDENTITY_ENDPOINT");
        let msi_endpoint = system.setting("MSI_ENDPOINT");
        let attempt = if let Some((endpoint, header)) =
            identity_endpoint.as_deref().zip(system.secret_setting("IDENTITY_HEADER"))
        {
            service_endpoint::app_service(system, &parse("IDENTITY_ENDPOINT", endpoint)?, &header)?
        } else if let Some(endpoint) =
            identity_endpoint.as_deref().filter(|_| system.setting("IMDS_ENDPOINT").is_some())
        {
            arc::token(system, &parse("IDENTITY_ENDPOINT", endpoint)?)?
        } else if let Some((endpoint, secret)) = msi_endpoint.as_deref().zip(system.secret_setting("MSI_SECRET")) {
            service_endpoint::machine_learning(system, &parse("MSI_ENDPOINT", endpoint)?, &secret)?
        } else if let Some(endpoint) = msi_endpoint.as_deref() {
            service_endpoint::cloud_shell(system, &parse("MSI_ENDPOINT", endpoint)?)?
        } else {
            imds::token(system)?
        };
        Ok(match attempt {
            Attempt::Token(token) => Attempt::Token(Grant::Bearer(token)),
            Attempt::NotConfigured(why) => Attempt::NotConfigured(why),
        })
    }
}

fn parse(variable: &str, value: &str) -> Result<Url> {
    Url::parse(value)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| Error::new(Kind::Configuration, format!("{variable} is not an http URL")))
}

/// The URL with the resource, the version of the interface and, where one is chosen, the identity.
fn with_query(endpoint: &Url, version: &str, client: Option<(&str, String)>) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", AZURE_DEVOPS);
    if let Some((name, id)) = client {
        url.query_pairs_mut().append_pair(name, &id);
    }
    url
}

/// The user-assigned identity that AZURE_CLIENT_ID chooses; without it the system-assigned one serves.
fn client_id(system: &dyn System) -> Option<String> {
    system.setting(CLIENT_VARIABLE)
}

/// A secret of a service on this machine must stay on this machine, or go over TLS.
fn check_endpoint(endpoint: &Url) -> Result<()> {
    let is_near = is_loopback(endpoint)
        || match endpoint.host() {
            Some(Host::Ipv4(address)) => address.is_link_local() || address.is_private(),
            Some(Host::Ipv6(address)) => address.is_unicast_link_local() || address.is_unique_local(),
            _ => false,
        };
    if endpoint.scheme() == "https" || is_near {
        Ok(())
    } else {
        Err(Error::new(Kind::Configuration, "the endpoint of the managed identity is neither local nor https"))
    }
}
