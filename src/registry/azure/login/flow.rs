//! The parameters and the time limit of a sign-in, whichever its method.

use std::time::Duration;

use super::token::{Owner, Tokens};
use crate::{
    error::{Error, Kind, LONGEST_NAME, Result, without_middle},
    registry::{azure::entra::Tenant, sign_in::Step},
    system::System,
};

/// How long a sign-in may take unless a variable sets another limit: as long as a device code is valid.
pub(in crate::registry::azure) const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How often the time left is shown.
const TICK: Duration = Duration::from_secs(1);

/// Takes each step as it happens.
pub(in crate::registry::azure) type Show<'all> = &'all mut dyn FnMut(&Step<'_>);

/// A sign-in: to which client of which tenant, and as whom.
pub(in crate::registry::azure) struct Flow<'all> {
    /// The system.
    pub(in crate::registry::azure) system: &'all dyn System,
    /// The client.
    pub(in crate::registry::azure) client_id: &'all str,
    /// The tenant.
    pub(in crate::registry::azure) tenant: &'all Tenant,
    /// The organisation, for the pages of the browser.
    pub(in crate::registry::azure) organisation: &'all str,
    /// The account that must sign in; `None` for any.
    pub(in crate::registry::azure) account: Option<&'all str>,
    /// The account that the sign-in page proposes.
    pub(in crate::registry::azure) hint: Option<&'all str>,
    /// Whether the password is asked for again.
    pub(in crate::registry::azure) is_fresh: bool,
    /// How long the person has.
    pub(in crate::registry::azure) limit: Duration,
}

impl Flow<'_> {
    /// Checks that the expected account has signed in.
    pub(super) fn accept(&self, tokens: &Tokens) -> Result<Owner> {
        let owner = tokens.owner()?;
        match self.account {
            Some(expected) if !expected.eq_ignore_ascii_case(&owner.username) => {
                let shown = |name: &str| without_middle(name, LONGEST_NAME);
                let what = format!("{} signed in, and not {}", shown(&owner.username), shown(expected));
                let hint = "this login is not kept: sign in again and choose the other account";
                Err(Error::new(Kind::Rejected, what).with_hint(hint))
            }
            _ => Ok(owner),
        }
    }
}

/// The time that a person has left.
pub(super) struct Countdown<'all> {
    system: &'all dyn System,
    limit: Duration,
    /// The time that remained of the lookup at the start. Changes of the system's clock do not affect it.
    start: Duration,
}

impl<'all> Countdown<'all> {
    /// Starts. The lookup may end earlier.
    pub(super) fn new(system: &'all dyn System, limit: Duration) -> Self {
        let start = system.remaining();
        Self { system, limit: limit.min(start), start }
    }

    /// The error after the end.
    pub(super) fn over(&self) -> Error {
        if let Err(error) = self.system.check() {
            return error;
        }
        let what = match self.limit.as_secs() {
            seconds @ ..120 => format!("nobody signed in within {seconds} s"),
            seconds => format!("nobody signed in within {} minutes", seconds / 60),
        };
        Error::new(Kind::Timeout, what).with_hint("run `ringbearer login URL` again")
    }

    /// The time left; `None` if it is over.
    pub(super) fn left(&self) -> Option<Duration> {
        let elapsed = self.start.saturating_sub(self.system.remaining());
        self.limit.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// Waits, at most until the end, and shows the time left meanwhile.
    pub(super) fn pause(&self, length: Duration, show: Show<'_>) -> Result<()> {
        let mut rest = length;
        while let Some(left) = self.left().filter(|_| !rest.is_zero()) {
            show(&Step::Waits { remaining: left });
            let tick = rest.min(TICK).min(left);
            self.system.pause(tick)?;
            rest = rest.saturating_sub(tick);
        }
        Ok(())
    }

    /// How long to wait for the browser before the time left is shown again.
    pub(super) fn tick(left: Duration) -> Duration {
        left.min(TICK)
    }
}
