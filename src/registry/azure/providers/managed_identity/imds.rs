//! The metadata service of virtual machines.

use std::time::Duration;

use log::debug;
use url::Url;

use super::{Client, with_query};
use crate::{
    auth::{access_token::AccessToken, chain::Attempt, metadata, oauth},
    error::{Error, Kind, Result},
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The link-local address of the service, the same on every machine of Azure.
const ADDRESS: &str = "http://169.254.169.254/";

/// Overrides the address, as in Azure's own SDKs.
const ADDRESS_VARIABLE: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// The maximum duration of an upgrade of the service.
const UPGRADE: Duration = Duration::from_secs(70);

/// The pause after a status that means "not yet".
const PAUSE: Duration = Duration::from_millis(500);

/// Whether the service answers with this status while it starts or is upgraded.
fn is_transient(status: u16) -> bool {
    matches!(status, 404 | 410 | 429 | 500..=599)
}

/// The number of attempts while the service starts or is upgraded.
const ATTEMPTS: u32 = 5;

pub(super) fn token(system: &dyn System, client: Option<&Client>) -> Result<Attempt<AccessToken>> {
    let base = match system.setting(ADDRESS_VARIABLE) {
        Some(value) => metadata::address(ADDRESS_VARIABLE, &value)?,
        None => Url::parse(ADDRESS).map_err(|_| Error::new(Kind::Internal, "the metadata address is not a URL"))?,
    };
    let endpoint = base
        .join("/metadata/identity/oauth2/token")
        .map_err(|_| Error::new(Kind::Configuration, format!("{ADDRESS_VARIABLE} cannot have a path below it")))?;
    let url = with_query(&endpoint, "2018-02-01", client.map(|client| ("client_id", client)));
    let request = metadata::request(url).header("Metadata", "true");
    let Some(first) = metadata::probe(system, &request)? else {
        return Ok(Attempt::not_configured("no metadata service here"));
    };
    let response = if is_transient(first.status) { insist(system, &request, first)? } else { first };
    match response.status {
        // Docker Desktop's substitute for the service answers with this status.
        403 => Ok(Attempt::not_configured("the metadata service here has no identities")),
        400 => Ok(Attempt::not_configured(match client {
            Some(client) => format!("the machine has no identity with the id in {}", client.variable),
            None => "the machine has no identity, or several: AZURE_CLIENT_ID chooses one".to_owned(),
        })),
        _ => oauth::read_token(system, &response, &[]).map(Attempt::Token),
    }
}

/// Retries while the service starts, and as long as an upgrade lasts, which status 410 announces.
fn insist(system: &dyn System, request: &Request, first: Response) -> Result<Response> {
    let end = system.remaining().saturating_sub(UPGRADE);
    let mut response = first;
    loop {
        debug!("managed_identity: the metadata service answered {}, asking again", response.status);
        let pause = retry::retry_after(&response).unwrap_or(PAUSE);
        if pause >= system.remaining() {
            return Ok(response);
        }
        system.pause(pause)?;
        response = retry::send_while(system, &request.clone().with_attempts(ATTEMPTS), is_transient)?;
        if response.status != 410 || system.remaining() <= end {
            return Ok(response);
        }
    }
}
