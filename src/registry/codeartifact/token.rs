//! The request for a token: GetAuthorizationToken.
//! <https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAuthorizationToken.html>

use url::Url;

use super::domain::Domain;
use crate::{
    auth::access_token::AccessToken,
    aws::{client::Client, endpoint::Api, keys::Keys},
    error::Result,
    system::System,
};

/// The service.
pub(super) static API: Api = Api {
    signing_name: "codeartifact",
    host: "codeartifact",
    endpoint_variable: "AWS_ENDPOINT_URL_CODEARTIFACT",
    services_key: "codeartifact",
};

/// The URL of the request, without its query.
pub(super) fn url(client: &Client, domain: &Domain) -> Result<Url> {
    if domain.is_dual_stack { client.dual_stack_url(&API, &domain.region) } else { client.url(&API, &domain.region) }
}

/// Asks for a token of a domain that lives for `duration` seconds.
pub(super) fn request(
    system: &dyn System,
    client: &Client,
    keys: &Keys,
    domain: &Domain,
    duration: u32,
) -> Result<AccessToken> {
    let _ = (system, url(client, domain)?, keys, duration);
    todo!()
}
