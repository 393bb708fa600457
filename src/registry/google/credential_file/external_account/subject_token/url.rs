//! A subject token from a service: the identity service of GitHub Actions, the metadata service of Azure.

use std::collections::BTreeMap;

use url::Url;

use super::format::Format;
use crate::{
    auth::{access_token::AccessToken, metadata, refusal::Refusal},
    error::{Error, Kind, Result},
    registry::google::location::Location,
    secret::Secret,
    system::{System, http::Request, retry},
};

/// The most headers, and the longest name and value of one, in bytes.
const MOST_HEADERS: usize = 16;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 16 * 1024;

/// The shortest segment of a path that may be a secret, in bytes. Names are shorter.
const SHORTEST_SECRET_SEGMENT: usize = 16;

/// The headers that belong to the connection.
const RESERVED: [&str; 6] =
    ["connection", "content-length", "expect", "host", "proxy-authorization", "transfer-encoding"];

/// A service that answers with a subject token.
#[derive(Debug)]
pub(in crate::registry::google) struct Service {
    request: Request,
    format: Format,
}

impl Service {
    /// The service at a URL, asked with headers: https at any host, since each identity provider has its own; http at an
    /// address near this machine alone, and never through a proxy.
    pub(super) fn read(
        url: &Secret,
        headers: BTreeMap<String, Secret>,
        format: Format,
        location: &Location,
    ) -> Result<Self> {
        let url =
            metadata::address("url of credential_source", url.expose()).map_err(|error| location.refused(&error))?;
        metadata::check_address("url of credential_source", &url).map_err(|error| location.refused(&error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(location.broken("has user information in the url of credential_source"));
        }
        if headers.len() > MOST_HEADERS || !headers.iter().all(|(name, value)| is_header(name, value.expose())) {
            return Err(location.broken("has headers in credential_source that cannot be sent"));
        }
        let is_near = url.scheme() == "http";
        let mut request = if is_near { metadata::request(url) } else { Request::get(url) };
        request.headers.extend(headers.into_iter().map(|(name, value)| (name.into(), value)));
        Ok(Self { request, format })
    }

    /// Asks for the token. Only the status 200 is an answer.
    pub(super) fn token(&self, system: &dyn System, location: &Location) -> Result<AccessToken> {
        let response = retry::send(system, &self.request)?;
        let host = self.request.host();
        if response.status != 200 {
            let of_url = secrets(&self.request.url);
            let of_headers = self.request.headers.iter().flat_map(|(_, value)| words(value));
            let secrets: Vec<&str> = of_headers.chain(of_url.iter().map(Secret::expose)).collect();
            let what = format!("{host} gave no identity token (HTTP {})", response.status);
            let hint = format!("check url and headers of credential_source in {}", location.path.display());
            return Err(Refusal::read(&response, &secrets).into_error(what, Some(hint.into())));
        }
        self.format.token(&response.body).map_err(|found| {
            let message = format!("{host} answered with {found} instead of an identity token");
            Error::new(Kind::Protocol, message)
        })
    }
}

/// The parts of an address that may be secret: the values in its query, and the long segments of its path.
fn secrets(url: &Url) -> Vec<Secret> {
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let segments = url.path_segments().into_iter().flatten().map(str::to_owned);
    let segments = segments.filter(|segment| segment.len() >= SHORTEST_SECRET_SEGMENT);
    values.chain(segments).map(Secret::new).collect()
}

/// The credentials in the value of a header, such as `TOKEN` of `Bearer TOKEN`, and the whole value.
fn words(value: &Secret) -> impl Iterator<Item = &str> {
    let value = value.expose();
    [value.split_once(' ').map(|(_, token)| token.trim()), Some(value)].into_iter().flatten()
}

/// Whether a header can be sent (RFC 9110, section 5).
fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_token);
    let is_value = value.len() <= LONGEST_VALUE && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_name && is_value && !RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        super::{
            Source,
            tests::{location, source},
        },
        *,
    };
    use crate::system::{
        fake::FakeSystem,
        http::{Method, Route},
    };

    const URL: &str = "https://token.actions.example/x";

    fn ask(fake: &FakeSystem, document: &Value) -> Result<AccessToken> {
        match source(document)? {
            Source::Url(service) => service.token(fake, &location()),
            other => panic!("{other:?}"),
        }
    }

    fn github() -> Value {
        json!({
            "url": format!("{URL}?api=1&audience=a"), "headers": {"Authorization": "Bearer request-secret"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        })
    }

    #[test]
    fn a_job_is_answered_with_its_token() {
        let fake = FakeSystem::default().answer(Method::Get, URL, 200, r#"{"count":1,"value":"a.b.c"}"#);
        assert_eq!(ask(&fake, &github()).unwrap().secret().expose(), "a.b.c");
        let request = &fake.requests()[0];
        assert_eq!((request.url.query(), request.route), (Some("api=1&audience=a"), Route::Internet));
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (&**name, value.expose())).collect();
        assert_eq!(headers, [("Authorization", "Bearer request-secret")]);
    }

    #[test]
    fn a_service_near_this_machine_is_asked_without_a_proxy() {
        for url in ["http://169.254.169.254/token", "http://127.0.0.1:40342/token", "http://[::1]:41/token"] {
            let fake = FakeSystem::default().answer(Method::Get, url, 200, "a.b.c");
            let document = json!({"url": url, "headers": {"Metadata": "True"}});
            assert_eq!(ask(&fake, &document).unwrap().secret().expose(), "a.b.c");
            assert_eq!(fake.requests()[0].route, Route::Metadata);
        }
    }

    #[test]
    fn only_status_200_is_an_answer_and_no_secret_is_shown() {
        let path = "/keys/ada.json";
        for (status, body, message) in [
            (201, r#"{"value":"a.b.c"}"#, "gave no identity token (HTTP 201)"),
            (302, "", "gave no identity token (HTTP 302)"),
            (401, r#"{"message":"no: request-secret"}"#, "gave no identity token (HTTP 401): no: (hidden)"),
            (200, r#"{"value":"request-secret x"}"#, "answered with more than a token instead of an identity token"),
            (200, "<html>request-secret", "answered with no JSON object instead of an identity token"),
        ] {
            let error = ask(&FakeSystem::default().answer(Method::Get, URL, status, body), &github()).unwrap_err();
            assert_eq!(error.message(), format!("token.actions.example {message}"));
            assert!(status != 401 || error.hint().unwrap().ends_with(path), "{error}");
        }
        let Ok(source) = source(&github()) else { panic!("it is a source") };
        assert!(!format!("{source:?}").contains("request-secret") && !format!("{source:?}").contains("audience"));
    }

    #[test]
    fn a_service_that_repeats_its_address_shows_no_secret_of_it() {
        for (address, said, shown) in [
            (format!("{URL}?code=query-secret"), "no code query-secret", "no code (hidden)"),
            (format!("{URL}?code=query%2Bsecret"), "no code query+secret", "no code (hidden)"),
            (format!("{URL}?code=query%2Bsecret"), "no ?code=query%2Bsecret", "no ?code=(hidden)"),
            (format!("{URL}/0123456789abcdef-secret"), "no /x/0123456789abcdef-secret", "no /x/(hidden)"),
            (format!("{URL}/identity?api-version=2018"), "Identity not found", "Identity not found"),
        ] {
            let body = json!({"message": said}).to_string();
            let base = address.split('?').next().unwrap();
            let fake = FakeSystem::default().answer(Method::Get, base, 404, &body);
            let error = ask(&fake, &json!({"url": address})).unwrap_err();
            assert_eq!(error.message(), format!("token.actions.example gave no identity token (HTTP 404): {shown}"));
        }
    }

    #[test]
    fn addresses_and_headers_that_cannot_be_are_refused() {
        let long = "a".repeat(65);
        let many: Value =
            (0..17).map(|number| (format!("h{number}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
        for (url, headers) in [
            ("http://token.example/x-secret", json!({})),
            ("http://192.0.2.1/x-secret", json!({})),
            ("ftp://127.0.0.1/x-secret", json!({})),
            ("file:///x-secret", json!({})),
            ("x-secret", json!({})),
            ("https://ada:x-secret@token.example/", json!({})),
            (URL, json!({"A": "x-secret\r\nB: c"})),
            (URL, json!({"A": "x-secret\u{e9}"})),
            (URL, json!({"A b": "x-secret"})),
            (URL, json!({"": "x-secret"})),
            (URL, json!({"Host": "x-secret"})),
            (URL, json!({"transfer-Encoding": "x-secret"})),
            (URL, json!({long: "x-secret"})),
            (URL, json!({"A": "x-secret".repeat(2049)})),
            (URL, many),
        ] {
            let error = source(&json!({"url": url, "headers": headers})).unwrap_err();
            assert!(error.kind() == Kind::Configuration && !error.to_string().contains("x-secret"), "{error}");
        }
    }
}
