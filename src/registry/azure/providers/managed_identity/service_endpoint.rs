//! Platforms with an identity endpoint of their own: App Service, Functions and Container Apps, Azure Machine
//! Learning, the Cloud Shell.

use url::Url;

use super::{Client, with_query};
use crate::{
    auth::{access_token::AccessToken, chain::Attempt, metadata, oauth},
    error::Result,
    registry::azure::{entra::AZURE_DEVOPS, retries::attempts},
    secret::Secret,
    system::{System, http::Request, retry},
};

/// App Service, Functions, Container Apps.
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
pub(super) fn app_service(
    system: &dyn System,
    endpoint: &Url,
    header: &Secret,
    client: Option<&Client>,
) -> Result<Attempt<AccessToken>> {
    metadata::check_address("IDENTITY_ENDPOINT", endpoint)?;
    let url = with_query(endpoint, "2019-08-01", client.map(|client| ("client_id", client)));
    ask(system, Request::get(url).header("X-IDENTITY-HEADER", header.expose()), &[header.expose()])
}

/// Azure Machine Learning, which has an older API of App Service.
pub(super) fn machine_learning(
    system: &dyn System,
    endpoint: &Url,
    secret: &Secret,
    client: Option<&Client>,
) -> Result<Attempt<AccessToken>> {
    metadata::check_address("MSI_ENDPOINT", endpoint)?;
    let url = with_query(endpoint, "2017-09-01", client.map(|client| ("clientid", client)));
    ask(system, Request::get(url).header("secret", secret.expose()), &[secret.expose()])
}

/// The Cloud Shell, whose identity is the user's own.
pub(super) fn cloud_shell(
    system: &dyn System,
    endpoint: &Url,
    client: Option<&Client>,
) -> Result<Attempt<AccessToken>> {
    if let Some(client) = client {
        return Ok(client.unknown_to("the Cloud Shell"));
    }
    let fields = [("resource", AZURE_DEVOPS)];
    ask(system, Request::post_form(endpoint.clone(), &fields).header("Metadata", "true"), &[])
}

fn ask(system: &dyn System, request: Request, secrets: &[&str]) -> Result<Attempt<AccessToken>> {
    let response = retry::send(system, &request.over_metadata().with_attempts(attempts(system)))?;
    oauth::read_token(system, &response, secrets).map(Attempt::Token)
}
