//! Shared by the fuzzing hooks: a service's responses written as text, and checks that errors leak no secrets.

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::http::Response;
use crate::error::{Error, single_line};

/// Separates two responses.
const SEPARATOR: &[u8] = b"\n--\n";

/// The length of a part of a secret that counts as a leak, in bytes.
const LEAK_LENGTH: usize = 8;

/// Reads the responses in a text, in order: the status, a line per header, an empty line, the body.
pub(crate) fn responses(text: &[u8]) -> Vec<Response> {
    let mut responses = Vec::new();
    let mut rest = text;
    loop {
        let (one, more) = split_at_marker(rest, SEPARATOR);
        responses.push(response(one));
        match more {
            Some(more) => rest = more,
            None => return responses,
        }
    }
}

fn response(text: &[u8]) -> Response {
    let (head, body) = split_at_marker(text, b"\n\n");
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(200);
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    let body = Zeroizing::new(body.unwrap_or_default().to_vec());
    Response { status, headers, body, host: "service.example".to_owned() }
}

/// The text before a marker and, if the marker is present, after it.
pub(crate) fn split_at_marker<'text>(text: &'text [u8], marker: &[u8]) -> (&'text [u8], Option<&'text [u8]>) {
    match memmem::find(text, marker) {
        Some(start) => (&text[..start], Some(&text[start + marker.len()..])),
        None => (text, None),
    }
}

/// Asserts that an error is one printable line and leaks none of the secrets.
pub(crate) fn check_error(error: &Error, secrets: &[&str]) {
    let shown = error.to_string();
    assert!(!error.message().is_empty() && shown == single_line(&shown), "{shown:?}");
    for secret in secrets {
        assert!(!leaks(&shown, secret), "{shown:?}");
    }
}

/// Whether a text holds part of a secret, as it is or in the encoding of URLs or forms.
pub(crate) fn leaks(text: &str, secret: &str) -> bool {
    let decoded = text.contains('+').then(|| text.replace('+', " "));
    [Some(text), decoded.as_deref()].into_iter().flatten().any(|text| contains_part(text.as_bytes(), secret.as_bytes()))
}

fn contains_part(text: &[u8], secret: &[u8]) -> bool {
    let mut text = Cow::Borrowed(text);
    for _ in 0..3 {
        let mut parts = secret.windows(LEAK_LENGTH.min(secret.len()));
        if parts.any(|part| memmem::find(&text, part).is_some()) {
            return true;
        }
        if !text.contains(&b'%') {
            return false;
        }
        text = Cow::Owned(percent_decode(&text).collect());
    }
    false
}

/// The seeds of a target, at least one.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads the corpus of the project")]
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = corpus(target).read_dir().unwrap();
    let seeds: Vec<_> = files.map(|file| content(&file.unwrap().path())).collect();
    assert!(!seeds.is_empty(), "{target}");
    seeds
}

/// A seed that was written by hand, by its name.
#[cfg(test)]
pub(crate) fn seed(target: &str, name: &str) -> Vec<u8> {
    content(&corpus(target).join(name))
}

#[cfg(test)]
fn corpus(target: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join("corpus").join(target)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test reads the corpus of the project")]
fn content(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read_in_order() {
        let read = responses(b"401\nA: b: c\nNo header\na:  d \n\n\xffbody\n\nmore\n--\n\n--\n503\n\n");
        let shown: Vec<_> = read.iter().map(|one| (one.status, one.headers.len(), &one.body[..])).collect();
        assert_eq!(shown, [(401, 2, &b"\xffbody\n\nmore"[..]), (200, 0, b""), (503, 0, b"")]);
        assert_eq!(read[0].header_values("a").collect::<Vec<_>>(), ["b: c", "d"]);
    }

    #[test]
    fn part_of_a_secret_is_a_leak_even_if_encoded() {
        assert!(leaks("so 12345678 it is", "0123456789"));
        assert!(leaks("%2531234567%2538", "0123456789"));
        assert!(leaks("x=12+45+78", "12 45 78 90"));
        assert!(!leaks("1234567", "0123456789"));
    }
}
