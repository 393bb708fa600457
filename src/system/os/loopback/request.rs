//! Reads a browser's request (RFC 9112) from the bytes that have arrived.

use httparse::{EMPTY_HEADER, Header, Status};
use zeroize::Zeroizing;

use crate::system::loopback::{BrowserRequest, Page};

/// The longest request, in bytes of head and body together.
pub(super) const MAX_REQUEST: usize = 16 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not HTTP, or its length is unclear.
    Malformed,
    /// It is not whole in time.
    Slow,
    /// Its head and body together are too long.
    TooLong,
    /// It expects a response before the body.
    Expectation,
    /// Its head alone is too long.
    HeadTooLong,
}

impl Refusal {
    /// The answer.
    pub(super) fn page(self) -> Page {
        let (status, reason) = match self {
            Self::Malformed => (400, "The request is malformed."),
            Self::Slow => (408, "The request did not arrive in time."),
            Self::TooLong => (413, "The request is too long."),
            Self::Expectation => (417, "The request has an unknown expectation."),
            Self::HeadTooLong => (431, "The headers of the request are too long."),
        };
        let head = "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>ringbearer</title>";
        Page { status, html: format!("{head}<p>{reason}</p></html>") }
    }
}

/// Reads a request; `None` if it is not whole. What follows it is ignored: the connection serves one request.
pub(super) fn parse(received: &[u8]) -> Result<Option<BrowserRequest>, Refusal> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(received) {
        Ok(Status::Complete(length)) if length <= MAX_REQUEST => length,
        Ok(Status::Partial) if received.len() < MAX_REQUEST => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLong),
        Err(_) => return Err(Refusal::Malformed),
    };
    // Browsers send neither: the page comes from another client.
    if values(head.headers, "Transfer-Encoding").next().is_some() {
        return Err(Refusal::Malformed);
    }
    if values(head.headers, "Expect").next().is_some() {
        return Err(Refusal::Expectation);
    }
    let body_length = body_length(head.headers)?;
    if body_length > MAX_REQUEST - length {
        return Err(Refusal::TooLong);
    }
    let Some(body) = received[length..].get(..body_length) else { return Ok(None) };
    let content_type = single_value(head.headers, "Content-Type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(Some(BrowserRequest {
        method: head.method.unwrap_or_default().to_owned(),
        target: Zeroizing::new(head.path.unwrap_or_default().to_owned()),
        host: single_value(head.headers, "Host").map(str::to_owned),
        content_type: media_type,
        body: Zeroizing::new(body.to_vec()),
    }))
}

/// The announced length of the body, in bytes.
fn body_length(headers: &[Header<'_>]) -> Result<usize, Refusal> {
    if values(headers, "Content-Length").next().is_none() {
        return Ok(0);
    }
    let digits = single_value(headers, "Content-Length").ok_or(Refusal::Malformed)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    digits.parse().map_err(|_| Refusal::TooLong)
}

/// The values of a header, one for each of its lines.
fn values<'head>(headers: &[Header<'head>], name: &str) -> impl Iterator<Item = &'head [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// The value of a header that occurs once; `None` if it is empty or not UTF-8.
fn single_value<'head>(headers: &[Header<'head>], name: &str) -> Option<&'head str> {
    let mut values = values(headers, name);
    let value = values.next().filter(|value| !value.is_empty())?;
    if values.next().is_some() { None } else { std::str::from_utf8(value).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome as a line: the request, a refusal, or `partial`.
    fn outcome(received: &str) -> String {
        match parse(received.as_bytes()) {
            Ok(None) => "partial".to_owned(),
            Ok(Some(request)) => {
                let BrowserRequest { method, target, host, content_type, body } = request;
                format!("{method} {} {host:?} [{content_type}] {}", *target, String::from_utf8_lossy(&body))
            }
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    fn with_headers(headers: &str) -> String {
        outcome(&format!("POST / HTTP/1.1\r\n{headers}\r\n"))
    }

    #[test]
    fn a_form_is_read_with_its_media_type() {
        let form = "POST /a?b HTTP/1.1\r\nhost: localhost:7\r\ncontent-TYPE: Application/X ; charset=utf-8\r\ncontent-length: 3\r\n\r\na=bmore";
        assert_eq!(outcome(form), "POST /a?b Some(\"localhost:7\") [application/x] a=b");
        assert_eq!(outcome("GET / HTTP/1.0\r\n\r\n"), "GET / None [] ");
    }

    #[test]
    fn a_request_is_partial_until_its_last_byte() {
        let whole = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab";
        for length in 0..whole.len() {
            assert_eq!(outcome(&whole[..length]), "partial", "{length}");
        }
        assert_eq!(outcome(whole), "POST / Some(\"localhost\") [] ab");
    }

    #[test]
    fn a_host_counts_only_if_there_is_exactly_one() {
        for headers in ["", "Host:\r\n", "Host: a\r\nhost: a\r\n", "Host: a\r\nHost:\r\n"] {
            assert_eq!(with_headers(headers), "POST / None [] ", "{headers:?}");
        }
        assert!(parse(b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n").is_ok_and(|request| request.unwrap().host.is_none()));
    }

    #[test]
    fn what_is_not_http_is_malformed() {
        for text in ["\u{16}\u{3}\u{1}", "GET /\r\n", "PRI * HTTP/2.0\r\n", "G T / HTTP/1.1\r\n", "SSH-2.0-x y\r\n"] {
            assert_eq!(outcome(text), "Malformed", "{text:?}");
        }
        for header in ["Name\r\n", "Na me: x\r\n", "Name : x\r\n", " Name: x\r\n", "a: b\r\n c\r\n", "a: \0\r\n"] {
            assert_eq!(with_headers(header), "Malformed", "{header:?}");
        }
    }

    #[test]
    fn a_body_of_unclear_length_is_malformed() {
        for value in ["-1", "+1", "1 1", "1, 1", "0x1", "1.0", "a", "", "\u{661}"] {
            assert_eq!(with_headers(&format!("Content-Length: {value}\r\n")), "Malformed", "{value:?}");
        }
        assert_eq!(with_headers("Content-Length: 1\r\nContent-Length: 1\r\n"), "Malformed");
        assert_eq!(with_headers("Transfer-Encoding: chunked\r\n"), "Malformed");
        assert_eq!(with_headers("Content-Length: 1\r\nTransfer-Encoding: identity\r\n"), "Malformed");
    }

    #[test]
    fn a_long_body_is_refused_before_it_arrives() {
        let head = |length: &str| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        let room = MAX_REQUEST - head("12345").len();
        assert_eq!(outcome(&head(&room.to_string())), "partial");
        for length in [&(room + 1).to_string(), "1048576", "18446744073709551615", "99999999999999999999999"] {
            assert_eq!(outcome(&head(length)), "TooLong", "{length}");
        }
    }

    #[test]
    fn a_long_head_is_refused() {
        assert_eq!(outcome(&format!("GET /{}", "a".repeat(MAX_REQUEST))), "HeadTooLong");
        assert_eq!(outcome(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_REQUEST))), "HeadTooLong");
        assert_eq!(with_headers(&"a: b\r\n".repeat(MAX_HEADERS + 1)), "HeadTooLong");
        assert_eq!(with_headers(&"a: b\r\n".repeat(MAX_HEADERS)), "POST / None [] ");
    }

    #[test]
    fn an_expectation_is_refused() {
        assert_eq!(with_headers("Content-Length: 3\r\nExpect: 100-continue\r\n"), "Expectation");
    }
}
