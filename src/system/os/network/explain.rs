//! Errors of failed requests, with advice for the user.

use std::io;

use rustls::CertificateError;
use ureq::Timeout;

use super::MAX_HEADER;
use crate::{
    error::{Error, Kind, quote},
    system::{
        http::{BODY_CAP, Failure, Request},
        os::proxy::ProxyChoice,
    },
};

/// Advice for an invalid response.
const TRY_AGAIN: &str = "try again later; a captive portal or a proxy may answer for the host";

/// Advice for a failure of the network.
fn check_network(proxy: &ProxyChoice) -> &'static str {
    match proxy {
        ProxyChoice::DirectDespiteScript => {
            "the system's proxy script (PAC) is not evaluated: name the proxy in HTTPS_PROXY"
        }
        ProxyChoice::System(_) => "check the system's proxy settings, HTTPS_PROXY, NO_PROXY, the firewall and the VPN",
        ProxyChoice::Direct | ProxyChoice::Variable(..) => "check HTTPS_PROXY, NO_PROXY, the firewall and the VPN",
    }
}

/// Advice for a proxy that wants a login (HTTP 407).
fn check_proxy_login(proxy: &ProxyChoice) -> &'static str {
    match proxy {
        ProxyChoice::System(_) => {
            "set HTTPS_PROXY to the proxy of the system's settings with its login: http://USER:PASSWORD@HOST:PORT"
        }
        _ => "check HTTPS_PROXY, and the user name and password in it",
    }
}

/// Turns ureq's error into one for the user.
pub(super) fn explain(error: ureq::Error, request: &Request, proxy: &ProxyChoice) -> Failure {
    let check_network = check_network(proxy);
    let host = request.host();
    let (kind, message, hint, transient) = match error {
        ureq::Error::Io(error) => return explain_io(&error, host, check_network),
        ureq::Error::Rustls(error) => return explain_tls(&error, host, check_network),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            (Kind::Timeout, format!("connecting to {host} took too long"), check_network, true)
        }
        ureq::Error::Timeout(_) => (Kind::Timeout, format!("{host} did not answer in time"), TRY_AGAIN, true),
        ureq::Error::HostNotFound => {
            (Kind::Network, format!("the name {host}, or that of its proxy, cannot be resolved"), check_network, true)
        }
        ureq::Error::ConnectionFailed => (Kind::Network, format!("cannot connect to {host}"), check_network, true),
        ureq::Error::ConnectProxyFailed(status) => (
            Kind::Network,
            format!("the proxy refused to connect to {host} ({})", quote(&status, &[])),
            if status.contains("407") { check_proxy_login(proxy) } else { check_network },
            ["502", "503", "504"].iter().any(|transient| status.contains(transient)),
        ),
        ureq::Error::BodyExceedsLimit(_) => {
            (Kind::Protocol, format!("{host} sent more than {} KiB", BODY_CAP / 1024), TRY_AGAIN, false)
        }
        ureq::Error::LargeResponseHeader(..) => {
            (Kind::Protocol, format!("{host} sent a header of more than {} KiB", MAX_HEADER / 1024), TRY_AGAIN, false)
        }
        ureq::Error::Protocol(_) => (Kind::Protocol, format!("{host} sent an invalid HTTP response"), TRY_AGAIN, true),
        ureq::Error::Tls(what) => (Kind::Network, format!("TLS with {host} failed: {what}"), check_network, false),
        _ => (Kind::Network, format!("the request to {host} failed"), check_network, false),
    };
    Failure { error: Error::new(kind, message).with_hint(hint), transient, connection_lost: false }
}

fn explain_io(error: &io::Error, host: &str, check_network: &'static str) -> Failure {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return explain_tls(tls, host, check_network);
    }
    let (kind, message) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            (Kind::Network, format!("the connection to {host}, or to its proxy, was refused"))
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (Kind::Timeout, format!("{host} did not answer in time"))
        }
        other => (Kind::Network, format!("the connection to {host} broke: {other}")),
    };
    let connection_lost = matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    );
    Failure { error: Error::new(kind, message).with_hint(check_network), transient: true, connection_lost }
}

fn explain_tls(error: &rustls::Error, host: &str, check_network: &'static str) -> Failure {
    let (message, hint) = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => (
            format!("the certificate of {host} has expired or is not yet valid"),
            "check this machine's clock; if it is right, the certificate of the host or of a proxy must be renewed",
        ),
        rustls::Error::InvalidCertificate(reason) => (
            format!("the certificate of {host} is not trusted: {}", quote(&reason.to_string(), &[])),
            "behind a proxy that inspects TLS, name its CA file in REQUESTS_CA_BUNDLE or SSL_CERT_FILE",
        ),
        other => (format!("TLS with {host} failed: {}", quote(&other.to_string(), &[])), check_network),
    };
    Failure { error: Error::new(Kind::Network, message).with_hint(hint), transient: false, connection_lost: false }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn hint(error: ureq::Error, proxy: &ProxyChoice) -> String {
        let request = Request::get(Url::parse("https://host.example/").unwrap());
        explain(error, &request, proxy).error.hint().unwrap().to_owned()
    }

    #[test]
    fn the_hint_says_where_the_proxy_comes_from() {
        let script = ProxyChoice::DirectDespiteScript;
        let system = ProxyChoice::System("http://proxy:3128".to_owned());
        let variable = ProxyChoice::Variable("HTTPS_PROXY", "http://proxy:3128".to_owned());
        for (proxy, expected) in [
            (&script, "the system's proxy script (PAC) is not evaluated"),
            (&system, "check the system's proxy settings, HTTPS_PROXY"),
            (&variable, "check HTTPS_PROXY, NO_PROXY"),
            (&ProxyChoice::Direct, "check HTTPS_PROXY, NO_PROXY"),
        ] {
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            for error in [ureq::Error::ConnectionFailed, ureq::Error::HostNotFound, ureq::Error::Io(refused)] {
                let hint = hint(error, proxy);
                assert!(hint.starts_with(expected), "{proxy:?}: {hint}");
            }
        }
    }

    #[test]
    fn a_proxy_that_wants_a_login_gets_it_from_a_variable() {
        let refusal = || ureq::Error::ConnectProxyFailed("407 Proxy Authentication Required".to_owned());
        let system = ProxyChoice::System("http://proxy:3128".to_owned());
        assert!(hint(refusal(), &system).contains("http://USER:PASSWORD@HOST:PORT"));
        assert!(hint(refusal(), &ProxyChoice::Direct).starts_with("check HTTPS_PROXY, and the user name"));
    }
}
