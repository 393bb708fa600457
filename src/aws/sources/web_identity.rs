//! The identity token of a workload or a CI job, exchanged for the keys of a role.

use super::Wanted;
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    aws::keys::Keys,
    error::Result,
    system::System,
};

/// The token in the file that AWS_WEB_IDENTITY_TOKEN_FILE names, as Kubernetes sets it up.
pub(crate) struct WebIdentity;

impl TokenProvider<Wanted, Keys> for WebIdentity {
    fn name(&self) -> &'static str {
        "web_identity"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, _system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Keys>> {
        Ok(Attempt::not_configured("to be written"))
    }
}

/// The identity token of a CI job, for the role in AWS_ROLE_ARN.
pub(crate) struct Job;

impl TokenProvider<Wanted, Keys> for Job {
    fn name(&self) -> &'static str {
        "ci_job"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, _system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Keys>> {
        Ok(Attempt::not_configured("to be written"))
    }
}
