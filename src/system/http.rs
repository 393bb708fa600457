//! HTTP requests and responses.

use std::{borrow::Cow, fmt, path::PathBuf, time::Duration};

use serde::de::{DeserializeOwned, IgnoredAny};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
};

/// The limit for name resolution, connection and TLS handshake.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The limit for a whole request.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// How many times a request is sent if it fails for a transient reason, the first included.
pub(crate) const ATTEMPTS: u32 = 3;

/// The largest response body accepted, in bytes. The largest expected one, a token, has a few thousand.
pub(crate) const BODY_CAP: usize = 1024 * 1024;

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// The route of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Over https, through the configured proxy.
    Internet,
    /// To a metadata service of this machine or its hypervisor: http is allowed, and no proxy is used.
    Metadata,
}

/// A file of certificate authorities for some requests, instead of those that all others trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaBundle {
    /// The setting that names it, for messages.
    pub(crate) named_by: &'static str,
    /// Its path.
    pub(crate) path: PathBuf,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Request {
    /// The method.
    pub(crate) method: Method,
    /// The URL. Its query may hold secrets.
    pub(crate) url: Url,
    /// Header names and values, in order. Any value may be secret.
    pub(crate) headers: Vec<(Cow<'static, str>, Secret)>,
    /// The body of a POST; empty for the other methods.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// The route.
    pub(crate) route: Route,
    /// Whom it trusts; `None` for the authorities that the network variables name, or else the platform's.
    pub(crate) ca_bundle: Option<CaBundle>,
    /// The limit for the connection, at most [`CONNECT_LIMIT`].
    pub(crate) connect_limit: Duration,
    /// The limit for the whole request, at most [`REQUEST_LIMIT`].
    pub(crate) limit: Duration,
    /// How many times [`retry`](super::retry) sends it, the first included.
    pub(crate) attempts: u32,
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
            ca_bundle: None,
            connect_limit: CONNECT_LIMIT,
            limit: REQUEST_LIMIT,
            attempts: ATTEMPTS,
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

    /// A PUT without a body.
    #[must_use]
    pub(crate) fn put_empty(url: Url) -> Self {
        Self { method: Method::Put, ..Self::get(url) }
    }

    fn post(url: Url, content_type: &str, body: Vec<u8>) -> Self {
        Self { method: Method::Post, body: Zeroizing::new(body), ..Self::get(url) }.header("Content-Type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: impl Into<Cow<'static, str>>, value: &str) -> Self {
        self.headers.push((name.into(), Secret::new(value.to_owned())));
        self
    }

    /// Adds a bearer token. The host must have been checked.
    #[must_use]
    pub(crate) fn bearer(self, token: &Secret) -> Self {
        self.bearer_in_header("Authorization", token)
    }

    /// Adds a bearer token in another header. The host must have been checked.
    #[must_use]
    pub(crate) fn bearer_in_header(self, header: &'static str, token: &Secret) -> Self {
        let value = Zeroizing::new(format!("Bearer {}", token.expose()));
        self.header(header, &value)
    }

    /// Sends it over [`Route::Metadata`].
    #[must_use]
    pub(crate) fn over_metadata(mut self) -> Self {
        self.route = Route::Metadata;
        self
    }

    /// Sets the file of certificate authorities.
    #[must_use]
    pub(crate) fn trusting(mut self, ca_bundle: Option<CaBundle>) -> Self {
        self.ca_bundle = ca_bundle;
        self
    }

    /// Sets the limits for the connection and for the whole request.
    #[must_use]
    pub(crate) fn with_limits(mut self, connect_limit: Duration, limit: Duration) -> Self {
        self.connect_limit = connect_limit;
        self.limit = limit;
        self
    }

    /// Sets the number of attempts.
    #[must_use]
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The URL without user information, query and fragment, which may hold secrets.
    #[must_use]
    pub(crate) fn display_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // These fail only for URLs that cannot have user information.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }

    /// The host, for messages.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or("an unnamed host")
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({:?} {})", self.method, self.display_url())
    }
}

/// A response with its whole body.
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// Header names and values in order; a name may repeat.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// The host of the request, for messages.
    pub(crate) host: String,
}

impl Response {
    /// The values of a header, in order.
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

    /// Parses the body as a JSON object. The error names the host and does not quote the body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let body = self.body.trim_ascii_start();
        // Serde would read an array as a struct too, its elements in the order of the fields.
        let object = Some(body).filter(|body| body.starts_with(b"{"));
        object.and_then(|body| serde_json::from_slice(body).ok()).ok_or_else(|| {
            let what = match body.first() {
                Some(b'<') => "a web page instead of JSON",
                _ if serde_json::from_slice::<IgnoredAny>(body).is_ok() => "JSON of an unexpected form",
                _ => "something else instead of JSON",
            };
            let message = format!("{} sent {what} (HTTP {})", self.host, self.status);
            Error::new(Kind::Protocol, message).with_hint("a captive portal or a proxy may answer for the host")
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({} from {})", self.status, self.host)
    }
}

/// Why a request got no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error for the user.
    pub(crate) error: Error,
    /// Whether the same request may succeed a moment later.
    pub(crate) transient: bool,
    /// Whether a connection was made and lost.
    pub(crate) connection_lost: bool,
}

/// Sends requests.
pub(crate) trait Http {
    /// Sends one request once, without following redirects. A response of any status is `Ok`.
    fn send(&self, request: &Request) -> std::result::Result<Response, Failure>;

    /// Starts to open a connection to the https host of a URL, for a later request of this lookup: name resolution, the
    /// proxy's tunnel and the TLS handshake, and no byte of a request. Returns at once. A failure is silent, since the
    /// request connects by itself and reports it. At most two connections are unused: a third call closes the oldest, and the
    /// end of the lookup all. `ca_bundle` is that of the later request.
    fn open_ahead(&self, url: &Url, ca_bundle: Option<&CaBundle>);
}

/// Whether the host of a URL is a loopback address or `localhost`.
#[must_use]
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
