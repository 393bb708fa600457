//! The login of the Azure CLI: the token that it has cached ([`state`]), or `az account get-access-token`.
//! <https://learn.microsoft.com/cli/azure/account#az-account-get-access-token>

mod failure;
pub(crate) mod state;

use std::time::Duration;

use log::debug;

use super::{Grant, Tenant};
use crate::{
    auth::{
        access_token::{AccessToken, Malformed},
        cache_key::is_there,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        program::TokenProgram,
    },
    error::{Error, Kind, Result},
    registry::azure::{entra::AZURE_DEVOPS, sign_in_command::SignInCommand},
    secret::Secret,
    system::{System, process::Output},
};

/// The limit of `az`. It is Python and starts slowly; a sign-in that waits for a person never ends.
const LIMIT: Duration = Duration::from_secs(30);

/// The pause before az runs again. It holds its lock for some milliseconds.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// What to do if a failure of az is not about its login.
const SEE_WHY: &str = "run `az account get-access-token --query expiresOn` to see why";

/// Without them az may ask whether to collect telemetry, or print that an update is available.
const VARIABLES: [(&str, &str); 3] = [
    ("AZURE_CORE_NO_COLOR", "true"),
    ("AZURE_CORE_COLLECT_TELEMETRY", "false"),
    ("AZURE_CORE_ONLY_SHOW_ERRORS", "true"),
];

/// Whether az is installed, or somebody is logged in with it.
pub(super) fn is_configured(system: &dyn System) -> bool {
    system.find_program("az").is_some() || state::profile(system).is_some_and(|profile| is_there(system, &profile))
}

/// The provider.
pub(crate) struct AzureCli;

impl TokenProvider<Tenant, Grant> for AzureCli {
    fn name(&self) -> &'static str {
        "azure_cli"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, system: &dyn System) -> CachePolicy {
        match state::profile(system) {
            // Without a folder of its own, az looks for its login in the working directory.
            None => CachePolicy::Never,
            Some(profile) if is_there(system, &profile) => CachePolicy::Session,
            Some(_) => CachePolicy::Waiters,
        }
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        match state::token(system, tenant) {
            Ok(token) => {
                debug!(step = "azure_cli", outcome = "noted"; "by the token that az has cached; az need not run");
                Ok(Attempt::Token(Grant::CachedBearer(token)))
            }
            Err(why) => {
                debug!("azure_cli: az is asked, since {why}");
                print_token(system, tenant)
            }
        }
    }

    fn newer_token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        print_token(system, tenant)
    }
}

/// Asks az for a token.
fn print_token(system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
    let Some(path) = system.find_program("az") else {
        return Ok(Attempt::not_configured("no az on PATH"));
    };
    let az = TokenProgram { name: "az", path, limit: LIMIT, variables: &VARIABLES, hint: SEE_WHY };
    let mut output = run(&az, system, &arguments(Some(&tenant.id)))?;
    let mut chosen = true;
    if !output.is_success() && failure::refuses_tenant(&output) {
        debug!("azure_cli: this login refuses --tenant, asking without");
        output = run(&az, system, &arguments(None))?;
        chosen = false;
    }
    if !output.is_success() {
        return Err(failure::explain(&az, &output, tenant));
    }
    let token = read(&output).map_err(|malformed| az.malformed(malformed))?;
    if !chosen && token.claims().is_some_and(|claims| tenant.differs_from(&claims)) {
        return Err(Error::new(Kind::Process, "az is logged in as an identity of another tenant")
            .with_hint(format!("run `{}`", tenant.login(SignInCommand::Az))));
    }
    Ok(Attempt::Token(Grant::Bearer(token)))
}

/// Runs az, once more if another one holds its lock.
fn run(az: &TokenProgram<'_>, system: &dyn System, arguments: &[&str]) -> Result<Output> {
    let output = az.run(system, arguments)?;
    if output.is_success() || !failure::met_lock(&output) {
        return Ok(output);
    }
    debug!("azure_cli: another az holds its lock, running it again");
    system.pause(LOCK_PAUSE)?;
    az.run(system, arguments)
}

fn arguments(tenant: Option<&str>) -> Vec<&str> {
    let mut arguments = vec!["account", "get-access-token", "--resource", AZURE_DEVOPS];
    if let Some(tenant) = tenant {
        arguments.extend(["--tenant", tenant]);
    }
    arguments.extend(["--query", "accessToken", "--output", "json"]);
    arguments
}

/// The token, which az prints as a JSON string.
fn read(output: &Output) -> std::result::Result<AccessToken, Malformed> {
    let text: Secret = serde_json::from_slice(&output.stdout).map_err(|_| Malformed::NotAToken)?;
    AccessToken::parse(text.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    const WITH_TENANT: [&str; 10] = [
        "account",
        "get-access-token",
        "--resource",
        AZURE_DEVOPS,
        "--tenant",
        "contoso.example",
        "--query",
        "accessToken",
        "--output",
        "json",
    ];

    fn ask(fake: &FakeSystem) -> Result<Attempt<Grant>> {
        AzureCli.token(fake, &Tenant::new("contoso.example").unwrap())
    }

    #[test]
    fn the_token_is_the_json_string_that_az_prints() {
        let fake = FakeSystem::default().run("az", &WITH_TENANT, 0, "\"token\"\n", "WARNING: noise");
        let Attempt::Token(Grant::Bearer(token)) = ask(&fake).unwrap() else { panic!("no bearer") };
        assert_eq!(token.secret().expose(), "token");
        for printed in ["", "null", "\"\"", "{}", "token"] {
            let error = ask(&FakeSystem::default().run("az", &WITH_TENANT, 0, printed, "")).unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol, "{printed}");
        }
    }

    #[test]
    fn without_az_there_is_nothing_to_run() {
        assert!(matches!(ask(&FakeSystem::default()), Ok(Attempt::NotConfigured(_))));
    }

    #[test]
    fn a_login_that_refuses_the_tenant_is_asked_without_it() {
        let without: Vec<_> =
            WITH_TENANT.iter().copied().filter(|word| !word.contains("tenant") && !word.contains("contoso")).collect();
        for said in [
            "ERROR: Tenant shouldn't be specified for managed identity account",
            "ERROR: For managed identity account, getting access token for non-current tenants is not supported.",
        ] {
            let fake =
                FakeSystem::default().run("az", &WITH_TENANT, 1, "", said).run("az", &without, 0, "\"token\"", "");
            assert!(matches!(ask(&fake), Ok(Attempt::Token(_))));
            fake.assert_done();
        }
    }

    #[test]
    fn az_that_meets_a_lock_runs_once_more() {
        for said in [
            "ERROR: [Errno 11] Resource temporarily unavailable",
            "ERROR: [Errno 13] Permission denied: '/home/ada/.azure/msal_token_cache.json.lockfile'",
            "ERROR: Can't get a lock",
            "portalocker.exceptions.LockException: (1, 'Permission denied')",
        ] {
            let fake =
                FakeSystem::default().run("az", &WITH_TENANT, 1, "", said).run("az", &WITH_TENANT, 0, "\"t\"", "");
            assert!(matches!(ask(&fake), Ok(Attempt::Token(_))), "{said}");
            assert_eq!(fake.pauses(), [LOCK_PAUSE]);
            fake.assert_done();
            let fake = FakeSystem::default().run("az", &WITH_TENANT, 1, "", said).run("az", &WITH_TENANT, 1, "", said);
            assert!(!ask(&fake).unwrap_err().to_string().contains("az login"), "{said}");
            fake.assert_done();
        }
    }

    #[test]
    fn other_failures_of_az_are_final() {
        for said in ["ERROR: Please run 'az login' to setup account.", "ERROR: AADSTS50076: at the lockfile", ""] {
            let fake = FakeSystem::default().run("az", &WITH_TENANT, 1, "", said);
            assert!(ask(&fake).is_err(), "{said}");
            assert_eq!(fake.pauses(), []);
        }
    }
}
