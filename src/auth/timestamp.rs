//! Points in time, as services and files write them.

use std::time::{Duration, SystemTime};

/// Reads a timestamp in the form of RFC 3339, to the second; `None` before 1970.
#[must_use]
pub(crate) fn rfc3339(text: &str) -> Option<SystemTime> {
    unix(u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_second()).ok()?)
}

/// A timestamp in the form of RFC 3339, to the second, in UTC; `None` before 1970 and after the year 9999.
#[must_use]
pub(crate) fn to_rfc3339(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

/// Reads the date of an HTTP header (RFC 9110, section 5.6.7); `None` before 1970.
#[must_use]
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    unix(u64::try_from(date.as_second()).ok()?)
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

    #[test]
    fn the_date_of_a_header_is_read_in_its_usual_form() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), unix(784_111_777));
        for text in ["", "1994-11-06T08:49:37Z", "Wed, 31 Dec 1969 23:59:59 GMT", "Sun, 06 Nov 1994"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }
}
