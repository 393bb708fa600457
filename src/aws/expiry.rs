//! When a session ends, as AWS's services, files and programs write it.

use std::time::SystemTime;

use crate::auth::timestamp;

/// Reads a time in the forms that AWS's files and services have: RFC 3339, with `UTC` in place of `Z` too.
#[must_use]
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    match text.strip_suffix("UTC") {
        Some(time) => timestamp::rfc3339(&format!("{}Z", time.trim_end())),
        None => timestamp::rfc3339(text),
    }
}
