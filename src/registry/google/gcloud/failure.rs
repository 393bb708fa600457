//! Why gcloud failed, from what it prints on standard error.

use crate::registry::google::refusal::SESSION_LIMIT;
use crate::{
    auth::program::{TokenProgram, without_secrets},
    error::{Error, Kind, LONGEST_NAME, quote, truncate, without_middle},
    system::process::Output,
};

/// The longest quotation of gcloud, in characters.
const QUOTED: usize = 120;

/// The prefix of an error, and the command that may follow it.
const ERROR: &str = "ERROR:";
const COMMAND: &str = "(gcloud.config.config-helper)";

/// The command that signs in.
const LOGIN: &str = "run `gcloud auth login`";

/// Texts that show that the organisation asks for a new sign-in after some hours.
/// <https://support.google.com/a/answer/9368756>
const REAUTHENTICATION: [&str; 5] =
    ["Reauthentication", "reauthenticat", "reauth related error", "invalid_rapt", "rapt_required"];

/// Texts that show that the active account may not impersonate another one.
const IMPERSONATION: [&str; 3] =
    ["ailed to impersonate", "iam.serviceAccounts.getAccessToken", "serviceAccountTokenCreator"];

/// Texts with which `requests`, `urllib3` and `httplib2`, which gcloud uses, report a network failure.
const NETWORK: [&str; 7] = [
    "network connection",
    "Max retries exceeded",
    "ConnectionError",
    "Connection aborted",
    "ProxyError",
    "SSLError",
    "Unable to find the server",
];

/// Whether gcloud does not know an option.
pub(super) fn refuses(output: &Output, option: &str) -> bool {
    let said = output.stderr_text();
    said.contains("unrecognized arguments") && said.contains(option)
}

/// The error of a run that failed. It advises a sign-in only where that helps.
pub(super) fn explain(gcloud: &TokenProgram<'_>, output: &Output, impersonated: Option<&str>) -> Error {
    let said = output.stderr_text();
    let failed = |what: &str, hint: &str| Error::new(Kind::Process, what).with_hint(hint);
    let contains_any = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if said.contains("not currently have an active account") {
        return failed("gcloud has no active account", LOGIN);
    }
    if contains_any(&REAUTHENTICATION) {
        return failed(SESSION_LIMIT, LOGIN);
    }
    let ended = gcloud.failure(output);
    let what = match error_line(&said) {
        Some(line) => format!("{}: {line}", ended.message()),
        None => ended.message().to_owned(),
    };
    if let Some(account) = impersonated.filter(|_| contains_any(&IMPERSONATION)) {
        let account = without_middle(&quote(account, &[]), LONGEST_NAME);
        let hint = "give the active account roles/iam.serviceAccountTokenCreator on that service account";
        return failed(&format!("the active account of gcloud may not impersonate {account}"), hint);
    }
    if contains_any(&NETWORK) {
        return failed(&what, "check the network and the proxy of gcloud");
    }
    if said.contains("gcloud auth activate-service-account") {
        return failed(&what, "run `gcloud auth activate-service-account --key-file=FILE`");
    }
    failed(&what, if said.contains("gcloud auth login") { LOGIN } else { gcloud.hint })
}

/// The last error that gcloud states, in one line.
fn error_line(said: &str) -> Option<String> {
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix(ERROR)).map(str::trim);
    let mut lines = lines.map(|line| line.trim_start_matches(COMMAND).trim());
    let line = lines.rfind(|line| !line.is_empty())?;
    Some(truncate(&without_secrets(line), QUOTED))
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use zeroize::Zeroizing;

    use super::*;

    const SEE: &str = "see why";

    fn failure(said: &str) -> Error {
        let path = PathBuf::from("/bin/gcloud");
        let gcloud = TokenProgram { name: "gcloud", path, limit: Duration::ZERO, variables: &[], hint: SEE };
        let stderr = Zeroizing::new(said.as_bytes().to_vec());
        let output = Output { status: Some(1), stdout: Zeroizing::default(), stderr };
        explain(&gcloud, &output, Some("builder@p.example"))
    }

    #[test]
    fn a_sign_in_is_advised_where_it_helps() {
        let network = "check the network and the proxy of gcloud";
        for (said, message, hint) in [
            (
                "ERROR: (gcloud.config.config-helper) You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n",
                "gcloud has no active account",
                LOGIN,
            ),
            (
                "Reauthentication required.\nERROR: (gcloud.config.config-helper) There was a problem reauthenticating while refreshing your current auth tokens: Reauthentication failed. cannot prompt during non-interactive execution.\nPlease retry",
                "Google asks you to sign in again: your organisation limits the length of a session",
                LOGIN,
            ),
            (
                "ERROR: (gcloud.config.config-helper) ('invalid_grant: reauth related error (invalid_rapt)', {'error_subtype': 'invalid_rapt'})",
                "Google asks you to sign in again: your organisation limits the length of a session",
                LOGIN,
            ),
            (
                "ERROR: (gcloud.config.config-helper) PERMISSION_DENIED: Failed to impersonate [builder@p.example]. Make sure the account that's trying to impersonate it has access to the service account itself and the \"roles/iam.serviceAccountTokenCreator\" role.",
                "the active account of gcloud may not impersonate builder@p.example",
                "give the active account roles/iam.serviceAccountTokenCreator on that service account",
            ),
            (
                "ERROR: (gcloud.config.config-helper) There was a problem refreshing your current auth tokens: ('invalid_grant: Bad Request', {})\nPlease run:\n\n  $ gcloud auth login\n",
                "gcloud ended with status 1: There was a problem refreshing your current auth tokens: ('invalid_grant: Bad Request', {})",
                LOGIN,
            ),
            (
                "ERROR: (gcloud.config.config-helper) There was a problem: Invalid JWT Signature.\nPlease run:\n\n  $ gcloud auth activate-service-account --key-file=F\n\nOr:\n\n  $ gcloud auth login --cred-file=F\n",
                "gcloud ended with status 1: There was a problem: Invalid JWT Signature.",
                "run `gcloud auth activate-service-account --key-file=FILE`",
            ),
            (
                "ERROR: (gcloud.config.config-helper) HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded\nPlease run:\n  $ gcloud auth login",
                "gcloud ended with status 1: HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded",
                network,
            ),
            (
                "WARNING: x-noise\nERROR: one\nERROR: gcloud crashed (AttributeError): 'token'\n\nIf you would like to report this issue, please run",
                "gcloud ended with status 1: gcloud crashed (AttributeError): 'token'",
                SEE,
            ),
            (
                "ERROR: gcloud failed to load. You are running gcloud with Python 2.7, which is no longer supported",
                "gcloud ended with status 1: gcloud failed to load. You are running gcloud with Python 2.7, which is no longer supported",
                SEE,
            ),
            ("Traceback (most recent call last):\nModuleNotFoundError: x-secret", "gcloud ended with status 1", SEE),
            ("", "gcloud ended with status 1", SEE),
        ] {
            let error = failure(said);
            assert_eq!((error.message(), error.hint()), (message, Some(hint)), "{said}");
            assert_eq!(error.kind(), Kind::Process);
        }
    }

    #[test]
    fn a_quotation_is_one_short_line_without_secrets() {
        let long = failure(&format!("ERROR: {}", "word ".repeat(60)));
        assert!(long.message().chars().count() <= "gcloud ended with status 1: ".len() + QUOTED + 1, "{long}");
        let secrets = failure(
            "ERROR: (gcloud.config.config-helper) bad \u{1b}[31mya29.A0ARrdaM0123456789abcdefghij refresh_token=1//0x",
        );
        assert_eq!(secrets.message(), "gcloud ended with status 1: bad [31mya29.(hidden) refresh_token=(hidden)");
    }
}
