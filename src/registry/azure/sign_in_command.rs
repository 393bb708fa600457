//! The command that signs a person in, for advice.

use crate::system::System;

/// A command that signs a person in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignInCommand {
    /// `az login`.
    Az,
    /// `ringbearer login`.
    Ringbearer,
}

impl SignInCommand {
    /// That of az where it is installed.
    #[must_use]
    pub(super) fn of(system: &dyn System) -> Self {
        if system.find_program("az").is_some() { Self::Az } else { Self::Ringbearer }
    }

    /// The command line for a tenant, or for none in particular.
    ///
    /// az refuses an account that has no subscription, unless the option allows it.
    /// <https://learn.microsoft.com/cli/azure/reference-index#az-login>
    #[must_use]
    pub(super) fn text(self, tenant: Option<&str>) -> String {
        match (self, tenant) {
            (Self::Az, Some(tenant)) => format!("az login --tenant {tenant} --allow-no-subscriptions"),
            (Self::Az, None) => "az login --allow-no-subscriptions".to_owned(),
            // The index names the tenant.
            (Self::Ringbearer, _) => "ringbearer login URL".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn az_is_advised_where_it_is_installed() {
        assert_eq!(SignInCommand::of(&FakeSystem::default().program("az")), SignInCommand::Az);
        assert_eq!(SignInCommand::of(&FakeSystem::default()), SignInCommand::Ringbearer);
    }

    #[test]
    fn az_is_advised_to_allow_an_account_without_subscription() {
        let text = |tenant| SignInCommand::Az.text(tenant);
        assert_eq!(text(Some("contoso.example")), "az login --tenant contoso.example --allow-no-subscriptions");
        assert_eq!(text(None), "az login --allow-no-subscriptions");
    }
}
