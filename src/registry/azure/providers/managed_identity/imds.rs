//! The metadata service of virtual machines.

use std::time::Duration;

use log::debug;
use url::Url;

use super::{client_id, with_query};
use crate::{
    auth::{access_token::AccessToken, chain::Attempt, oauth},
    error::{Error, Kind, Result},
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The link-local address of the service, the same on every machine of Azure.
const ADDRESS: &str = "http://169.254.169.254/";

/// Replaces the address, as in Azure's own SDKs.
const ADDRESS_VARIABLE: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// Outside Azure nobody answers at the address: a second is enough to see that.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// How long an answer may take once somebody is there.
const LIMIT: Duration = Duration::from_secs(10);

/// How long an upgrade of the service lasts.
const UPGRADE: Duration = Duration::from_secs(70);

/// The pause after an answer that says "not yet".
const PAUSE: Duration = Duration::from_millis(500);

/// What the service answers with while it starts or is upgraded.
fn is_transient(status: u16) -> bool {
    matches!(status, 404 | 410 | 429 | 500..=599)
}

/// How many times the service is asked while it starts or is upgraded.
const ATTEMPTS: u32 = 5;

pub(super) fn token(system: &dyn System) -> Result<Attempt<AccessToken>> {
    let base = match system.setting(ADDRESS_VARIABLE) {
        Some(value) => super::parse(ADDRESS_VARIABLE, &value)?,
        None => Url::parse(ADDRESS).map_err(|_| Error::new(Kind::Internal, "the metadata address is not a URL"))?,
    };
    let endpoint = base
        .join("/metadata/identity/oauth2/token")
        .map_err(|_| Error::new(Kind::Configuration, format!("{ADDRESS_VARIABLE} cannot have a path below it")))?;
    let url = with_query(&endpoint, "2018-02-01", client_id(system).map(|id| ("client_id", id)));
    let request = Request::get(url).header("Metadata", "true").over_metadata().with_limits(PROBE_LIMIT, LIMIT);

    // The probe is the request itself: if somebody answers, it has been made already.
    system.check()?;
    let first = system.send(&request).or_else(|failure| {
        if !failure.connection_lost || system.pause(PAUSE).is_err() {
            return Err(failure);
        }
        debug!("managed_identity: {}, asking again", failure.error.message());
        system.send(&request)
    });
    let first = match first {
        Ok(response) => response,
        // Somebody is there and sends what cannot be read.
        Err(failure) if failure.error.kind() == Kind::Protocol => return Err(failure.error),
        Err(failure) => {
            debug!("managed_identity: {}", failure.error.message());
            return Ok(Attempt::not_configured("no metadata service here"));
        }
    };
    let response = if is_transient(first.status) { insist(system, &request, first)? } else { first };
    match response.status {
        // Docker Desktop's stand-in for the service answers so.
        403 => Ok(Attempt::not_configured("the metadata service here has no identities")),
        400 => Ok(Attempt::not_configured(match client_id(system) {
            Some(_) => "the machine has no identity with the id in AZURE_CLIENT_ID",
            None => "the machine has no identity, or several: AZURE_CLIENT_ID chooses one",
        })),
        _ => oauth::read_token(system, &response, &[]).map(Attempt::Token),
    }
}

/// Asks again while the service is about to come: the usual retries, and for as long as an upgrade
/// lasts, which it tells by 410.
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
