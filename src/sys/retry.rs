//! Sending again what failed for a passing reason.

use std::time::Duration;

use log::debug;

use super::{
    System,
    http::{Request, Response},
};
use crate::error::Result;

/// The first pause is at most this long; each further one may be twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No pause of our own choosing is longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How often to try, and what to try again.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How many times a request is sent at the most, the first included.
    pub attempts: u32,
    /// Which status codes are passing.
    pub is_transient: fn(u16) -> bool,
}

impl Policy {
    /// Three attempts; 429 and the 5xx codes that servers answer with while they recover.
    pub const USUAL: Self = Self {
        attempts: 3,
        is_transient: |status| matches!(status, 429 | 500 | 502..=504),
    };

    /// The usual policy with another number of attempts.
    #[must_use]
    pub const fn with_attempts(attempts: u32) -> Self {
        Self {
            attempts,
            ..Self::USUAL
        }
    }
}

/// Sends a request, and sends it again after a passing failure: a dropped connection, a time-out, a
/// transient status. Between two attempts stands a random pause (so that a crowd of clients does not
/// come back as one), or what the server's Retry-After asks for if the lookup has that long.
///
/// The last answer is given back as it is, whatever its status.
pub fn send(system: &dyn System, request: &Request, policy: Policy) -> Result<Response> {
    let mut attempt = 1;
    loop {
        system.check()?;
        let asked_pause = match system.send(request) {
            Ok(response) if attempt < policy.attempts && (policy.is_transient)(response.status) => {
                debug!(
                    "{} answered {} (attempt {attempt} of {})",
                    request.host(),
                    response.status,
                    policy.attempts
                );
                match retry_after(&response) {
                    // The server says when; coming earlier is no use, and later there is no time.
                    Some(pause) if pause >= system.remaining() => return Ok(response),
                    pause => pause,
                }
            }
            Ok(response) => return Ok(response),
            Err(failure) if attempt < policy.attempts && failure.transient => {
                debug!("{} (attempt {attempt} of {})", failure.error.message(), policy.attempts);
                None
            }
            Err(failure) => return Err(failure.error),
        };
        let pause = match asked_pause {
            Some(pause) => pause,
            None => random_pause(system, attempt)?,
        };
        system.pause(pause)?;
        attempt += 1;
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
pub fn retry_after(response: &Response) -> Option<Duration> {
    response
        .header_values("Retry-After")
        .next()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
