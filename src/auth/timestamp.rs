//! Points in time, as services and files write them.

use std::time::{Duration, SystemTime};

/// Reads a timestamp in the form of RFC 3339, to the second; `None` before 1970.
#[must_use]
pub(crate) fn rfc3339(text: &str) -> Option<SystemTime> {
    unix(u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_second()).ok()?)
}

/// A timestamp in the form of RFC 3339, to the second, in UTC; `None` if it has none.
#[must_use]
pub(crate) fn to_rfc3339(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

/// The point in time this many seconds after 1970.
#[must_use]
pub(crate) fn unix(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_before_1970_and_other_texts_are_none() {
        assert_eq!(rfc3339("1970-01-01T00:01:00.5Z"), unix(60));
        assert_eq!(to_rfc3339(unix(60).unwrap()).as_deref(), Some("1970-01-01T00:01:00Z"));
        for text in ["0001-01-01T00:00:00Z", "", "tomorrow", "2026-11-22"] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }
}
