//! An application that authenticates with a secret.

use super::{Grant, Tenant};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::{Error, Kind, Result},
    registry::azure::entra::{CLIENT_VARIABLE, request_application_token},
    system::System,
};

/// The secret, as in Azure's own SDKs.
const SECRET_VARIABLE: &str = "AZURE_CLIENT_SECRET";

/// Whether an application and its secret are set.
pub(super) fn is_configured(system: &dyn System) -> bool {
    system.setting(CLIENT_VARIABLE).is_some() && system.secret_setting(SECRET_VARIABLE).is_some()
}

/// The provider.
pub(crate) struct ClientSecret;

impl TokenProvider<Tenant, Grant> for ClientSecret {
    fn name(&self) -> &'static str {
        "client_secret"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(SECRET_VARIABLE.into())
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let Some(secret) = system.secret_setting(SECRET_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {SECRET_VARIABLE}")));
        };
        let Some(client_id) = system.setting(CLIENT_VARIABLE) else {
            return Err(lacks_client_id(SECRET_VARIABLE));
        };
        let proof = [("client_secret", secret.expose())];
        let tenant = tenant.of_application(system)?;
        request_application_token(system, &tenant, &client_id, &proof).map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}

/// A secret or certificate without the application is a mistake, not an absence.
pub(super) fn lacks_client_id(given: &str) -> Error {
    Error::new(Kind::Configuration, format!("{given} is set and {CLIENT_VARIABLE} is not"))
        .with_hint(format!("set {CLIENT_VARIABLE} to the id of the application"))
}
