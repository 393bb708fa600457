//! Why `az` failed, from what it prints on standard error.

use crate::{
    auth::program::{TokenProgram, without_secrets},
    error::{Error, Kind, truncate},
    registry::azure::{
        entra::Tenant,
        remedy::{self, Identity},
        sign_in_command::SignInCommand,
    },
    system::process::Output,
};

/// The longest quotation of az, in characters.
const QUOTED: usize = 100;

/// Texts that show that another az held the lock of the token file: `portalocker`, which az uses, fails with the system's
/// error. <https://github.com/Azure/azure-cli/issues/20273>, <https://github.com/Azure/azure-cli/issues/25485>
const LOCK: [&str; 8] = [
    "lockfile",
    "Errno 11]",
    "Errno 13]",
    "Can't get a lock",
    "LockException",
    "AlreadyLocked",
    "WinError 32]",
    "WinError 33]",
];

/// Texts with which `requests` and `urllib3`, which az uses, report a network failure.
const NETWORK: [&str; 6] =
    ["network connection", "Max retries exceeded", "ConnectionError", "Connection aborted", "ProxyError", "SSLError"];

/// The line before a traceback, which gives no reason.
const CRASH: &str = "The command failed with an unexpected error.";

/// Logins by managed identity and in the Cloud Shell belong to one tenant. Older versions of `az` reject the option;
/// since 2.91 they reject every tenant but their own, with another message.
pub(super) fn refuses_tenant(output: &Output) -> bool {
    let said = output.stderr_text();
    said.contains("Tenant shouldn't be specified") || said.contains("non-current tenants is not supported")
}

/// Whether another `az` held the lock.
pub(super) fn met_lock(output: &Output) -> bool {
    let said = output.stderr_text();
    contains_any(&said, &LOCK) && !said.contains("AADSTS")
}

/// The error of a run that failed. It advises a sign-in only where that helps.
pub(super) fn explain(az: &TokenProgram<'_>, output: &Output, tenant: &Tenant) -> Error {
    let said = output.stderr_text();
    let failed = |what: String, hint: &str| Error::new(Kind::Process, what).with_hint(hint);
    let login = format!("run `{}`", tenant.login(SignInCommand::Az));
    // az reads no variables of an application: its login holds the secret.
    let of_code = |code| remedy::of_code(code, Identity::Person(SignInCommand::Az));
    if let Some((code, remedy)) = remedy::codes(&said).find_map(|code| of_code(code).map(|remedy| (code, remedy))) {
        return failed(format!("{} (AADSTS{code})", remedy.meaning), &tenant.advice(remedy, SignInCommand::Az));
    }
    let quoted = error_line(&said).map(|line| format!("az failed: {line}"));
    let what = quoted.unwrap_or_else(|| az.failure(output).message().to_owned());
    if said.contains("AADSTS") {
        return failed(what, &login);
    }
    if met_lock(output) {
        return failed(what, "try again; if it fails again, check who owns the files of az");
    }
    if contains_any(&said, &NETWORK) {
        return failed(what, "check the network and the proxy of az");
    }
    if contains_any(&said, &["az login", "az account set"]) && !said.contains(CRASH) {
        return failed("az is not logged in".to_owned(), &login);
    }
    failed(what, az.hint)
}

fn contains_any(said: &str, signs: &[&str]) -> bool {
    signs.iter().any(|sign| said.contains(sign))
}

/// What az says of its failure, in one line.
fn error_line(said: &str) -> Option<String> {
    let mut lines = said.lines().filter_map(|line| line.trim().strip_prefix("ERROR:")).map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with(CRASH))?;
    Some(truncate(&without_secrets(line.split("Trace ID:").next().unwrap_or_default()), QUOTED))
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use zeroize::Zeroizing;

    use super::*;
    use crate::registry::azure::entra::ANY_ORGANISATION;

    const LOGIN: &str = "run `az login --tenant contoso.example --allow-no-subscriptions`";

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    const SEE: &str = "see why";

    fn failure(said: &str, tenant: &str) -> Error {
        let az = TokenProgram {
            name: "az",
            path: PathBuf::from("/bin/az"),
            limit: Duration::ZERO,
            variables: &[],
            hint: SEE,
        };
        let stderr = Zeroizing::new(said.as_bytes().to_vec());
        let output = Output { status: Some(1), stdout: Zeroizing::default(), stderr };
        explain(&az, &output, &Tenant::new(tenant).unwrap())
    }

    #[test]
    fn a_sign_in_is_advised_where_it_helps() {
        for (said, message, hint) in [
            ("ERROR: Please run 'az login' to setup account.\n", "az is not logged in", LOGIN),
            (
                "ERROR: No subscription found. Run \"az account set\" to select a subscription.",
                "az is not logged in",
                LOGIN,
            ),
            (
                "ERROR: AADSTS70043: expired\naz login --tenant t",
                "the login has ended: new password, long unused, or a policy (AADSTS70043)",
                LOGIN,
            ),
            (
                "ERROR: AADSTS99999: Something new. Trace ID: 1 Correlation ID: 2",
                "az failed: AADSTS99999: Something new.",
                LOGIN,
            ),
            (
                "ERROR: AADSTS53003: blocked",
                "a Conditional Access policy forbids this sign-in (AADSTS53003)",
                "sign in with a browser and not a device code, or ask the administrator of the tenant",
            ),
            ("ERROR: AADSTS7000215: Invalid client secret.", "az failed: AADSTS7000215: Invalid client secret.", LOGIN),
            (
                "ERROR: The command requires the extension account. Unable to prompt for extension install confirmation.",
                "az failed: The command requires the extension account. Unable to prompt for extension install confirmation.",
                SEE,
            ),
            (
                "ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded",
                "az failed: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded",
                "check the network and the proxy of az",
            ),
            (
                "ERROR: The command failed with an unexpected error. Here is the traceback:\nERROR: 'accessToken'\nTraceback (most recent call last):\n  run az login",
                "az failed: 'accessToken'",
                SEE,
            ),
            (
                "ERROR: [Errno 13] Permission denied: '/home/ada/.azure/msal_token_cache.json.lockfile'",
                "az failed: [Errno 13] Permission denied: '/home/ada/.azure/msal_token_cache.json.lockfile'",
                "try again; if it fails again, check who owns the files of az",
            ),
            (
                "Traceback (most recent call last):\nModuleNotFoundError: No module named 'azure'",
                "az ended with status 1",
                SEE,
            ),
            ("x-secret", "az ended with status 1", SEE),
            ("", "az ended with status 1", SEE),
        ] {
            let error = failure(said, "contoso.example");
            assert_eq!((error.message(), error.hint()), (message, Some(hint)), "{said}");
        }
    }

    #[test]
    fn every_code_is_explained() {
        for code in remedy::all_codes(Identity::Person(SignInCommand::Az)) {
            let error = failure(&format!("ERROR: AADSTS{code}: Text. Trace ID: 1\naz login --tenant t"), TENANT);
            assert!(error.message().ends_with(&format!(" (AADSTS{code})")), "{error}");
            assert!(error.message().chars().count() <= 100, "{error}");
            assert!(error.hint().is_some_and(|hint| hint.chars().count() <= 140), "{error}");
        }
    }

    #[test]
    fn the_advice_names_no_tenant_that_is_unknown() {
        let error = failure("ERROR: Please run 'az login' to setup account.", ANY_ORGANISATION);
        assert_eq!(error.hint(), Some("run `az login --allow-no-subscriptions`"));
        let error = failure("ERROR: AADSTS50076: more", TENANT);
        assert_eq!(
            error.to_string(),
            "multi-factor authentication is required (AADSTS50076); run `az login --tenant \
             72f988bf-86f1-41af-91ab-2d7cd011db47 --allow-no-subscriptions --scope \
             499b84ac-1321-427f-aa17-267ca6975798/.default`"
        );
    }

    #[test]
    fn a_quotation_is_one_line_that_ends() {
        let long = failure(&format!("ERROR: {}", "word ".repeat(60)), "contoso.example");
        assert!(long.message().chars().count() <= "az failed: ".len() + QUOTED + 1, "{long}");
        let lines = failure("WARNING: noise\r\nERROR: \u{1b}[31mone\u{7} line\r\nERROR: another", "contoso.example");
        assert_eq!(lines.message(), "az failed: [31mone line");
    }
}
