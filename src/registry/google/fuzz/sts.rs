//! Properties that hold for any answers of the services that an external account asks in turn: that of the subject token, STS
//! and the one that impersonates. The target in `fuzz/` searches for counterexamples; the tests here run the seeds.

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    auth::access_token::AccessToken,
    registry::google::{
        credential_file::CredentialFile,
        location::{Location, NamedBy},
    },
    system::{
        fake::FakeSystem,
        fuzz::{check_error, responses},
        http::{Request, Route},
    },
};

/// Secrets that are sent, long enough that no other text contains a part of one by chance.
const REQUEST_TOKEN: &str = "Rq7madeuprequesttokenRq9";
const CLIENT_SECRET: &str = "Cq7madeupclientsecretCq9";

/// A marker inside a token that a service answers with, which occurs nowhere else.
const MARK: &str = "Mq7madeupMq9";

const STS: &str = "https://sts.googleapis.com/v1/token";
const ACCOUNT: &str = "publisher@contoso.iam.gserviceaccount.com";
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/publisher@contoso.iam.gserviceaccount.com:generateAccessToken";

/// The answers of all services, in the order in which they are asked: each secret goes to one host, and the outcome is a token
/// of one word with its account, or an error without any of the secrets that were sent to the service it is about.
///
/// # Panics
///
/// If that does not hold.
pub fn google_sts(said: &[u8]) {
    let github = json!({
        "url": "https://token.actions.example/x?audience=a", "headers": {"Authorization": format!("Bearer {REQUEST_TOKEN}")},
        "format": {"type": "json", "subject_token_field_name": "value"},
    });
    let near = json!({"url": "http://169.254.169.254/token", "headers": {"Metadata": "True", "Secret": REQUEST_TOKEN}});
    ask(said, &github, Some(IMPERSONATION), ACCOUNT, Route::Internet);
    ask(said, &near, None, "provider github of workload identity pool contoso", Route::Metadata);
}

fn ask(said: &[u8], source: &Value, impersonation: Option<&str>, account: &str, route: Route) {
    let document = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/contoso/providers/github",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": STS,
        "client_id": "ada",
        "client_secret": CLIENT_SECRET,
        "credential_source": source,
        "service_account_impersonation_url": impersonation,
    });
    let location = Location { path: "/keys/ada.json".into(), named_by: NamedBy::ApplicationDefault };
    let Ok(file) = CredentialFile::parse(document.to_string().as_bytes(), &location) else { panic!("{document}") };
    let fake = FakeSystem::default().answers(responses(said));
    let outcome = file.grant(&fake, &location);
    let requests = fake.requests();
    let address = source["url"].as_str().unwrap_or_default();
    let mut asked: Vec<&str> = requests.iter().map(|request| request.url.as_str()).collect();
    asked.dedup();
    let services = [address, STS, IMPERSONATION];
    let is_repeated = String::from_utf8_lossy(said).contains(REQUEST_TOKEN);
    assert!(services.starts_with(&asked), "{asked:?}");
    for request in &requests {
        let is_first = request.url.as_str() == address;
        assert_eq!(request.route, if is_first { route } else { Route::Internet });
        assert_eq!(holds(request, "Basic "), request.url.as_str() == STS);
        // A service may answer with what it was asked with.
        assert!(is_first || is_repeated || !holds(request, REQUEST_TOKEN));
    }
    match outcome {
        Ok(grant) => {
            assert!(AccessToken::parse(grant.token.secret().expose()).is_ok() && !grant.may_change_unnoticed);
            assert_eq!(grant.account.as_deref(), Some(account));
        }
        Err(error) => {
            let Some(last) = requests.last() else { panic!("the first service is asked") };
            let mut secrets = vec![REQUEST_TOKEN, CLIENT_SECRET];
            secrets.retain(|secret| *secret != REQUEST_TOKEN || last.url.as_str() == address);
            secrets.retain(|secret| *secret != CLIENT_SECRET || last.url.as_str() == STS);
            secrets.extend(holds(last, MARK).then_some(MARK));
            check_error(&error, &secrets);
        }
    }
}

/// Whether a request carries a text, in a header or in a form.
fn holds(request: &Request, text: &str) -> bool {
    let mut fields = form_urlencoded::parse(&request.body);
    request.headers.iter().any(|(_, value)| value.expose().contains(text))
        || fields.any(|(_, value)| value.contains(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::{seed, seeds};

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("google_sts") {
            google_sts(&seed);
        }
    }

    #[test]
    fn a_seed_leads_to_the_token_of_the_account() {
        let answers = responses(&seed("google_sts", "impersonated"));
        assert_eq!(answers.len(), 3);
        let last: Value = serde_json::from_slice(&answers[2].body).unwrap();
        assert_eq!(last["accessToken"], "ya29.publisher");
    }

    proptest! {
        #[test]
        fn any_answers_are_a_token_or_an_error_without_secrets(
            statuses in proptest::array::uniform3(prop_oneof![4 => Just(200_u16), 1 => 201_u16..600]),
            code in "invalid_grant|invalid_target|PERMISSION_DENIED|[a-z_]{0,9}",
            words in "(audience|stale|attribute condition|issuer|lifetime|[^\"\\\\]{0,9}){0,3}",
            secret in prop_oneof![Just(REQUEST_TOKEN), Just(CLIENT_SECRET), Just(MARK)],
            token in "[a-zA-Z0-9._-]{0,9}(Mq7madeupMq9)?[a-z \n]{0,2}",
            time in "2026-11-2[0-9]T[0-9]{2}:00:00(\\.[0-9]{1,9})?Z|[0-9TZ:.-]{0,20}",
        ) {
            let said = format!("{words}{secret}{words}");
            let bodies = [
                json!({"value": token, "message": said}),
                json!({"access_token": token, "error": code, "error_description": said}),
                json!({"accessToken": token, "expireTime": time, "error": {"status": code, "message": said}}),
            ];
            let answers: Vec<_> = statuses.iter().zip(bodies).map(|(status, body)| format!("{status}\n\n{body}")).collect();
            google_sts(answers.join("\n--\n").as_bytes());
        }
    }
}
