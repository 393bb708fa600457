//! Services at link-local addresses that hand out the identity of a machine: requests never go through a proxy, and it is
//! found out quickly whether one is there.

use std::time::Duration;

use log::debug;
use url::{Host, Url};

use crate::{
    error::{Error, Kind, Result},
    system::{
        System,
        http::{Request, Response, is_loopback},
    },
};

/// The connect limit: outside the cloud, nothing answers at the address.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The limit of the request once a connection exists.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The pause before the second attempt at a connection that was lost.
const PAUSE: Duration = Duration::from_millis(500);

/// The address in an environment variable.
pub(crate) fn address(variable: &str, value: &str) -> Result<Url> {
    let url = Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Error::new(Kind::Configuration, format!("{variable} is not an http URL")))
}

/// Refuses an address that a secret of this machine must not be sent to: it has to stay near, or travel over TLS.
pub(crate) fn check_address(variable: &str, url: &Url) -> Result<()> {
    let is_near = is_loopback(url)
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_link_local() || address.is_private(),
            Some(Host::Ipv6(address)) => address.is_unicast_link_local() || address.is_unique_local(),
            _ => false,
        };
    if url.scheme() == "https" || is_near {
        return Ok(());
    }
    Err(Error::new(Kind::Configuration, format!("{variable} is neither a local address nor https")))
}

/// Sends a request to a service that may not be there; `None` if it is not. The probe is the request itself, so that an
/// answer costs no second one. A connection that was lost is tried twice.
pub(crate) fn probe(system: &dyn System, request: &Request) -> Result<Option<Response>> {
    system.check()?;
    let answer = system.send(request).or_else(|failure| {
        if !failure.connection_lost || system.pause(PAUSE).is_err() {
            return Err(failure);
        }
        debug!("{}, asking again", failure.error.message());
        system.send(request)
    });
    match answer {
        Ok(response) => Ok(Some(response)),
        // A service is there, and its answer cannot be read.
        Err(failure) if failure.error.kind() == Kind::Protocol => Err(failure.error),
        Err(failure) => {
            debug!("{}", failure.error.message());
            Ok(None)
        }
    }
}

/// A request with the limits of a [`probe`].
#[must_use]
pub(crate) fn request(url: Url) -> Request {
    Request::get(url).over_metadata().with_limits(PROBE_LIMIT, REQUEST_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        fake::FakeSystem,
        http::{Method, Route},
    };

    const URL: &str = "http://169.254.169.254/token";

    fn ask(fake: &FakeSystem) -> Result<Option<u16>> {
        probe(fake, &request(Url::parse(URL).unwrap())).map(|response| response.map(|response| response.status))
    }

    #[test]
    fn a_machine_without_the_service_is_no_error() {
        assert_eq!(ask(&FakeSystem::default().failure(Method::Get, URL, false)), Ok(None));
    }

    #[test]
    fn a_lost_connection_is_tried_again() {
        let fake = FakeSystem::default().failure(Method::Get, URL, true).answer(Method::Get, URL, 200, "");
        assert_eq!(ask(&fake), Ok(Some(200)));
        assert!(fake.requests().iter().all(|request| request.route == Route::Metadata));
    }

    #[test]
    fn secrets_go_to_near_addresses_or_over_tls() {
        let is_allowed = |url: &str| check_address("ENDPOINT", &address("ENDPOINT", url).unwrap()).is_ok();
        for url in [
            "http://127.0.0.1:41/x",
            "http://localhost/",
            "http://169.254.129.3/",
            "http://[fe80::1]/",
            "https://a.example/",
        ] {
            assert!(is_allowed(url), "{url}");
        }
        for url in ["http://192.0.2.1/", "http://a.example/", "http://127.0.0.1.example/"] {
            assert!(!is_allowed(url), "{url}");
        }
        assert!(address("ENDPOINT", "ftp://127.0.0.1/").is_err());
    }
}
