//! The public client that people sign in to, and the tenant.

use crate::{
    error::{Error, Kind, Result},
    registry::azure::{
        credprovider,
        entra::{AZURE_DEVOPS, Tenant},
        is_guid,
    },
    system::System,
};

/// "Azure Artifacts", the client of artifacts-credprovider. Its refresh tokens, unlike those of the Azure CLI, are not meant
/// for all of Azure.
const AZURE_ARTIFACTS: &str = "d5a56ea4-7369-46b8-a538-c370805301bf";

/// Names another client.
const VARIABLE: &str = "RINGBEARER_AZURE_LOGIN_CLIENT_ID";

/// The scope of every request: Azure DevOps, a refresh token and an ID token.
pub(super) fn scope() -> String {
    format!("{AZURE_DEVOPS}/.default offline_access openid profile")
}

/// The application ID of the client.
pub(in crate::registry::azure) fn id(system: &dyn System) -> Result<String> {
    match system.setting(VARIABLE) {
        None => Ok(AZURE_ARTIFACTS.to_owned()),
        Some(id) if is_guid(&id) => Ok(id.to_ascii_lowercase()),
        Some(_) => Err(Error::new(Kind::Configuration, format!("{VARIABLE} is not the GUID of an application"))
            .with_hint(format!("correct or unset {VARIABLE}"))),
    }
}

/// The tenant of the feed, or the one that a variable of artifacts-credprovider names, with its login host.
pub(in crate::registry::azure) fn tenant(system: &dyn System, of_feed: &Tenant) -> Result<Tenant> {
    let Some((name, value)) = credprovider::login_authority(system) else { return Ok(of_feed.clone()) };
    Tenant::from_authorization_uri(&value).map_err(|_| {
        Error::new(Kind::Configuration, format!("{name} is not a tenant at a login host of Microsoft"))
            .with_hint(format!("correct or unset {name}; it looks like {}", of_feed.authorization_uri()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn the_client_is_a_guid() {
        assert_eq!(id(&FakeSystem::default()).unwrap(), AZURE_ARTIFACTS);
        let own = "872CD9FA-D31F-45E0-9EAB-6E460A02D1F1";
        assert_eq!(id(&FakeSystem::default().variable(VARIABLE, own)).unwrap(), own.to_ascii_lowercase());
        for value in ["azure", "d5a56ea4-7369-46b8-a538-c370805301b", "d5a56ea4-7369-46b8-a538-c370805301b&"] {
            let error = id(&FakeSystem::default().variable(VARIABLE, value)).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration, "{value}");
        }
    }

    #[test]
    fn an_authority_is_a_tenant_at_a_login_host() {
        let feed = Tenant::new("contoso.example").unwrap();
        let with =
            |value| tenant(&FakeSystem::default().variable("NUGET_CREDENTIALPROVIDER_MSAL_AUTHORITY", value), &feed);
        assert_eq!(with(" ").unwrap(), feed);
        let other = with("https://login.microsoftonline.us/fabrikam.example").unwrap();
        assert_eq!((other.id.as_str(), other.login_host), ("fabrikam.example", "login.microsoftonline.us"));
        for value in ["https://login.example/t", "http://login.microsoftonline.com/t", "contoso.example"] {
            assert_eq!(with(value).unwrap_err().kind(), Kind::Configuration, "{value}");
        }
    }
}
