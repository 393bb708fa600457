//! Errors of failed requests, with advice for the user.

use std::io;

use rustls::CertificateError;
use ureq::Timeout;

use super::{MAX_HEADER, connector::AtProxy, resolver::Unresolved};
use crate::{
    error::{Error, Kind, quote},
    system::{
        http::{BODY_CAP, Failure, Request},
        io_message,
        os::{no_thread, proxy::ProxyChoice, shortage},
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

/// Advice for a proxy that is addressed by https.
const CHECK_SCHEME: &str = "if the proxy itself speaks no TLS, write its address as http://HOST:PORT";

/// Turns ureq's error into one for the user.
pub(super) fn explain(error: ureq::Error, request: &Request, proxy: &ProxyChoice) -> Failure {
    let host = request.host();
    match error {
        ureq::Error::Other(other) => match other.downcast::<AtProxy>() {
            Ok(at_proxy) => {
                Explainer { peer: format!("the proxy for {host}"), is_proxy: true, host, proxy }.explain(at_proxy.0)
            }
            Err(other) => Explainer::of_host(host, proxy).explain(ureq::Error::Other(other)),
        },
        error => Explainer::of_host(host, proxy).explain(error),
    }
}

/// A connection, to the host or to its proxy.
struct Explainer<'all> {
    /// The other end, in words.
    peer: String,
    is_proxy: bool,
    host: &'all str,
    proxy: &'all ProxyChoice,
}

impl<'all> Explainer<'all> {
    fn of_host(host: &'all str, proxy: &'all ProxyChoice) -> Self {
        Self { peer: host.to_owned(), is_proxy: false, host, proxy }
    }

    fn explain(&self, error: ureq::Error) -> Failure {
        let Self { peer, host, proxy, .. } = self;
        let check_network = check_network(proxy);
        let (kind, message, hint, transient) = match error {
            ureq::Error::Io(error) => return self.explain_io(&error),
            ureq::Error::Rustls(error) => return self.explain_tls(&error),
            ureq::Error::Other(error) => match error.downcast::<Unresolved>() {
                Ok(unresolved) => return self.explain_name(&unresolved),
                Err(_) => (Kind::Network, format!("the request to {host} failed"), check_network, false),
            },
            ureq::Error::Timeout(Timeout::Resolve) => {
                (Kind::Timeout, format!("the name {host} was not resolved in time"), check_network, true)
            }
            ureq::Error::Timeout(Timeout::Connect) => {
                (Kind::Timeout, format!("connecting to {peer} took too long"), check_network, true)
            }
            ureq::Error::Timeout(_) => (Kind::Timeout, format!("{host} did not answer in time"), TRY_AGAIN, true),
            ureq::Error::HostNotFound => {
                (Kind::Network, format!("the name of {peer} cannot be resolved"), check_network, true)
            }
            ureq::Error::ConnectionFailed => (Kind::Network, format!("cannot connect to {peer}"), check_network, true),
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
                let message = format!("{host} sent a header of more than {} KiB", MAX_HEADER / 1024);
                (Kind::Protocol, message, TRY_AGAIN, false)
            }
            ureq::Error::Protocol(_) => {
                (Kind::Protocol, format!("{host} sent an invalid HTTP response"), TRY_AGAIN, true)
            }
            ureq::Error::Tls(what) => (Kind::Network, format!("TLS with {peer} failed: {what}"), check_network, false),
            _ => (Kind::Network, format!("the request to {host} failed"), check_network, false),
        };
        Failure { error: Error::new(kind, message).with_hint(hint), transient, connection_lost: false }
    }

    /// A name that has no address: that of the host, or of its proxy.
    fn explain_name(&self, unresolved: &Unresolved) -> Failure {
        let error = match unresolved {
            Unresolved::NoThread(error) => no_thread(error),
            Unresolved::Unknown { reason, .. } if shortage::is_of_files(reason) => self.too_many_files(),
            Unresolved::Unknown { name, reason } => {
                let what = if name == self.host { "the name" } else { "the name of the proxy" };
                // The standard library puts its own words before those of the system.
                let reason = reason.to_string().replace("failed to lookup address information: ", "");
                let reason = io_message(&io::Error::other(reason));
                let message = format!("{what} {name} cannot be resolved ({})", quote(&reason, &[]));
                Error::new(Kind::Network, message).with_hint(check_network(self.proxy))
            }
        };
        Failure { error, transient: true, connection_lost: false }
    }

    fn too_many_files(&self) -> Error {
        let message = format!("too many files are open: no connection to {} can be opened", self.peer);
        Error::new(Kind::Network, message).with_hint(shortage::CLOSE_FILES)
    }

    fn explain_io(&self, error: &io::Error) -> Failure {
        let Self { host, proxy, .. } = self;
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return self.explain_tls(tls);
        }
        // ureq connects to a SOCKS proxy without `AtProxy`; what the system says is then about the proxy.
        let is_socks = error.raw_os_error().is_some() && proxy.proxy().is_some_and(|url| url.starts_with("socks"));
        let peer = if is_socks { format!("the proxy for {host}") } else { self.peer.clone() };
        let (kind, message) = match error.kind() {
            _ if shortage::is_of_files(error) => {
                return Failure { error: self.too_many_files(), transient: true, connection_lost: false };
            }
            io::ErrorKind::ConnectionRefused => (Kind::Network, format!("{peer} refused the connection")),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
                (Kind::Network, format!("the network is unreachable: no connection to {peer}"))
            }
            io::ErrorKind::HostUnreachable => (Kind::Network, format!("there is no route to {peer}")),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                (Kind::Timeout, format!("{host} did not answer in time"))
            }
            // The text of an error of a library may hold a secret.
            kind => {
                let known = error.raw_os_error().map_or_else(|| kind.into(), io::Error::from_raw_os_error);
                (Kind::Network, format!("the connection to {peer} broke: {}", io_message(&known)))
            }
        };
        let connection_lost = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        );
        let error = Error::new(kind, message).with_hint(check_network(proxy));
        Failure { error, transient: true, connection_lost }
    }

    fn explain_tls(&self, error: &rustls::Error) -> Failure {
        let peer = &self.peer;
        let (message, hint) = match error {
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => (
                format!("the certificate of {peer} has expired or is not yet valid"),
                "check this machine's clock; if it is right, the certificate of the host or of a proxy must be renewed",
            ),
            rustls::Error::InvalidCertificate(reason) => (
                format!("the certificate of {peer} is not trusted: {}", quote(&reason.to_string(), &[])),
                if self.is_proxy {
                    "name the CA file of the proxy in REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
                } else {
                    "behind a proxy that inspects TLS, name its CA file in REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
                },
            ),
            other => (
                format!("TLS with {peer} failed: {}", quote(&other.to_string(), &[])),
                if self.is_proxy { CHECK_SCHEME } else { check_network(self.proxy) },
            ),
        };
        Failure { error: Error::new(Kind::Network, message).with_hint(hint), transient: false, connection_lost: false }
    }
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

    /// A host, a proxy of each kind, and what becomes of an error of the connection to each.
    fn message(error: ureq::Error, proxy: Option<&str>) -> String {
        let request = Request::get(Url::parse("https://host.example/").unwrap());
        let proxy = proxy.map_or(ProxyChoice::Direct, |url| ProxyChoice::Variable("HTTPS_PROXY", url.to_owned()));
        explain(error, &request, &proxy).error.to_string()
    }

    fn at_proxy(error: ureq::Error) -> ureq::Error {
        ureq::Error::Other(Box::new(AtProxy(error)))
    }

    fn unresolved(name: &str, reason: io::Error) -> ureq::Error {
        Unresolved::Unknown { name: name.to_owned(), reason }.into()
    }

    #[test]
    fn errors_of_the_host_and_of_its_proxy_are_told_apart() {
        const PROXY: Option<&str> = Some("http://proxy.example:3128");
        let io = |kind: io::ErrorKind| ureq::Error::Io(kind.into());
        let untrusted =
            || ureq::Error::Io(io::Error::other(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)));
        let unknown = || io::Error::other("failed to lookup address information: Name not known");
        for (error, proxy, start) in [
            (unresolved("host.example", unknown()), None, "the name host.example cannot be resolved (name not known)"),
            (unresolved("proxy.example", unknown()), PROXY, "the name of the proxy proxy.example cannot be resolved ("),
            (io(io::ErrorKind::ConnectionRefused), None, "host.example refused the connection"),
            (
                at_proxy(io(io::ErrorKind::ConnectionRefused)),
                PROXY,
                "the proxy for host.example refused the connection",
            ),
            (io(io::ErrorKind::NetworkUnreachable), None, "the network is unreachable: no connection to host.example"),
            (at_proxy(io(io::ErrorKind::HostUnreachable)), PROXY, "there is no route to the proxy for host.example"),
            (untrusted(), PROXY, "the certificate of host.example is not trusted: "),
            (at_proxy(untrusted()), PROXY, "the certificate of the proxy for host.example is not trusted: "),
            (
                at_proxy(ureq::Error::Rustls(rustls::Error::HandshakeNotComplete)),
                PROXY,
                "TLS with the proxy for host.example failed: ",
            ),
            (at_proxy(ureq::Error::Timeout(Timeout::Connect)), PROXY, "connecting to the proxy for host.example took"),
        ] {
            let message = message(error, proxy);
            assert!(message.starts_with(start), "{message}");
        }
        assert!(
            message(at_proxy(ureq::Error::Tls("x")), Some("https://proxy.example")).contains("HTTPS_PROXY")
                && message(at_proxy(ureq::Error::Rustls(rustls::Error::HandshakeNotComplete)), PROXY)
                    .ends_with("write its address as http://HOST:PORT")
        );
    }

    #[cfg(unix)]
    #[test]
    fn system_errors_with_a_socks_proxy_are_about_the_proxy() {
        let refused = || ureq::Error::Io(rustix::io::Errno::CONNREFUSED.into());
        assert!(message(refused(), Some("socks5h://proxy.example")).starts_with("the proxy for host.example refused"));
        assert!(message(refused(), Some("http://proxy.example")).starts_with("host.example refused"));
    }

    #[cfg(unix)]
    #[test]
    fn limits_and_errors_without_a_name_read_as_what_they_are() {
        use rustix::io::Errno;
        let too_many = "too many files are open: no connection to host.example can be opened; close other programs";
        for (error, start) in [
            (ureq::Error::Io(Errno::MFILE.into()), too_many),
            (unresolved("host.example", Errno::NFILE.into()), too_many),
            (Unresolved::NoThread(Errno::AGAIN.into()).into(), "no thread can be started: the limit on processes"),
            (ureq::Error::Io(Errno::PROTO.into()), "the connection to host.example broke: protocol error; "),
            (
                ureq::Error::Io(io::Error::from_raw_os_error(i32::MAX).kind().into()),
                "the connection to host.example broke: an error that the operating system does not explain; ",
            ),
            (ureq::Error::Io(io::Error::other("x-secret")), "the connection to host.example broke: other error; "),
        ] {
            let message = message(error, None);
            assert!(message.starts_with(start), "{message}");
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
