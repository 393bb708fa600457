//! The helper that GitHub Codespaces installs in the home directory: `~/ado-auth-helper`.
//! <https://github.com/microsoft/ado-codespaces-auth>

use std::{path::PathBuf, time::Duration};

use super::{Grant, Tenant};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        program::TokenProgram,
    },
    error::Result,
    system::{System, places},
};

/// How long the helper may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The helper, if installed.
pub(crate) fn program(system: &dyn System) -> Option<PathBuf> {
    system.program_at(&places::home(system)?.join("ado-auth-helper"))
}

/// The provider.
pub(crate) struct AdoAuthHelper;

impl TokenProvider<Tenant, Grant> for AdoAuthHelper {
    fn name(&self) -> &'static str {
        "ado_auth_helper"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        // No file says who is signed in with the helper, so that another login would not change the cache key.
        CachePolicy::Waiters
    }

    fn token(&self, system: &dyn System, _tenant: &Tenant) -> Result<Attempt<Grant>> {
        let Some(path) = program(system) else {
            return Ok(Attempt::not_configured("no ~/ado-auth-helper"));
        };
        let helper = TokenProgram {
            name: "~/ado-auth-helper",
            path,
            limit: LIMIT,
            variables: &[],
            hint: "sign in with the Azure DevOps extension of the codespace",
        };
        helper.token(system, &["get-access-token"]).map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}
