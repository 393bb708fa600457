//! Clock skew between this machine and a service, from the `Date` header of a response (RFC 9110, section 6.6.1).
//!
//! It explains refusals, and lets a new token be used that has expired by this machine's clock alone. It extends the
//! lifetime of no other token.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    auth::timestamp,
    error::Error,
    system::{System, http::Response},
};

/// The difference between clocks that most services tolerate.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// A difference of more than is tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockSkew {
    length: Duration,
    /// Whether this machine's clock is ahead; else it is behind.
    is_ahead: bool,
}

impl ClockSkew {
    /// The skew that a response shows; `None` if the clocks agree or it has no date. The response is of a checked host.
    #[must_use]
    pub(crate) fn of(system: &dyn System, response: &Response) -> Option<Self> {
        Self::beyond(TOLERANCE, system, response)
    }

    /// The skew that a response shows, for a service that tolerates no more than this.
    #[must_use]
    pub(crate) fn beyond(tolerance: Duration, system: &dyn System, response: &Response) -> Option<Self> {
        let theirs = timestamp::http_date(response.header_values("Date").next()?)?;
        let ours = system.now();
        let (length, is_ahead) = match ours.duration_since(theirs) {
            Ok(length) => (length, true),
            Err(error) => (error.duration(), false),
        };
        (length > tolerance).then_some(Self { length, is_ahead })
    }

    /// The difference.
    #[must_use]
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// Converts a time by this machine's clock to the service's.
    #[must_use]
    pub(crate) fn service_time(&self, ours: SystemTime) -> SystemTime {
        if self.is_ahead { ours.checked_sub(self.length) } else { ours.checked_add(self.length) }.unwrap_or(ours)
    }

    /// Converts the expiry of a new token from the service's clock to this machine's. Never later than `stated`, unless the
    /// token would have expired on arrival.
    #[must_use]
    pub(crate) fn expiry(&self, now: SystemTime, stated: SystemTime) -> SystemTime {
        let ours = if self.is_ahead { stated.checked_add(self.length) } else { stated.checked_sub(self.length) }
            .unwrap_or(stated);
        if stated > now { ours.min(stated) } else { ours }
    }

    /// The error, with the advice to correct the clock.
    #[must_use]
    pub(crate) fn explain(&self, error: Error) -> Error {
        error.with_hint(format!("{self}: correct it"))
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = (self.length.as_secs() + 30) / 60;
        let (count, unit) = match minutes {
            0..120 => (minutes, "min"),
            120..2880 => ((minutes + 30) / 60, "h"),
            _ => ((minutes + 720) / 1440, "days"),
        };
        write!(formatter, "this machine's clock is {count} {unit} {}", if self.is_ahead { "ahead" } else { "behind" })
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        error::Kind,
        system::{Clock, fake::FakeSystem},
    };

    /// The difference to a date, at 2026-11-22T00:00:00Z by this machine.
    fn skew(date: Option<&str>) -> Option<ClockSkew> {
        let headers = date.map(|date| ("date".to_owned(), date.to_owned())).into_iter().collect();
        let response = Response { status: 401, headers, body: Zeroizing::default(), host: "a.example".to_owned() };
        ClockSkew::of(&FakeSystem::default(), &response)
    }

    #[test]
    fn the_date_of_an_answer_shows_the_difference() {
        for (date, shown) in [
            ("Sat, 21 Nov 2026 21:00:20 GMT", "this machine's clock is 3 h ahead"),
            ("Sun, 22 Nov 2026 00:20:00 GMT", "this machine's clock is 20 min behind"),
            ("Sun, 22 Nov 2026 01:59:00 GMT", "this machine's clock is 119 min behind"),
            ("Sun, 15 Nov 2026 00:00:00 GMT", "this machine's clock is 7 days ahead"),
            ("Thu, 01 Jan 1970 00:00:01 GMT", "this machine's clock is 20779 days ahead"),
        ] {
            assert_eq!(skew(Some(date)).map(|skew| skew.to_string()).as_deref(), Some(shown), "{date}");
        }
        let error = skew(Some("Sat, 21 Nov 2026 21:00:00 GMT")).unwrap().explain(Error::new(Kind::Rejected, "refused"));
        assert_eq!(error.to_string(), "refused; this machine's clock is 3 h ahead: correct it");
    }

    #[test]
    fn clocks_that_agree_and_unknown_dates_show_nothing() {
        let tolerated = "Sun, 22 Nov 2026 00:05:00 GMT";
        for date in [None, Some(tolerated), Some("Sun, 22 Nov 2026 00:00:00 GMT"), Some("soon"), Some("")] {
            assert_eq!(skew(date), None, "{date:?}");
        }
    }

    #[test]
    fn only_a_token_that_would_arrive_expired_lives_longer() {
        let now = FakeSystem::default().now();
        let hours = |count: u64| Duration::from_secs(count * 3600);
        let ahead = skew(Some("Sat, 21 Nov 2026 21:00:00 GMT")).unwrap();
        assert_eq!(ahead.service_time(now), now - hours(3));
        assert_eq!(ahead.expiry(now, now - hours(2)), now + hours(1), "it lives for an hour by the service's clock");
        assert_eq!(ahead.expiry(now, now - hours(4)), now - hours(1), "it has expired by both");
        assert_eq!(ahead.expiry(now, now + hours(1)), now + hours(1));
        let behind = skew(Some("Sun, 22 Nov 2026 03:00:00 GMT")).unwrap();
        assert_eq!(behind.expiry(now, now + hours(4)), now + hours(1));
        assert_eq!(behind.expiry(now, now + hours(2)), now - hours(1));
    }
}
