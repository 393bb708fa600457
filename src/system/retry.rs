//! Sending again what failed for a passing reason.

use std::time::Duration;

use log::debug;

use super::{
    System,
    http::{Request, Response},
};
use crate::error::{Error, Kind, Result};

/// The first pause is at most this long; each further one may be twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No pause of our own choosing is longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How many times a request is tried at the most, 1 to 10; the variable of artifacts-keyring-nofuss.
const ATTEMPTS_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_RETRIES";

/// How many times a request is tried unless the variable says otherwise.
const ATTEMPTS: u32 = 3;

/// How often to try, and what to try again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// How many times a request is sent at the most, the first included.
    pub(crate) attempts: u32,
    /// Which status codes are passing.
    pub(crate) is_transient: fn(u16) -> bool,
}

impl Policy {
    /// As many attempts as the user asks for; 429 and the 5xx codes that servers answer with while
    /// they recover.
    fn usual(system: &dyn System) -> Self {
        let attempts = match system.setting(ATTEMPTS_VARIABLE).map(|value| value.parse::<i64>()) {
            Some(Ok(attempts)) => u32::try_from(attempts.clamp(1, 10)).unwrap_or(ATTEMPTS),
            Some(Err(_)) => {
                debug!("{ATTEMPTS_VARIABLE} is not a number: taking {ATTEMPTS}");
                ATTEMPTS
            }
            None => ATTEMPTS,
        };
        Self { attempts, is_transient: |status| matches!(status, 429 | 500 | 502..=504) }
    }
}

/// Sends a request with the usual retries: see [`send_with`].
pub(crate) fn send(system: &dyn System, request: &Request) -> Result<Response> {
    send_with(system, request, Policy::usual(system))
}

/// Sends a request, and sends it again after a passing failure: a dropped connection, a time-out, a
/// transient status. Between two attempts stands a random pause (so that a crowd of clients does not
/// come back as one), or what the server's Retry-After asks for if the lookup has that long.
///
/// The last answer is given back as it is, whatever its status. When the lookup's time is over, the
/// error tells what kept it.
pub(crate) fn send_with(system: &dyn System, request: &Request, policy: Policy) -> Result<Response> {
    let mut attempt = 1;
    let mut last = None;
    loop {
        system.check().map_err(|over| because_of(over, last.as_ref()))?;
        let asked_pause = match system.send(request) {
            Ok(response) if attempt < policy.attempts && (policy.is_transient)(response.status) => {
                let failure =
                    Error::new(Kind::Protocol, format!("{} answered with HTTP {}", request.host(), response.status));
                debug!("{} (attempt {attempt} of {})", failure.message(), policy.attempts);
                last = Some(failure);
                match retry_after(&response) {
                    // The server says when; coming earlier is no use, and later there is no time.
                    Some(pause) if pause >= system.remaining() => return Ok(response),
                    pause => pause,
                }
            }
            Ok(response) => return Ok(response),
            Err(failure) if attempt < policy.attempts && failure.transient => {
                debug!("{} (attempt {attempt} of {})", failure.error.message(), policy.attempts);
                last = Some(failure.error);
                None
            }
            Err(failure) => return Err(failure.error),
        };
        let pause = match asked_pause {
            Some(pause) => pause,
            None => random_pause(system, attempt)?,
        };
        system.pause(pause).map_err(|over| because_of(over, last.as_ref()))?;
        attempt += 1;
    }
}

/// The end of the lookup, told with the failure that took its time.
fn because_of(over: Error, last: Option<&Error>) -> Error {
    match last {
        Some(last) if over.kind() == Kind::Timeout => over.within(last.message()),
        _ => over,
    }
}

/// Full jitter: anything between nothing and the bound of this attempt.
fn random_pause(system: &dyn System, attempt: u32) -> Result<Duration> {
    let bound = FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(8)).min(LONGEST_PAUSE);
    let mut draw = [0_u8; 2];
    system.random(&mut draw)?;
    Ok(bound * u32::from(u16::from_le_bytes(draw)) / u32::from(u16::MAX))
}

/// Retry-After in seconds (RFC 9110, section 10.2.3). Its date form is not used by these services
/// and counts as absent.
#[must_use]
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    response.header_values("Retry-After").next()?.trim().parse().ok().map(Duration::from_secs)
}
