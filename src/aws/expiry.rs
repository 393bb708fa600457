//! When a session ends, as AWS's services, files and programs write it.

use std::time::{Duration, SystemTime};

use crate::auth::timestamp;

/// Reads a time in the format of RFC 3339, which may end in `UTC` instead of `Z`; `None` before 1970.
#[must_use]
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    match text.strip_suffix("UTC") {
        Some(time) => timestamp::rfc3339(&format!("{}Z", time.trim_end())),
        None => timestamp::rfc3339(text),
    }
}

/// The time this many seconds after 1970; `None` before 1970, and for one that the system cannot represent.
#[must_use]
pub(crate) fn from_seconds(seconds: f64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_several_forms() {
        let time = timestamp::unix(1_796_042_096);
        for text in [
            "2026-11-30T12:34:56Z",
            " 2026-11-30T12:34:56UTC\n",
            "2026-11-30T12:34:56 UTC",
            "2026-11-30T12:34:56+00:00",
            "2026-11-30T13:34:56+01:00",
            "2026-11-30T12:34:56.789Z",
            "2026-11-30T12:34:56.789123UTC",
        ] {
            assert_eq!(parse(text), time, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_time() {
        for text in ["", "UTC", "Z", "1796042096", "2026-11-30", "2026-11-30T12:34:56", "1969-12-31T23:59:59Z", "soon"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_count_from_1970() {
        let time = timestamp::unix(1_796_042_096).unwrap();
        assert_eq!(from_seconds(1_796_042_096.0), Some(time));
        assert_eq!(from_seconds(1_796_042_096.5), Some(time + Duration::from_millis(500)));
    }

    #[test]
    fn impossible_numbers_are_no_time() {
        for seconds in [-1.0, f64::NAN, f64::INFINITY, f64::MAX, 1e19] {
            assert_eq!(from_seconds(seconds), None, "{seconds}");
        }
    }
}
