//! The number of attempts for a request, as artifacts-keyring-nofuss has it.

use log::debug;

use crate::system::{System, http::ATTEMPTS};

/// The environment variable with the number of attempts, 1 to 10.
const VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_RETRIES";

/// The number of attempts for a request, the first included.
pub(super) fn attempts(system: &dyn System) -> u32 {
    let Some(value) = system.setting(VARIABLE) else { return ATTEMPTS };
    let Ok(attempts) = value.parse::<i64>() else {
        debug!("{VARIABLE} is not a number: using {ATTEMPTS}");
        return ATTEMPTS;
    };
    u32::try_from(attempts.clamp(1, 10)).unwrap_or(ATTEMPTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn the_number_of_attempts_is_clamped_to_ten() {
        for (value, expected) in [("1", 1), ("10", 10), ("11", 10), ("0", 1), ("-1", 1), ("many", 3), ("", 3)] {
            assert_eq!(attempts(&FakeSystem::default().variable(VARIABLE, value)), expected, "{value:?}");
        }
    }
}
