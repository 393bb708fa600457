//! How long a token is to live.
//! <https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAuthorizationToken.html>

use super::section::Section;
use crate::{auth::warning, system::System};

/// The variable that says it, in seconds. As other variables, it has precedence over files.
pub(super) const VARIABLE: &str = "RINGBEARER_CODEARTIFACT_DURATION";

/// Unless something else is configured, the lifetime that keyrings.codeartifact asks for, in seconds.
const DEFAULT: u32 = 3600;

/// The lifetime to ask for, in seconds; 0 for that of the session of the access key. It comes from [`VARIABLE`], then from
/// `token_duration` of the section. What the service does not accept (not 0, nor 900 to 43200) is one WARNING, and counts as
/// left out.
pub(super) fn read(system: &dyn System, section: &Section) -> u32 {
    let named =
        [(VARIABLE, system.setting(VARIABLE)), ("token_duration of keyringrc.cfg", section.token_duration.clone())];
    named.into_iter().find_map(|(place, value)| seconds(place, value?.trim())).unwrap_or(DEFAULT)
}

fn seconds(place: &str, value: &str) -> Option<u32> {
    let accepted = value.parse().ok().filter(|seconds| matches!(seconds, 0 | 900..=43200));
    if accepted.is_none() {
        warning::once(&format!(
            "{place} is ignored: it should be 900 to 43200 seconds, or 0 for as long as the session of the access key lasts"
        ));
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    fn duration(variable: &str, section: Option<&str>) -> u32 {
        let system = FakeSystem::default().variable(VARIABLE, variable);
        read(&system, &Section { token_duration: section.map(str::to_owned), ..Section::default() })
    }

    #[test]
    fn the_variable_counts_before_the_section() {
        for (variable, section, expected) in [
            ("", None, 3600),
            ("", Some("900"), 900),
            ("", Some(" 43200 "), 43200),
            ("", Some("0"), 0),
            ("1800", Some("900"), 1800),
            ("0", Some("900"), 0),
        ] {
            assert_eq!(duration(variable, section), expected, "{variable:?} {section:?}");
        }
    }

    #[test]
    fn what_the_service_does_not_accept_is_left_out() {
        for wrong in ["abc", "60", "899", "43201", "50000", "-1", "3600.5", "1h", "4294967296900"] {
            assert_eq!(duration("", Some(wrong)), 3600, "{wrong}");
            assert_eq!(duration(wrong, Some("900")), 900, "{wrong}");
        }
    }
}
