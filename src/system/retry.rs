//! Retries of requests that fail for a transient reason.

use std::{borrow::Cow, time::Duration};

use log::debug;

use super::{
    System,
    http::{Request, Response},
};
use crate::error::{Error, Kind, Result};

/// The bound of the first random pause; it doubles with every attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The bound of any random pause.
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// Sends a request with the usual retries: after a lost connection, a timeout, and the statuses of a server that is
/// overloaded or restarts. See [`send_while`].
pub(crate) fn send(system: &dyn System, request: &Request) -> Result<Response> {
    send_while(system, request, |status| matches!(status, 429 | 500 | 502..=504))
}

/// Sends a request, up to `request.attempts` times while it fails for a transient reason: of the network, or a status
/// that `is_transient` names. See [`send_anew`].
pub(crate) fn send_while(system: &dyn System, request: &Request, is_transient: fn(u16) -> bool) -> Result<Response> {
    send_anew(system, || Cow::Borrowed(request), |response| is_transient(response.status))
}

/// Sends the request that `make` returns, which may differ with each attempt, up to as often as it says, while it fails for a
/// transient reason: of the network, or a response of which `is_transient` says so. Between attempts it pauses as long as
/// Retry-After asks, else for a random time ("full jitter"), so that many clients do not come back at once.
///
/// Returns the last response, whatever its status. A timeout quotes the failure that caused the retries.
pub(crate) fn send_anew<'request>(
    system: &dyn System,
    make: impl Fn() -> Cow<'request, Request>,
    is_transient: impl Fn(&Response) -> bool,
) -> Result<Response> {
    let mut attempt = 1;
    let mut last = None;
    loop {
        system.check().map_err(|error| with_cause(error, last.as_ref()))?;
        let request = make();
        let attempts = request.attempts;
        let requested_pause = match system.send(&request) {
            Ok(response) if attempt < attempts && is_transient(&response) => {
                let failure =
                    Error::new(Kind::Protocol, format!("{} answered with HTTP {}", request.host(), response.status));
                debug!("{} (attempt {attempt} of {attempts})", failure.message());
                last = Some(failure);
                match retry_after(&response) {
                    // The server would refuse an earlier request, and a later one misses the deadline.
                    Some(pause) if pause >= system.remaining() => return Ok(response),
                    pause => pause,
                }
            }
            Ok(response) => return Ok(response),
            Err(failure) if attempt < attempts && failure.transient => {
                debug!("{} (attempt {attempt} of {attempts})", failure.error.message());
                last = Some(failure.error);
                None
            }
            Err(failure) => return Err(failure.error),
        };
        let pause = match requested_pause {
            Some(pause) => pause,
            None => random_pause(system, attempt)?,
        };
        system.pause(pause).map_err(|error| with_cause(error, last.as_ref()))?;
        attempt += 1;
    }
}

/// Adds the last failure to the message of a timeout.
fn with_cause(error: Error, last: Option<&Error>) -> Error {
    match last {
        Some(last) if error.kind() == Kind::Timeout => error.within(last.message()),
        _ => error,
    }
}

/// A random time between zero and the bound of this attempt.
fn random_pause(system: &dyn System, attempt: u32) -> Result<Duration> {
    let bound = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(8)).min(MAX_PAUSE);
    let mut draw = [0_u8; 2];
    system.random(&mut draw)?;
    Ok(bound * u32::from(u16::from_le_bytes(draw)) / u32::from(u16::MAX))
}

/// Retry-After in seconds (RFC 9110, section 10.2.3). Its date form counts as absent: no service here sends it.
#[must_use]
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    response.header_values("Retry-After").next()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::system::{Clock, fake::FakeSystem, http::Method};

    const URL: &str = "https://service.example/";

    fn request() -> Request {
        Request::get(Url::parse(URL).unwrap())
    }

    #[test]
    fn transient_statuses_are_retried_after_a_random_pause() {
        let fake = FakeSystem::default().answer(Method::Get, URL, 503, "").answer(Method::Get, URL, 429, "");
        let fake = fake.answer(Method::Get, URL, 500, "");
        assert_eq!(send(&fake, &request()).unwrap().status, 500);
        fake.assert_done();
        assert!(fake.pauses().iter().all(|pause| !pause.is_zero() && *pause < MAX_PAUSE), "{:?}", fake.pauses());
    }

    #[test]
    fn attempts_are_those_of_the_request() {
        let fake = FakeSystem::default().failure(Method::Get, URL, true);
        assert_eq!(send(&fake, &request().with_attempts(1)).unwrap_err().kind(), Kind::Network);
        assert_eq!(fake.pauses(), []);
    }

    #[test]
    fn each_attempt_sends_the_request_of_its_time() {
        let fake = FakeSystem::default()
            .answer_with_headers(Method::Get, URL, 400, &[("Retry-After", "7")], "later")
            .failure(Method::Get, URL, true)
            .answer(Method::Get, URL, 400, "never");
        let started = fake.now();
        let make = || {
            let elapsed = fake.now().duration_since(started).unwrap();
            Cow::Owned(request().header("Elapsed", &elapsed.as_secs().to_string()))
        };
        let response = send_anew(&fake, make, |response| **response.body == *b"later").unwrap();
        assert_eq!(**response.body, *b"never");
        fake.assert_done();
        let requests = fake.requests();
        let sent: Vec<&str> = requests.iter().map(|request| request.headers[0].1.expose()).collect();
        assert_eq!(sent[..2], ["0", "7"]);
        assert_eq!(sent.len(), 3);
    }

    #[test]
    fn refusals_and_lasting_failures_are_not_retried() {
        let fake = FakeSystem::default().answer(Method::Get, URL, 401, "").failure(Method::Get, URL, false);
        assert_eq!(send(&fake, &request()).unwrap().status, 401);
        assert!(send(&fake, &request()).is_err());
        assert_eq!(fake.requests().len(), 2);
    }

    #[test]
    fn retry_after_sets_the_pause_or_ends_the_attempts() {
        let seconds = |value| [("Retry-After", value)];
        let fake = FakeSystem::default().answer_with_headers(Method::Get, URL, 503, &seconds("7"), "");
        let fake = fake.answer_with_headers(Method::Get, URL, 503, &seconds("600"), "");
        assert_eq!(send(&fake, &request()).unwrap().status, 503);
        assert_eq!(fake.pauses(), [Duration::from_secs(7)]);
        assert_eq!(fake.requests().len(), 2);
    }
}
