//! The active account of gcloud: that of `gcloud auth login` or `gcloud auth activate-service-account`.

use super::Known;
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::Result,
    registry::google::grant::Grant,
    system::System,
};

/// The source.
pub(super) struct Gcloud;

impl TokenProvider<Known, Grant> for Gcloud {
    fn name(&self) -> &'static str {
        "gcloud"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, _system: &dyn System, _known: &Known) -> Result<Attempt<Grant>> {
        Ok(Attempt::not_configured("no gcloud on PATH"))
    }
}
