//! Credential files, and the answers to the requests that they lead to.

use memchr::memmem;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{
    auth::access_token::AccessToken,
    registry::google::{
        credential_file::CredentialFile,
        endpoint::{self, Service},
        location::{Location, NamedBy},
    },
    system::{
        fake::{FakeSystem, absolute},
        fuzz::{check_error, leaks, responses, split_at_marker},
        http::Request,
    },
};

/// Where the file is.
const PATH: &str = "/home/ada/credentials.json";

/// The fields that hold secrets.
const SECRETS: [&str; 3] = ["client_secret", "private_key", "refresh_token"];

/// A marker inside a secret, which occurs nowhere else.
const MARK: &str = "Mq7madeupMq9";

/// A credential file and, after a line `==`, the answers of services: secrets go to hosts of Google alone, and appear in no
/// error.
///
/// # Panics
///
/// If that does not hold.
pub fn google_credentials(said: &[u8]) {
    let (file, answers) = split_at_marker(said, b"\n==\n");
    let hidden: &[&str] = if is_hidden(file) { &[MARK] } else { &[] };
    let fake = FakeSystem::default().answers(answers.map(responses).unwrap_or_default());
    fake.write(PATH, file);
    let location = Location { path: absolute(PATH).into(), named_by: NamedBy::Variable("VARIABLE") };
    let credentials = match CredentialFile::read(&fake, &location) {
        Ok(credentials) => credentials,
        Err(error) => {
            assert!(fake.requests().is_empty());
            return check_error(&error, hidden);
        }
    };
    let shown = format!("{credentials:?}");
    assert!(hidden.iter().all(|secret| !leaks(&shown, secret)), "{shown}");
    let outcome = credentials.grant(&fake, &location);
    let requests = fake.requests();
    let is_simple = matches!(credentials, CredentialFile::AuthorizedUser(_) | CredentialFile::ServiceAccount(_));
    for request in &requests {
        assert!(!is_simple || is_of(Service::Token, request), "{request:?}");
        let is_known = [Service::Token, Service::SecurityToken, Service::IamCredentials]
            .into_iter()
            .any(|service| is_of(service, request));
        assert!(is_known || hidden.is_empty() || !carries(request), "{request:?}");
    }
    match outcome {
        Ok(grant) => assert!(AccessToken::parse(grant.token.secret().expose()).is_ok()),
        Err(error) => {
            // A service may say anything that was not sent to it.
            let answers = String::from_utf8_lossy(answers.unwrap_or_default());
            let is_told = leaks(&answers, MARK) || answers.contains("\\u");
            let is_sent = requests.last().is_some_and(|last| memmem::find(&last.body, MARK.as_bytes()).is_some());
            check_error(&error, if is_told && !is_sent { &[] } else { hidden });
        }
    }
}

fn is_of(service: Service, request: &Request) -> bool {
    endpoint::checked(service, "url", request.url.as_str()).is_ok()
}

/// Whether a request carries a part of the marker.
fn carries(request: &Request) -> bool {
    let body = String::from_utf8_lossy(&request.body);
    let headers = request.headers.iter().map(|(_, value)| value.expose());
    headers.chain([request.url.as_str(), &body]).any(|text| leaks(text, MARK))
}

/// Whether only values of secrets contain a part of the marker, or the file is no JSON, of which nothing is shown.
fn is_hidden(file: &[u8]) -> bool {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    match serde_json::from_slice(file) {
        Ok(document) => !leaks(&without_secrets(document).to_string(), MARK),
        // What is nested too deeply is JSON that this cannot read.
        Err(_) => serde_json::from_slice::<IgnoredAny>(file).is_err(),
    }
}

fn without_secrets(document: Value) -> Value {
    match document {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(name, value)| !(is_secret(name) && value.is_string()));
            members.map(|(name, value)| (name, without_secrets(value))).collect()
        }
        Value::Array(elements) => elements.into_iter().map(without_secrets).collect(),
        other => other,
    }
}

fn is_secret(name: &str) -> bool {
    SECRETS.contains(&name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold_and_some_of_them_have_secrets() {
        for seed in seeds("google_credentials") {
            google_credentials(&seed);
        }
        let hidden = seeds("google_credentials").into_iter().filter(|seed| {
            let (file, _) = split_at_marker(seed, b"\n==\n");
            is_hidden(file) && memmem::find(file, MARK.as_bytes()).is_some()
        });
        assert!(hidden.count() > 2);
    }

    proptest! {
        #[test]
        fn a_secret_in_a_file_is_shown_nowhere(
            kind in "(authorized_user|service_account|external_account|x){1}",
            secret in "[a-z\n]{0,9}",
            field in "client_id|client_email|token_uri|universe_domain|account",
            value in "(https://(oauth2|evil)\\.(googleapis\\.com|example)/?)?[\\PC]{0,20}",
            status in 200_u16..500,
            code in "invalid_grant|invalid_client|invalid_scope|[a-z_]{0,9}",
            subtype in "invalid_rapt|[a-z_]{0,9}",
            description in "[\\PC]{0,40}",
            is_repeated: bool,
        ) {
            let secret = format!("{MARK}{secret}");
            let mut file = json!({"type": kind, "client_id": "c", "client_secret": secret, "refresh_token": secret});
            file["private_key"] = json!(secret);
            file[field] = json!(value);
            let description = if is_repeated { format!("{description}{secret}{description}") } else { description };
            let answer = json!({"error": code, "error_subtype": subtype, "error_description": description});
            google_credentials(format!("{file}\n==\n{status}\n\n{answer}").as_bytes());
        }
    }
}
