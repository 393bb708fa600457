//! Machines outside Azure that Azure Arc manages. The agent authenticates a caller by a file that only privileged
//! users can read.
//! <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use log::debug;
use url::Url;
use zeroize::Zeroizing;

use super::{Client, with_query};
use crate::{
    auth::{access_token::AccessToken, chain::Attempt, oauth},
    error::{Error, Kind, Result},
    registry::azure::retries::attempts,
    secret::Secret,
    system::{
        System,
        http::{Request, Response, is_loopback},
        io_message, places, retry,
    },
};

/// The agent's directory on Linux.
const AGENT_FOLDER: &str = "/var/opt/azcmagent/tokens";

/// Who may read its files.
const MAY_READ: &str = if cfg!(windows) {
    "the user must be an administrator or in the group Hybrid agent extension applications"
} else {
    "the user must be in the group himds"
};

/// The maximum size of such a file in bytes, as in Azure's own SDKs.
const FILE_CAP: usize = 4096;

/// The maximum number of challenges to answer.
const ROUNDS: u32 = 2;

/// The pause between two challenges.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn token(system: &dyn System, endpoint: &Url, client: Option<&Client>) -> Result<Attempt<AccessToken>> {
    if !is_loopback(endpoint) {
        return Err(Error::new(Kind::Configuration, "IDENTITY_ENDPOINT of Azure Arc must lie on this machine"));
    }
    if let Some(client) = client {
        return Ok(client.unknown_to("Azure Arc"));
    }
    let request = || Request::get(with_query(endpoint, "2020-06-01", None)).header("Metadata", "true").over_metadata();
    // A key is valid once: if the answer to it gets lost, another challenge is needed.
    let mut rounds = 0;
    loop {
        rounds += 1;
        let challenge = retry::send(system, &request().with_attempts(attempts(system)))?;
        if challenge.status != 401 {
            return oauth::read_token(system, &challenge, &[]).map(Attempt::Token);
        }
        let key = key(system, &challenge)?;
        let authorization = Zeroizing::new(format!("Basic {}", key.expose()));
        let pause = match system.send(&request().header("Authorization", &authorization)) {
            Ok(response) if rounds < ROUNDS && matches!(response.status, 429 | 500..) => {
                retry::retry_after(&response).unwrap_or(PAUSE)
            }
            Ok(response) => return oauth::read_token(system, &response, &[key.expose()]).map(Attempt::Token),
            Err(failure) if rounds < ROUNDS && failure.transient => PAUSE,
            Err(failure) => return Err(failure.error),
        };
        debug!("managed_identity: the answer got lost, asking for another challenge");
        system.pause(pause)?;
    }
}

/// The key in the file that a challenge names.
fn key(system: &dyn System, challenge: &Response) -> Result<Secret> {
    let path = challenge_path(challenge, &agent_folder(system))?;
    let content = system.read_file(&path, FILE_CAP).map(Zeroizing::new).map_err(|error| {
        let why = io_message(&error);
        Error::new(Kind::Configuration, format!("{} cannot be read: {why}", path.display())).with_hint(MAY_READ)
    })?;
    Secret::from_utf8_trimmed(&content)
        .ok_or_else(|| Error::new(Kind::Protocol, format!("{} is empty or not text", path.display())))
}

fn agent_folder(system: &dyn System) -> PathBuf {
    if cfg!(windows) {
        places::program_data(system).join("AzureConnectedMachineAgent").join("Tokens")
    } else {
        PathBuf::from(AGENT_FOLDER)
    }
}

/// The file that the challenge names: directly in the agent's directory, with the extension `.key`. A forged endpoint
/// must not obtain other files.
fn challenge_path(challenge: &Response, folder: &Path) -> Result<PathBuf> {
    let refuse = |what: &str| Error::new(Kind::Protocol, format!("the challenge of Azure Arc {what}"));
    let value = challenge
        .header_values("WWW-Authenticate")
        .find_map(|value| value.trim().strip_prefix("Basic realm="))
        .ok_or_else(|| refuse("names no file"))?;
    let path = Path::new(value.trim().trim_matches('"'));
    let is_plain = !path.components().any(|component| matches!(component, Component::ParentDir | Component::CurDir));
    let is_key = path.extension().is_some_and(|extension| extension == "key");
    if path.parent() == Some(folder) && is_plain && is_key {
        Ok(path.to_owned())
    } else {
        Err(refuse("names a file outside the agent's folder"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::MAIN_SEPARATOR;

    use proptest::prelude::*;

    use super::*;
    use crate::system::{fake::FakeSystem, http::Method};

    const ENDPOINT: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

    /// A file in the agent's directory, or one that a path leads to from there.
    fn file(name: &str) -> String {
        format!("{}{MAIN_SEPARATOR}{name}", agent_folder(&FakeSystem::default()).display())
    }

    fn ask(realm: &str) -> Result<Attempt<AccessToken>> {
        let system = FakeSystem::default()
            .file(&file("a.key"), "key-secret")
            .file(&file("x/a.key"), "x-secret")
            .file("/etc/shadow", "x-secret")
            .file("/etc/shadow.key", "x-secret")
            .answer_with_headers(
                Method::Get,
                ENDPOINT,
                401,
                &[("WWW-Authenticate", &format!("Basic realm={realm}"))],
                "",
            )
            .answer(Method::Get, ENDPOINT, 200, r#"{"access_token":"t","expires_on":"1800000000"}"#);
        let outcome = token(&system, &Url::parse(ENDPOINT).unwrap(), None);
        let sent = system.requests().into_iter().any(|request| {
            request.headers.iter().any(|(name, value)| *name == "Authorization" && value.expose() == "Basic key-secret")
        });
        assert_eq!(sent, outcome.is_ok());
        outcome
    }

    #[test]
    fn only_key_files_of_the_agent_are_sent_back() {
        assert!(matches!(ask(&file("a.key")), Ok(Attempt::Token(_))));
        for realm in [
            "/etc/shadow",
            "/etc/shadow.key",
            &file("../../../../etc/shadow"),
            &file("../../../etc/shadow.key"),
            &file("x/a.key"),
            &file("a"),
            "a.key",
            "",
        ] {
            assert!(ask(realm).is_err(), "{realm}");
        }
    }

    #[test]
    fn the_endpoint_must_lie_on_this_machine() {
        assert!(token(&FakeSystem::default(), &Url::parse("http://192.0.2.1/").unwrap(), None).is_err());
    }

    proptest! {
        #[test]
        fn no_challenge_leads_out_of_the_folder(realm in "(/var/opt/azcmagent/tokens)?[./a-z\"]{0,30}(\\.key)?") {
            let response = Response {
                status: 401,
                headers: vec![("WWW-Authenticate".to_owned(), format!("Basic realm={realm}"))],
                body: Zeroizing::default(),
                host: "the agent".to_owned(),
            };
            if let Ok(path) = challenge_path(&response, Path::new(AGENT_FOLDER)) {
                prop_assert_eq!(path.parent(), Some(Path::new(AGENT_FOLDER)));
                prop_assert!(path.components().all(|component| !matches!(component, Component::ParentDir)));
            }
        }
    }
}
