//! The login of the Azure Developer CLI: `azd auth token`.
//! <https://learn.microsoft.com/azure/developer/azure-developer-cli/reference#azd-auth-token>

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{Grant, Tenant, ado_auth_helper};
use crate::{
    auth::{
        access_token::{AccessToken, Malformed},
        cache_key::is_there,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        program::TokenProgram,
        timestamp,
    },
    error::Result,
    registry::azure::entra::AZURE_DEVOPS,
    secret::Secret,
    system::{System, places},
};

/// How long `azd` may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The maximum size of its configuration in bytes.
const LONGEST_CONFIGURATION: usize = 1024 * 1024;

/// The provider.
pub(crate) struct Azd;

impl TokenProvider<Tenant, Grant> for Azd {
    fn name(&self) -> &'static str {
        "azd"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, system: &dyn System) -> CachePolicy {
        if login(system).is_empty() {
            return CachePolicy::Never;
        }
        // A sign-in with the helper, which has precedence, would not change the cache key.
        let has_helper = ado_auth_helper::program(system).is_some();
        if !has_helper && keeps_its_login(system) { CachePolicy::Session } else { CachePolicy::Waiters }
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let Some(path) = system.find_program("azd") else {
            return Ok(Attempt::not_configured("no azd on PATH"));
        };
        let scope = format!("{AZURE_DEVOPS}/.default");
        let arguments =
            ["auth", "token", "--output", "json", "--no-prompt", "--scope", &scope, "--tenant-id", &tenant.id];
        let hint = format!("run `azd auth login --tenant-id {}`", tenant.id);
        let azd = TokenProgram { name: "azd", path, limit: LIMIT, variables: &[("NO_COLOR", "1")], hint: &hint };
        let output = azd.output(system, &arguments)?;
        let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|_| azd.malformed(Malformed::NotAToken))?;
        let token = AccessToken::parse(answer.token.expose()).map_err(|malformed| azd.malformed(malformed))?;
        let expires = answer.expires_on.as_deref().and_then(timestamp::rfc3339);
        Ok(Attempt::Token(Grant::Bearer(token.with_expiry(expires))))
    }
}

/// The files that state who is logged in with azd, and whether it uses the login of az.
/// <https://github.com/Azure/azure-dev/blob/main/cli/azd/pkg/auth/manager.go>
pub(crate) fn login(system: &dyn System) -> Vec<PathBuf> {
    let folder = system.setting("AZD_CONFIG_DIR").map(PathBuf::from);
    let folder = folder.or_else(|| Some(places::home(system)?.join(".azd"))).filter(|folder| folder.is_absolute());
    folder.map_or_else(Vec::new, |folder| ["auth.json", "config.json"].map(|name| folder.join(name)).to_vec())
}

/// Whether azd has a login of its own. Its configuration may select that of az, and an editor that starts it may
/// supply the editor's.
pub(crate) fn keeps_its_login(system: &dyn System) -> bool {
    let [login, configuration] = &login(system)[..] else { return false };
    let takes_that_of_az = match system.read_file(configuration, LONGEST_CONFIGURATION) {
        Ok(text) => text.windows(12).any(|word| word == b"useAzCliAuth"),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    is_there(system, login) && !takes_that_of_az && system.setting("AZD_AUTH_ENDPOINT").is_none()
}

#[derive(Deserialize)]
struct Answer {
    token: Secret,
    #[serde(rename = "expiresOn")]
    expires_on: Option<String>,
}
