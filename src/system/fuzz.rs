//! What the hooks for fuzzing have in common: answers of a service, written as text, and what an error must not hold.

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use super::http::Response;
use crate::error::{Error, single_line};

/// What stands between two answers.
const SEPARATOR: &[u8] = b"\n--\n";

/// How many bytes of a secret in a row give it away.
const TELLING_PART: usize = 8;

/// The answers in a text, in turn: the status, a line for each header, an empty line, the body.
pub(crate) fn answers(text: &[u8]) -> Vec<Response> {
    let mut answers = Vec::new();
    let mut rest = text;
    loop {
        let (one, more) = split_at_marker(rest, SEPARATOR);
        answers.push(answer(one));
        match more {
            Some(more) => rest = more,
            None => return answers,
        }
    }
}

fn answer(text: &[u8]) -> Response {
    let (head, body) = split_at_marker(text, b"\n\n");
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(200);
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    let body = Zeroizing::new(body.unwrap_or_default().to_vec());
    Response { status, headers, body, host: "service.example".to_owned() }
}

/// What stands before a mark and, if it is there, behind it.
pub(crate) fn split_at_marker<'text>(text: &'text [u8], mark: &[u8]) -> (&'text [u8], Option<&'text [u8]>) {
    match memmem::find(text, mark) {
        Some(place) => (&text[..place], Some(&text[place + mark.len()..])),
        None => (text, None),
    }
}

/// An error is one line that can be shown, of a kind of length that can be read, and none of the secrets are in it.
pub(crate) fn check_error(error: &Error, secrets: &[&str]) {
    let shown = error.to_string();
    assert!(!error.message().is_empty() && shown == single_line(&shown), "{shown:?}");
    for secret in secrets {
        assert!(!leaks(&shown, secret), "{shown:?}");
    }
}

/// Whether a part of a secret that is long enough to tell is in a text, as it is or encoded as URLs and forms are.
pub(crate) fn leaks(text: &str, secret: &str) -> bool {
    let of_form = text.contains('+').then(|| text.replace('+', " "));
    [Some(text), of_form.as_deref()].into_iter().flatten().any(|text| holds(text.as_bytes(), secret.as_bytes()))
}

fn holds(text: &[u8], secret: &[u8]) -> bool {
    let mut written = Cow::Borrowed(text);
    for _ in 0..3 {
        let mut parts = secret.windows(TELLING_PART.min(secret.len()));
        if parts.any(|part| memmem::find(&written, part).is_some()) {
            return true;
        }
        if !written.contains(&b'%') {
            return false;
        }
        written = Cow::Owned(percent_decode(&written).collect());
    }
    false
}

/// The seeds of a target, which are not empty.
#[cfg(test)]
#[allow(clippy::disallowed_methods)] // They are files of the project.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = corpus(target).read_dir().unwrap();
    let seeds: Vec<_> = files.map(|file| content(&file.unwrap().path())).collect();
    assert!(!seeds.is_empty(), "{target}");
    seeds
}

/// The seed of a name: one that was written, not found.
#[cfg(test)]
pub(crate) fn seed(target: &str, name: &str) -> Vec<u8> {
    content(&corpus(target).join(name))
}

#[cfg(test)]
fn corpus(target: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join("corpus").join(target)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // They are files of the project.
fn content(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_one_after_the_other() {
        let read = answers(b"401\nA: b: c\nNo header\na:  d \n\n\xffbody\n\nmore\n--\n\n--\n503\n\n");
        let shown: Vec<_> = read.iter().map(|one| (one.status, one.headers.len(), &one.body[..])).collect();
        assert_eq!(shown, [(401, 2, &b"\xffbody\n\nmore"[..]), (200, 0, b""), (503, 0, b"")]);
        assert_eq!(read[0].header_values("a").collect::<Vec<_>>(), ["b: c", "d"]);
    }

    #[test]
    fn a_part_of_a_secret_gives_it_away_and_encoding_does_not_hide_it() {
        assert!(leaks("so 12345678 it is", "0123456789"));
        assert!(leaks("%2531234567%2538", "0123456789"));
        assert!(leaks("x=12+45+78", "12 45 78 90"));
        assert!(!leaks("1234567", "0123456789"));
    }
}
