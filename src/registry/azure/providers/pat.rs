//! A personal access token, or a pipeline's own token: passwords as they are.

use log::debug;

use super::{Feed, Grant};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::Result,
    system::System,
};

/// A personal access token, under the name that the `az devops` extension gave it.
/// <https://learn.microsoft.com/azure/devops/cli/log-in-via-pat>
pub(crate) const PAT_VARIABLE: &str = "AZURE_DEVOPS_EXT_PAT";

/// The token of a job on Azure Pipelines, where the job passes it on.
/// <https://learn.microsoft.com/azure/devops/pipelines/build/variables#systemaccesstoken>
pub(crate) const PIPELINE_VARIABLE: &str = "SYSTEM_ACCESSTOKEN";

/// The provider.
pub(crate) struct Pat;

impl TokenProvider<Feed, Grant> for Pat {
    fn name(&self) -> &'static str {
        "pat"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        let name = if system.setting(PAT_VARIABLE).is_some() { PAT_VARIABLE } else { PIPELINE_VARIABLE };
        Origin::Explicit(name.into())
    }

    fn token(&self, system: &dyn System, _feed: &Feed) -> Result<Attempt<Grant>> {
        for name in [PAT_VARIABLE, PIPELINE_VARIABLE] {
            if let Some(token) = AccessToken::from_variable(system, name)? {
                debug!(step = "pat", outcome = "found"; "the token in {name}");
                return Ok(Attempt::Token(Grant::password(token)));
            }
        }
        Ok(Attempt::not_configured(format!("no {PAT_VARIABLE}, no {PIPELINE_VARIABLE}")))
    }
}
