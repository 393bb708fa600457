//! HTTP over ureq and rustls.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use log::debug;
use rustls::CertificateError;
use ureq::{Agent, AsSendBody, Body, Proxy, Timeout, config::Config, http, tls::TlsConfig};
use zeroize::Zeroizing;

use super::{Environment, OsSystem, proxy, trust::TrustStore};
use crate::{
    error::{Error, Kind, Result, quote},
    system::{
        Clock, Http,
        http::{BODY_CAP, CONNECT_LIMIT, Failure, Method, REQUEST_LIMIT, Request, Response, Route, is_loopback},
    },
};

/// The User-Agent header.
const USER_AGENT: &str = concat!("ringbearer/", env!("CARGO_PKG_VERSION"));

/// The size of each of a connection's two buffers. ureq zeroes them for every connection, and its default size took a
/// fifth of a lookup; a header with a bearer token, up to about 16 KiB, must fit.
const BUFFER: usize = 32 * 1024;

/// The largest response header accepted; it must fit in the buffer.
const MAX_HEADER: usize = 24 * 1024;

/// The connection pools of the process: an agent per combination of proxy and trust store, created on first use.
#[derive(Default)]
pub(crate) struct Network {
    agents: Mutex<HashMap<(Option<String>, TrustStore), Agent>>,
    /// Set once the platform verifier succeeded where the CA bundle failed.
    is_wide: AtomicBool,
}

impl Network {
    /// Sends one request once.
    fn send(
        &self,
        environment: &Environment,
        request: &Request,
        remaining: Duration,
    ) -> std::result::Result<Response, Failure> {
        let lasting = |error| Failure { error, transient: false, connection_lost: false };
        check_route(request).map_err(lasting)?;
        let trust = TrustStore::from_environment(environment);
        let wider = trust.wider();
        let is_wide = wider.is_some() && self.is_wide.load(Ordering::Relaxed);
        let trust = if is_wide { TrustStore::Platform } else { trust };
        let agent = self.agent(environment, request, trust).map_err(lasting)?;
        let start = Instant::now();
        let mut result = send_with(&agent, request, remaining);
        // Certificates are checked before the request is sent, so that it can be sent again.
        if let (Err(error), Some(wider), false) = (&result, wider, is_wide)
            && is_certificate_error(error)
        {
            debug!("the system's CA bundle does not cover the certificate of {}", request.host());
            let agent = self.agent(environment, request, wider).map_err(lasting)?;
            result = send_with(&agent, request, remaining.saturating_sub(start.elapsed()));
            self.is_wide.fetch_or(result.is_ok(), Ordering::Relaxed);
        }
        let result = result.map_err(|error| explain(error, request));
        match &result {
            Ok(response) => debug!(
                "{} {} answered {} in {} ms",
                name(request.method),
                request.display_url(),
                response.status,
                start.elapsed().as_millis()
            ),
            Err(failure) => debug!(
                "{} {} failed after {} ms: {}",
                name(request.method),
                request.display_url(),
                start.elapsed().as_millis(),
                failure.error.message()
            ),
        }
        result
    }

    fn agent(&self, environment: &Environment, request: &Request, trust: TrustStore) -> Result<Agent> {
        let proxy = match request.route {
            // A proxy would connect to its own loopback address, and see http in the clear.
            Route::Internet if !is_loopback(&request.url) => proxy::for_host(environment, request.host()),
            Route::Internet | Route::Metadata => None,
        };
        let key = (proxy.as_ref().map(|(_, url)| url.clone()), trust);
        let agents = || self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents().get(&key) {
            return Ok(agent.clone());
        }
        let proxy = proxy
            .map(|(variable, url)| {
                Some(&url).filter(|url| proxy::is_url(url)).and_then(|url| Proxy::new(url).ok()).ok_or_else(|| {
                    // The URL may hold a password: name the variable, not its value.
                    Error::new(Kind::Configuration, format!("{variable} is not the URL of a proxy"))
                        .with_hint(format!("write {variable} as http://HOST:PORT"))
                })
            })
            .transpose()?;
        // Loaded without the lock, since files may be slow. If two threads get here at once, the first agent stays.
        let agent = new_agent(proxy, key.1.load()?);
        Ok(agents().entry(key).or_insert(agent).clone())
    }
}

impl Http for OsSystem {
    fn send(&self, request: &Request) -> std::result::Result<Response, Failure> {
        self.network.send(&self.environment, request, self.remaining())
    }
}

/// Allows plain http only to this machine and its metadata services.
fn check_route(request: &Request) -> Result<()> {
    let allowed = request.url.scheme() == "https"
        || (request.url.scheme() == "http" && (request.route == Route::Metadata || is_loopback(&request.url)));
    if allowed {
        Ok(())
    } else {
        Err(Error::new(Kind::Configuration, format!("requests to {} must use https", request.host())))
    }
}

fn new_agent(proxy: Option<Proxy>, trusted: ureq::tls::RootCerts) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(trusted)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .proxy(proxy)
        .tls_config(tls)
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_resolve(Some(CONNECT_LIMIT))
        .timeout_global(Some(REQUEST_LIMIT))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_response_header_size(MAX_HEADER)
        .build()
        .new_agent()
}

/// Whether a certificate was rejected.
fn is_certificate_error(error: &ureq::Error) -> bool {
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

fn send_with(agent: &Agent, request: &Request, remaining: Duration) -> std::result::Result<Response, ureq::Error> {
    let head = http::Request::builder().method(name(request.method)).uri(request.url.as_str());
    let head = request.headers.iter().fold(head, |head, (name, value)| head.header(*name, value.expose()));
    let mut response = match request.method {
        Method::Get => run(agent, head.body(())?, request, remaining)?,
        Method::Post => run(agent, head.body(&request.body[..])?, request, remaining)?,
    };
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response.body_mut().with_config().limit(BODY_CAP as u64).read_to_vec()?;
    Ok(Response {
        status: response.status().as_u16(),
        headers,
        body: Zeroizing::new(body),
        host: request.host().to_owned(),
    })
}

/// Runs a request within its limits. The agent's limits serve where they fit, because ureq rebuilds the TLS settings for
/// every request with settings of its own.
fn run(
    agent: &Agent,
    message: http::Request<impl AsSendBody>,
    request: &Request,
    remaining: Duration,
) -> std::result::Result<http::Response<Body>, ureq::Error> {
    let limit = request.limit.min(remaining);
    if limit >= REQUEST_LIMIT && request.connect_limit >= CONNECT_LIMIT {
        return agent.run(message);
    }
    let connect_limit = request.connect_limit.min(limit);
    let narrowed = agent
        .configure_request(message)
        .timeout_connect(Some(connect_limit))
        .timeout_resolve(Some(connect_limit))
        .timeout_global(Some(limit))
        .build();
    agent.run(narrowed)
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

/// Advice for a failure of the network.
const CHECK_NETWORK: &str = "check HTTPS_PROXY, NO_PROXY, the firewall and the VPN";

/// Advice for an invalid response.
const TRY_AGAIN: &str = "try again later; a captive portal or a proxy may answer for the host";

/// Turns ureq's error into one for the user.
fn explain(error: ureq::Error, request: &Request) -> Failure {
    let host = request.host();
    let (kind, message, hint, transient) = match error {
        ureq::Error::Io(error) => return explain_io(&error, host),
        ureq::Error::Rustls(error) => return explain_tls(&error, host),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            (Kind::Timeout, format!("connecting to {host} took too long"), CHECK_NETWORK, true)
        }
        ureq::Error::Timeout(_) => (Kind::Timeout, format!("{host} did not answer in time"), TRY_AGAIN, true),
        ureq::Error::HostNotFound => {
            (Kind::Network, format!("the name {host}, or that of its proxy, cannot be resolved"), CHECK_NETWORK, true)
        }
        ureq::Error::ConnectionFailed => (Kind::Network, format!("cannot connect to {host}"), CHECK_NETWORK, true),
        ureq::Error::ConnectProxyFailed(status) => (
            Kind::Network,
            format!("the proxy refused to connect to {host} ({})", quote(&status, &[])),
            if status.contains("407") {
                "check HTTPS_PROXY, and the user name and password in it"
            } else {
                CHECK_NETWORK
            },
            ["502", "503", "504"].iter().any(|transient| status.contains(transient)),
        ),
        ureq::Error::BodyExceedsLimit(_) => {
            (Kind::Protocol, format!("{host} sent more than {} KiB", BODY_CAP / 1024), TRY_AGAIN, false)
        }
        ureq::Error::LargeResponseHeader(..) => {
            (Kind::Protocol, format!("{host} sent a header of more than {} KiB", MAX_HEADER / 1024), TRY_AGAIN, false)
        }
        ureq::Error::Protocol(_) => (Kind::Protocol, format!("{host} sent an invalid HTTP response"), TRY_AGAIN, true),
        ureq::Error::Tls(what) => (Kind::Network, format!("TLS with {host} failed: {what}"), CHECK_NETWORK, false),
        _ => (Kind::Network, format!("the request to {host} failed"), CHECK_NETWORK, false),
    };
    Failure { error: Error::new(kind, message).with_hint(hint), transient, connection_lost: false }
}

fn explain_io(error: &io::Error, host: &str) -> Failure {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return explain_tls(tls, host);
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
    Failure { error: Error::new(kind, message).with_hint(CHECK_NETWORK), transient: true, connection_lost }
}

fn explain_tls(error: &rustls::Error, host: &str) -> Failure {
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
        other => (format!("TLS with {host} failed: {}", quote(&other.to_string(), &[])), CHECK_NETWORK),
    };
    Failure { error: Error::new(Kind::Network, message).with_hint(hint), transient: false, connection_lost: false }
}
