//! The metadata service of EC2, version 2.

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

/// The source.
pub(crate) struct Instance;

impl TokenProvider<Wanted, Keys> for Instance {
    fn name(&self) -> &'static str {
        "instance"
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
