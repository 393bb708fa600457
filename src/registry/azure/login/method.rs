//! The method of a sign-in: a browser where the person sees one, else a device code.

use log::debug;
use url::Url;

use crate::{
    auth::browser,
    error::Result,
    registry::{azure::credprovider, sign_in::Method},
    system::System,
};

/// The method: the one that was asked for, that of artifacts-credprovider's variable, or the best one here. A device code does
/// not satisfy every policy, so that a browser comes first.
pub(in crate::registry::azure) fn choose(system: &dyn System, wanted: Option<Method>) -> Method {
    let forced = || {
        let can_show = credprovider::can_show_dialog(system)?;
        Some(if can_show { Method::Browser } else { Method::DeviceCode })
    };
    wanted.or_else(forced).unwrap_or_else(|| match browser::find(system) {
        Ok(_) => Method::Browser,
        Err(why) => {
            debug!(step = "sign_in", outcome = "noted"; "by a device code, since {why}");
            Method::DeviceCode
        }
    })
}

/// Opens the sign-in page in a browser, also where the person may not see it: the method is chosen already. Returns whether
/// one has started.
pub(super) fn open(system: &dyn System, page: &Url) -> Result<bool> {
    let opened = match browser::find_forced(system) {
        Ok(browser) => browser.open(system, page),
        Err(why) => {
            debug!(step = "browser", outcome = "noted"; "none is opened, since {why}");
            return Ok(false);
        }
    };
    match opened {
        Err(error) if error.ends_the_lookup() => Err(error),
        outcome => Ok(outcome.is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn the_option_beats_the_variable_and_the_variable_the_machine() {
        let variable = "ARTIFACTS_CREDENTIALPROVIDER_FORCE_CANSHOWDIALOG_TO";
        for (value, wanted, expected) in [
            ("", None, Method::DeviceCode),
            ("true", None, Method::Browser),
            ("FALSE", None, Method::DeviceCode),
            ("true", Some(Method::DeviceCode), Method::DeviceCode),
            ("false", Some(Method::Browser), Method::Browser),
        ] {
            // There is no display.
            let fake = FakeSystem::default().variable(variable, value);
            assert_eq!(choose(&fake, wanted), expected, "{value} {wanted:?}");
        }
    }
}
