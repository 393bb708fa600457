//! The metadata server of Google's machines and containers.
//! <https://cloud.google.com/compute/docs/metadata/overview>

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
pub(super) struct Metadata;

impl TokenProvider<Known, Grant> for Metadata {
    fn name(&self) -> &'static str {
        "metadata"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, _system: &dyn System, _known: &Known) -> Result<Attempt<Grant>> {
        Ok(Attempt::not_configured("this machine is not one of Google's"))
    }
}
