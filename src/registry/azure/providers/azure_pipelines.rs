//! A service connection on Azure Pipelines with workload identity federation: the job's token is exchanged for an
//! assertion, and that for a token of the connection's application.
//!
//! The job's token is itself a password for feeds, and `pat` takes precedence: this provider serves if it is chosen by
//! name.
//! <https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/azure-cli-v2> (`addSpnToEnvironment`
//! and `AzureCLI@2` set these variables)

use serde_json::json;
use url::Url;

use super::{Grant, Tenant, pat::PIPELINE_VARIABLE};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        job_token,
    },
    error::{Error, Kind, Result},
    registry::azure::{entra::request_token_by_assertion, retries::attempts},
    secret::Secret,
    system::{System, http::Request},
};

/// The URL at which a job requests an assertion.
const URL_VARIABLE: &str = "SYSTEM_OIDCREQUESTURI";

/// The service connection.
const CONNECTION_VARIABLE: &str = "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID";

/// The application behind it.
const CLIENT_VARIABLE: &str = "AZURESUBSCRIPTION_CLIENT_ID";

/// Its tenant.
const TENANT_VARIABLE: &str = "AZURESUBSCRIPTION_TENANT_ID";

/// Whether a service connection is set up.
pub(super) fn is_configured(system: &dyn System) -> bool {
    [URL_VARIABLE, CONNECTION_VARIABLE, CLIENT_VARIABLE].iter().all(|name| system.setting(name).is_some())
}

/// The provider.
pub(crate) struct AzurePipelines;

impl TokenProvider<Tenant, Grant> for AzurePipelines {
    fn name(&self) -> &'static str {
        "azure_pipelines"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let Some(url) = system.setting(URL_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {URL_VARIABLE}")));
        };
        let Some(connection) = system.setting(CONNECTION_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {CONNECTION_VARIABLE}")));
        };
        let Some(client_id) = system.setting(CLIENT_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {CLIENT_VARIABLE}")));
        };
        let Some(token) = system.secret_setting(PIPELINE_VARIABLE) else {
            return Err(Error::new(
                Kind::Configuration,
                format!("a service connection is set up and {PIPELINE_VARIABLE} is not passed on"),
            )
            .with_hint(format!(
                "add `{PIPELINE_VARIABLE}: $(System.AccessToken)` to the `env` of the step (and choose the provider \
                 azure_pipelines, unless the job's own token is to be used)"
            )));
        };
        let tenant = match system.setting(TENANT_VARIABLE) {
            Some(id) => tenant.named(&id)?,
            None => tenant.of_application(system)?,
        };
        let assertion = ask(system, &url, &connection, &token)?;
        request_token_by_assertion(system, &tenant, &client_id, assertion.secret().expose())
            .map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}

fn ask(system: &dyn System, url: &str, connection: &str, token: &Secret) -> Result<AccessToken> {
    let mut url =
        Url::parse(url).map_err(|_| Error::new(Kind::Configuration, format!("{URL_VARIABLE} is not a URL")))?;
    url.query_pairs_mut().append_pair("api-version", "7.1").append_pair("serviceConnectionId", connection);
    let request = Request::post_json(url, &json!({}))
        .header("Accept", "application/json")
        .bearer(token)
        .with_attempts(attempts(system));
    let hint = "is the pipeline allowed to use the service connection?";
    job_token::ask(system, &request, token, "Azure Pipelines", "oidcToken", hint)
}
