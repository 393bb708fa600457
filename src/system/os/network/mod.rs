//! HTTP over ureq and rustls.

mod ahead;
mod connector;
mod explain;
mod resolver;

use std::{
    collections::HashMap,
    env::consts::{ARCH, OS},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use log::debug;
use ureq::{Agent, AsSendBody, Body, Proxy, config::Config, http, tls::TlsConfig};
use url::Url;
use zeroize::Zeroizing;

pub(super) use self::ahead::Opening;
use self::{
    ahead::{AheadAgent, IDLE_LIMIT},
    connector::AtProxy,
    explain::explain,
};
use super::{
    Environment, OsSystem,
    proxy::{self, ProxyChoice, SystemProxy},
    trust::TrustStore,
};
use crate::{
    error::{Error, Kind, Result},
    system::{
        Clock, Http,
        http::{
            BODY_CAP, CONNECT_LIMIT, CaBundle, Failure, Method, REQUEST_LIMIT, Request, Response, Route, is_loopback,
        },
    },
};

/// The User-Agent header: `ringbearer/0.1.0 (Linux; x86_64)`.
fn user_agent() -> String {
    let system = match OS {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    };
    format!("ringbearer/{} ({system}; {ARCH})", env!("CARGO_PKG_VERSION"))
}

/// The size of each of a connection's two buffers. ureq zeroes them for every connection, and its default size took a
/// fifth of a lookup; a header with a bearer token, up to about 16 KiB, must fit.
const BUFFER: usize = 32 * 1024;

/// The largest response header accepted; it must fit in the buffer.
const MAX_HEADER: usize = 24 * 1024;

/// The most connections of a lookup that are open ahead: a login host and a token authority.
const MAX_AHEAD: usize = 2;

/// The connection pools of the process: an agent per combination of proxy and trust store, created on first use.
#[derive(Default)]
pub(crate) struct Network {
    agents: Mutex<HashMap<(Option<String>, TrustStore), AheadAgent>>,
    /// Set once the platform verifier succeeded where the CA bundle failed.
    is_wide: AtomicBool,
}

impl Network {
    /// Sends one request once. `system_proxy` is read at most once for a lookup.
    fn send(
        &self,
        environment: &Environment,
        system_proxy: &OnceLock<SystemProxy>,
        request: &Request,
        remaining: Duration,
    ) -> std::result::Result<Response, Failure> {
        let lasting = |error| Failure { error, transient: false, connection_lost: false };
        check_route(request).map_err(lasting)?;
        let proxy = match request.route {
            Route::Internet => choose_proxy(&request.url, environment, system_proxy),
            Route::Metadata => ProxyChoice::Direct,
        };
        let trust = TrustStore::of(request.ca_bundle.as_ref(), environment);
        let wider = trust.wider();
        let is_wide = wider.is_some() && self.is_wide.load(Ordering::Relaxed);
        let trust = if is_wide { TrustStore::Platform } else { trust };
        let agent = self.agent(&proxy, trust).map_err(lasting)?;
        let start = Instant::now();
        let mut result = send_with(&agent, request, remaining);
        // Certificates are checked before the request is sent, so that it can be sent again.
        if let (Err(error), Some(wider), false) = (&result, wider, is_wide)
            && is_certificate_error(error)
        {
            debug!("the system's CA bundle does not cover the certificate of {}", request.host());
            let agent = self.agent(&proxy, wider).map_err(lasting)?;
            result = send_with(&agent, request, remaining.saturating_sub(start.elapsed()));
            self.is_wide.fetch_or(result.is_ok(), Ordering::Relaxed);
        }
        let result = result.map_err(|error| explain(error, request, &proxy));
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

    /// Starts to open a connection to the host of a URL.
    fn open_ahead(
        &self,
        environment: &Environment,
        system_proxy: &OnceLock<SystemProxy>,
        url: &Url,
        ca_bundle: Option<&CaBundle>,
    ) -> Option<Opening> {
        check_route(&Request::get(url.clone())).ok()?;
        #[cfg(windows)]
        start_winsock();
        let proxy = choose_proxy(url, environment, system_proxy);
        let trust = TrustStore::of(ca_bundle, environment);
        let is_wide = trust.wider().is_some() && self.is_wide.load(Ordering::Relaxed);
        let trust = if is_wide { TrustStore::Platform } else { trust };
        self.agent(&proxy, trust).ok()?.open(url.as_str())
    }

    fn agent(&self, proxy: &ProxyChoice, trust: TrustStore) -> Result<AheadAgent> {
        let key = (proxy.proxy().map(str::to_owned), trust);
        let agents = || self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents().get(&key) {
            return Ok(agent.clone());
        }
        let parse = |url: &str| Some(url).filter(|url| proxy::is_url(url)).and_then(|url| Proxy::new(url).ok());
        let proxy = match proxy {
            ProxyChoice::Variable(variable, url) => Some(parse(url).ok_or_else(|| {
                // The URL may hold a password: name the variable, not its value.
                Error::new(Kind::Configuration, format!("{variable} is not the URL of a proxy"))
                    .with_hint(format!("write {variable} as http://HOST:PORT"))
            })?),
            ProxyChoice::System(url) => {
                debug!("the proxy comes from the system's settings");
                parse(url)
            }
            ProxyChoice::Direct | ProxyChoice::DirectDespiteScript => None,
        };
        // Loaded without the lock, since files may be slow. If two threads get here at once, the first agent stays.
        let agent = new_agent(proxy, key.1.load()?);
        Ok(agents().entry(key).or_insert(agent).clone())
    }
}

impl Http for OsSystem {
    fn send(&self, request: &Request) -> std::result::Result<Response, Failure> {
        self.network.send(&self.environment, &self.system_proxy, request, self.remaining())
    }

    fn open_ahead(&self, url: &Url, ca_bundle: Option<&CaBundle>) {
        let opening = self.network.open_ahead(&self.environment, &self.system_proxy, url, ca_bundle);
        let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        openings.extend(opening);
        let obsolete = openings.len().saturating_sub(MAX_AHEAD);
        drop(openings.drain(..obsolete));
    }
}

/// Starts Winsock before threads use it at the same time: the standard library starts it in each of them and takes back all
/// starts but one, and Wine, which counts them without a lock, may then count none (error 10093).
#[cfg(windows)]
fn start_winsock() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| drop(std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))));
}

/// The proxy for requests to a URL.
fn choose_proxy(url: &Url, environment: &Environment, system_proxy: &OnceLock<SystemProxy>) -> ProxyChoice {
    match url.host_str() {
        // A proxy would connect to its own loopback address, and see http in the clear.
        Some(host) if !is_loopback(url) => {
            ProxyChoice::for_host(host, environment, || system_proxy.get_or_init(SystemProxy::read))
        }
        _ => ProxyChoice::Direct,
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

fn new_agent(proxy: Option<Proxy>, trusted: ureq::tls::RootCerts) -> AheadAgent {
    let tls = TlsConfig::builder()
        .root_certs(trusted)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(user_agent())
        .proxy(proxy)
        .tls_config(tls)
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_resolve(Some(CONNECT_LIMIT))
        .timeout_global(Some(REQUEST_LIMIT))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_response_header_size(MAX_HEADER)
        .max_idle_age(IDLE_LIMIT)
        .build();
    AheadAgent::new(config)
}

/// Whether a certificate was rejected.
fn is_certificate_error(error: &ureq::Error) -> bool {
    let error = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        ureq::Error::Other(error) => {
            return error.downcast_ref::<AtProxy>().is_some_and(|AtProxy(error)| is_certificate_error(error));
        }
        _ => None,
    };
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

fn send_with(agent: &AheadAgent, request: &Request, remaining: Duration) -> std::result::Result<Response, ureq::Error> {
    let authority = request.url.authority();
    let waited = agent.wait(authority, request.connect_limit.min(request.limit).min(remaining));
    let response = send_on(&agent.agent, request, remaining, waited)?;
    agent.answered(authority);
    Ok(response)
}

/// Sends a request that has waited for a connection.
fn send_on(
    agent: &Agent,
    request: &Request,
    remaining: Duration,
    waited: Duration,
) -> std::result::Result<Response, ureq::Error> {
    let head = http::Request::builder().method(name(request.method)).uri(request.url.as_str());
    let head = request.headers.iter().fold(head, |head, (name, value)| head.header(&**name, value.expose()));
    let mut response = match request.method {
        Method::Get => run(agent, head.body(())?, request, remaining, waited)?,
        Method::Post | Method::Put => run(agent, head.body(&request.body[..])?, request, remaining, waited)?,
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

/// Runs a request within its limits, of which `waited` is used up. The agent's limits serve where they fit, because ureq
/// rebuilds the TLS settings for every request with settings of its own.
fn run(
    agent: &Agent,
    message: http::Request<impl AsSendBody>,
    request: &Request,
    remaining: Duration,
    waited: Duration,
) -> std::result::Result<http::Response<Body>, ureq::Error> {
    let limit = request.limit.min(remaining).saturating_sub(waited);
    let connect_limit = request.connect_limit.saturating_sub(waited).min(limit);
    if limit >= REQUEST_LIMIT && connect_limit >= CONNECT_LIMIT {
        return agent.run(message);
    }
    if connect_limit.is_zero() {
        return Err(ureq::Error::Timeout(ureq::Timeout::Connect));
    }
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
        Method::Put => "PUT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_version_system_and_processor() {
        let expected = if cfg!(windows) {
            " (Windows; "
        } else if cfg!(target_os = "macos") {
            " (macOS; "
        } else {
            " ("
        };
        let agent = user_agent();
        assert!(
            agent.starts_with("ringbearer/") && agent.contains(expected) && agent.ends_with(&format!("; {ARCH})")),
            "{agent}"
        );
    }
}
