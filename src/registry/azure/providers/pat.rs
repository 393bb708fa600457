//! A personal access token, or the token of a pipeline's job: passwords that need no exchange.

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

/// A personal access token, in the variable of the `az devops` extension.
/// <https://learn.microsoft.com/azure/devops/cli/log-in-via-pat>
pub(crate) const PAT_VARIABLE: &str = "AZURE_DEVOPS_EXT_PAT";

/// The token of a job on Azure Pipelines, which a step must map into its environment.
/// <https://learn.microsoft.com/azure/devops/pipelines/build/variables#systemaccesstoken>
pub(crate) const PIPELINE_VARIABLE: &str = "SYSTEM_ACCESSTOKEN";

/// The provider.
pub(crate) struct Pat;

impl TokenProvider<Feed, Grant> for Pat {
    fn name(&self) -> &'static str {
        "pat"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        let name = if system.secret_setting(PAT_VARIABLE).is_some() { PAT_VARIABLE } else { PIPELINE_VARIABLE };
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
