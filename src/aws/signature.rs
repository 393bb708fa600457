//! Signature Version 4. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{
    digest::{SHA256, digest},
    hmac,
};
use url::Url;
use zeroize::Zeroizing;

use super::{hexadecimal, keys::Keys};
use crate::{
    auth::timestamp,
    system::http::{Method, Request},
};

/// The algorithm of the signature.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The end of a scope.
const TERMINATOR: &str = "aws4_request";

/// The time that stands for one that cannot be written: the service refuses it, and shows its own time.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// The characters that are encoded in a query: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Signs a request, as made at a time, for a service in a region. The signature covers method, path, query, host, time,
/// session token, content type, every other header that begins with `x-`, and body; every attempt is signed again.
pub(super) fn sign(request: Request, keys: &Keys, service: &str, region: &str, time: SystemTime) -> Request {
    let time = compact(time);
    let scope = format!("{}/{region}/{service}/{TERMINATOR}", date(&time));
    let mut request = request.header("X-Amz-Date", &time);
    if let Some(token) = &keys.session_token {
        request.headers.push(("X-Amz-Security-Token".into(), token.clone()));
    }
    let (canonical, signed_headers) = canonical_request(&request);
    let text = string_to_sign(&time, &scope, &canonical);
    let signature = hexadecimal::digits(&hmac_sha256(&signing_key(keys, date(&time), region, service), &text));
    let credential = format!("{}/{scope}", keys.access_key_id);
    request.header(
        "Authorization",
        &format!("{ALGORITHM} Credential={credential}, SignedHeaders={signed_headers}, Signature={signature}"),
    )
}

/// A time as the header has it: `20261130T123456Z`.
fn compact(time: SystemTime) -> String {
    timestamp::to_rfc3339(time).as_deref().unwrap_or(NO_TIME).replace(['-', ':'], "")
}

/// The date of a time as the header has it.
fn date(time: &str) -> &str {
    time.split('T').next().unwrap_or_default()
}

/// The canonical request, and the names of the headers in it. It holds the session token.
fn canonical_request(request: &Request) -> (Zeroizing<String>, String) {
    let mut headers = vec![("host".to_owned(), Zeroizing::new(host(&request.url)))];
    headers.extend(request.headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let is_signed = name == "content-type" || name.starts_with("x-");
        is_signed.then(|| (name, single_blanks(value.expose())))
    }));
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    let signed_headers = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
    };
    let [path, query, body] = [
        request.url.path(),
        &canonical_query(&request.url),
        &hexadecimal::digits(digest(&SHA256, &request.body).as_ref()),
    ];
    // Room for everything: a buffer that grows leaves copies behind.
    let length = headers.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
    let length = length + [method, path, query, &signed_headers, body].iter().map(|part| part.len() + 1).sum::<usize>();
    let mut canonical = Zeroizing::new(String::with_capacity(length + 1));
    for part in [method, "\n", path, "\n", query, "\n"] {
        canonical.push_str(part);
    }
    for (name, value) in &headers {
        for part in [name, ":", value, "\n"] {
            canonical.push_str(part);
        }
    }
    for part in ["\n", &signed_headers, "\n", body] {
        canonical.push_str(part);
    }
    (canonical, signed_headers)
}

/// The host as the request has it: with the port, unless it is that of the scheme.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A value without surrounding blanks, and with one in the place of several.
fn single_blanks(value: &str) -> Zeroizing<String> {
    let mut single = Zeroizing::new(String::with_capacity(value.len()));
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if !single.is_empty() {
            single.push(' ');
        }
        single.push_str(word);
    }
    single
}

/// The query, sorted by encoded name, then by encoded value. Sorted as `name=value` it would be wrong: `domain-owner=`
/// precedes `domain=`.
fn canonical_query(url: &Url) -> String {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let mut pairs: Vec<_> = url.query_pairs().map(|(name, value)| (encode(&name), encode(&value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn string_to_sign(time: &str, scope: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{time}\n{scope}\n{}", hexadecimal::digits(digest(&SHA256, canonical.as_bytes()).as_ref()))
}

/// The key of a date, region and service, which only the secret access key yields.
fn signing_key(keys: &Keys, date: &str, region: &str, service: &str) -> Zeroizing<Vec<u8>> {
    let mut secret = Zeroizing::new(b"AWS4".to_vec());
    let secret_access_key = keys.secret_access_key.expose().as_bytes();
    secret.reserve_exact(secret_access_key.len());
    secret.extend_from_slice(secret_access_key);
    let first = hmac_sha256(&secret, date);
    [region, service, TERMINATOR].iter().fold(first, |key, text| hmac_sha256(&key, text))
}

fn hmac_sha256(key: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::{
        secret::Secret,
        system::{Clock, fake::FakeSystem},
    };

    #[derive(Deserialize)]
    struct Vectors {
        signed: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        input: Input,
        expected: Expected,
    }

    #[derive(Deserialize)]
    struct Input {
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
        service: String,
        region: String,
        unix_time: u64,
        method: String,
        url: String,
        headers: BTreeMap<String, String>,
        body: String,
    }

    #[derive(Deserialize)]
    struct Expected {
        canonical_request: String,
        string_to_sign: String,
        signing_key_hex: String,
        headers_added: BTreeMap<String, String>,
        authorization: String,
    }

    fn vectors() -> Vec<Vector> {
        let vectors: Vectors = serde_json::from_str(include_str!("../../tests/vectors/aws-sigv4.json")).unwrap();
        vectors.signed
    }

    fn keys(input: &Input) -> Keys {
        Keys {
            access_key_id: input.access_key_id.clone(),
            secret_access_key: input.secret_access_key.clone(),
            session_token: input.session_token.clone(),
            expires: None,
        }
    }

    fn ada() -> Keys {
        let (access_key_id, secret_access_key) = ("AKIDADA".to_owned(), Secret::new("x-secret".to_owned()));
        Keys { access_key_id, secret_access_key, session_token: None, expires: None }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn header<'request>(request: &'request Request, name: &str) -> Option<&'request str> {
        request.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.expose())
    }

    #[test]
    fn requests_are_signed_as_by_botocore() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 6);
        for Vector { name, input, expected } in &vectors {
            let keys = keys(input);
            assert_eq!(input.method, "POST", "{name}");
            let mut request = Request::post_empty(url(&input.url));
            request.body = Zeroizing::new(input.body.clone().into_bytes());
            if let Some(content_type) = input.headers.get("Content-Type") {
                request = request.header("Content-Type", content_type);
            }
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(input.unix_time);
            let signed = sign(request, &keys, &input.service, &input.region, time);
            assert_eq!(header(&signed, "Authorization"), Some(&*expected.authorization), "{name}");
            for (added, value) in &expected.headers_added {
                assert_eq!(header(&signed, added), Some(&**value), "{name}");
            }
            let added = expected.headers_added.len() + input.headers.len() + 1;
            assert_eq!(signed.headers.len(), added, "{name}");
            let canonical = canonical_request(&signed).0;
            assert_eq!(*canonical, expected.canonical_request, "{name}");
            let time = compact(time);
            let scope = format!("{}/{}/{}/aws4_request", date(&time), input.region, input.service);
            assert_eq!(string_to_sign(&time, &scope, &canonical), expected.string_to_sign, "{name}");
            let key = signing_key(&keys, date(&time), &input.region, &input.service);
            assert_eq!(hexadecimal::digits(&key), expected.signing_key_hex, "{name}");
        }
    }

    #[test]
    fn the_query_is_sorted_by_encoded_name_then_value() {
        for (query, sorted) in [
            ("", ""),
            ("domain-owner=1&domain=a", "domain=a&domain-owner=1"),
            ("b=2&a=2&b=1&a-=3", "a=2&a-=3&b=1&b=2"),
            ("a=%7e%2F*&%c3%a9=x+y", "%C3%A9=x%20y&a=~%2F%2A"),
            ("flag", "flag="),
        ] {
            assert_eq!(canonical_query(&url(&format!("https://a.example/?{query}"))), sorted, "{query}");
        }
    }

    #[test]
    fn other_headers_and_the_form_of_blanks_change_nothing() {
        let signed = |content_type: &str| {
            let request = Request::post_empty(url("https://a.example/v1/x%20y/")).header("Content-Type", content_type);
            canonical_request(&request.header("User-Agent", "x")).0.to_string()
        };
        assert_eq!(signed("a  b;   c "), signed("a b; c"));
        let lines = "POST\n/v1/x%20y/\n\ncontent-type:a b; c\nhost:a.example\n\ncontent-type;host\n";
        assert!(signed(" a b; c").starts_with(lines), "{}", signed(" a b; c"));
    }

    #[test]
    fn the_host_has_a_port_that_is_not_the_usual_one() {
        for (address, expected) in [
            ("https://a.example", "a.example"),
            ("https://a.example:443", "a.example"),
            ("https://a.example:80", "a.example:80"),
            ("http://localhost:4566", "localhost:4566"),
            ("http://[::1]:80/", "[::1]"),
            ("http://[::1]:81/", "[::1]:81"),
        ] {
            assert_eq!(host(&url(address)), expected);
        }
    }

    #[test]
    fn a_time_that_cannot_be_written_is_one_that_aws_refuses() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let signed = sign(Request::get(url("https://a.example")), &ada(), "sts", "eu-west-1", before);
        assert_eq!(header(&signed, "X-Amz-Date"), Some("19700101T000000Z"));
    }

    proptest! {
        #[test]
        fn the_order_of_a_query_does_not_change_its_signature(
            mut pairs in proptest::collection::vec(("[a-c=-]{1,3}", ".{0,3}"), 0..6),
        ) {
            let mut address = url("https://a.example/");
            let now = FakeSystem::default().now();
            let mut signatures = Vec::new();
            for _ in 0..2 {
                address.query_pairs_mut().clear().extend_pairs(&pairs);
                let signed = sign(Request::get(address.clone()), &ada(), "sts", "eu-west-1", now);
                signatures.push(header(&signed, "Authorization").map(str::to_owned));
                pairs.reverse();
            }
            prop_assert_eq!(&signatures[0], &signatures[1]);
        }
    }
}
