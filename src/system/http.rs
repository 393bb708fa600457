//! Requests and responses, as plain values.

use std::{fmt, time::Duration};

use serde::de::DeserializeOwned;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
};

/// How long a connection may take to be made, the name resolved and TLS agreed upon.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long one request may take from the first byte to the last.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// The most bytes a body may have. The largest real answer here, a token, has a few thousand.
pub(crate) const BODY_CAP: usize = 1024 * 1024;

/// GET or POST: nothing else is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

/// Which way a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Over https, through the proxy that the environment names.
    Internet,
    /// To a service of this machine or its hypervisor: http is allowed, a proxy is not.
    Metadata,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Request {
    /// GET or POST.
    pub(crate) method: Method,
    /// Where it goes. Its query may hold what must not be logged.
    pub(crate) url: Url,
    /// Names and values, in order. Any value may be secret.
    pub(crate) headers: Vec<(&'static str, Secret)>,
    /// The body of a POST.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Which way it goes.
    pub(crate) route: Route,
    /// The limit for the connection.
    pub(crate) connect_limit: Duration,
    /// The limit for the whole request.
    pub(crate) limit: Duration,
}

impl Request {
    /// A GET.
    #[must_use]
    pub(crate) fn get(url: Url) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: Vec::new(),
            body: Zeroizing::new(Vec::new()),
            route: Route::Internet,
            connect_limit: CONNECT_LIMIT,
            limit: REQUEST_LIMIT,
        }
    }

    /// A POST of a form (`application/x-www-form-urlencoded`).
    #[must_use]
    pub(crate) fn post_form(url: Url, fields: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(url, "application/x-www-form-urlencoded", form.into_bytes())
    }

    /// A POST of JSON.
    #[must_use]
    pub(crate) fn post_json(url: Url, document: &serde_json::Value) -> Self {
        Self::post(url, "application/json", document.to_string().into_bytes())
    }

    /// A POST without a body.
    #[must_use]
    pub(crate) fn post_empty(url: Url) -> Self {
        Self { method: Method::Post, ..Self::get(url) }
    }

    fn post(url: Url, content_type: &str, body: Vec<u8>) -> Self {
        Self { method: Method::Post, body: Zeroizing::new(body), ..Self::get(url) }.header("Content-Type", content_type)
    }

    /// The same request with one more header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, Secret::new(value.to_owned())));
        self
    }

    /// The same request with a bearer token. The host must have been checked before.
    #[must_use]
    pub(crate) fn bearer(self, token: &Secret) -> Self {
        self.bearer_in_header("Authorization", token)
    }

    /// The same request with a bearer token in a header of the service's own. The host must have been checked before.
    #[must_use]
    pub(crate) fn bearer_in_header(self, header: &'static str, token: &Secret) -> Self {
        let value = Zeroizing::new(format!("Bearer {}", token.expose()));
        self.header(header, &value)
    }

    /// The same request to a service of this machine: no proxy, and http is allowed.
    #[must_use]
    pub(crate) fn over_metadata(mut self) -> Self {
        self.route = Route::Metadata;
        self
    }

    /// The same request with other limits.
    #[must_use]
    pub(crate) fn with_limits(mut self, connect_limit: Duration, limit: Duration) -> Self {
        self.connect_limit = connect_limit;
        self.limit = limit;
        self
    }

    /// Scheme, host, port and path: what may be shown of the URL.
    #[must_use]
    pub(crate) fn display_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Both fail only for URLs that cannot have user information.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }

    /// The host, for messages.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or("a host without a name")
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({:?} {})", self.method, self.display_url())
    }
}

/// One answer, its body read whole.
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// Names and values in the order they came; one name may come more than once.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// The host that answered, for messages.
    pub(crate) host: String,
}

impl Response {
    /// What to do if the status tells of trouble on the way, and not that somebody refused.
    #[must_use]
    pub(crate) fn transport_hint(&self) -> Option<&'static str> {
        match self.status {
            429 | 500.. => Some("try again later"),
            203 | 300..=399 => Some("check the network and the VPN"),
            _ => None,
        }
    }

    /// The values of a header, in the order they came.
    pub(crate) fn header_values<'response>(
        &'response self,
        name: &'response str,
    ) -> impl Iterator<Item = &'response str> {
        self.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the status is 200 to 299.
    #[must_use]
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body read as a JSON object. The error names the host and never quotes the body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let body = self.body.trim_ascii_start();
        // Every answer here is an object; a list would be read as one, its members by their places.
        let object = Some(body).filter(|body| body.starts_with(b"{"));
        object.and_then(|body| serde_json::from_slice(body).ok()).ok_or_else(|| {
            let html = body.starts_with(b"<");
            let what = if html { "a web page" } else { "something else" };
            Error::new(
                Kind::Protocol,
                format!("{} was expected to answer with JSON and sent {what} (HTTP {})", self.host, self.status),
            )
            .with_hint("a captive portal or a proxy that rewrites answers may stand in between")
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({} from {})", self.status, self.host)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What to tell the reader.
    pub(crate) error: Error,
    /// Whether the same request may well succeed a moment later.
    pub(crate) transient: bool,
    /// Whether somebody took the connection and broke it off.
    pub(crate) connection_lost: bool,
}

/// Sends requests.
pub(crate) trait Http {
    /// Sends one request once, without following redirects. A response of any status is `Ok`.
    fn send(&self, request: &Request) -> std::result::Result<Response, Failure>;
}

/// Whether a URL names this very machine by its loopback address or as `localhost`.
#[must_use]
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
