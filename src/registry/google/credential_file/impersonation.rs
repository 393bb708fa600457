//! Exchanges the access token of one account for that of a service account that it may impersonate.
//! <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::SCOPE;
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew, refusal::Refusal, timestamp},
    error::{Error, Kind, Result},
    registry::google::{
        endpoint::{self, Service},
        grant::LONGEST_ACCOUNT,
        location::Location,
    },
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The field of a credential file that has the address.
pub(super) const FIELD: &str = "service_account_impersonation_url";

/// The end of the address, after the account.
const ACTION: &str = ":generateAccessToken";

/// The lifetimes that can be asked for, in seconds, and the usual one. More than the usual one takes a policy of the
/// organisation.
/// <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct>
const LIFETIMES: std::ops::RangeInclusive<u64> = 600..=43200;
const LIFETIME: u64 = 3600;

/// The most accounts between the first and the impersonated one.
const MOST_DELEGATES: usize = 16;

/// The prefix of an account's name in the request.
const PREFIX: &str = "projects/-/serviceAccounts/";

/// The service account to impersonate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Impersonation {
    url: Url,
    account: String,
    delegates: Vec<String>,
    /// The lifetime to ask for, in seconds.
    lifetime: u64,
}

impl Impersonation {
    /// The service account in the address of a credential file, `https://HOST/v1/projects/-/serviceAccounts/ACCOUNT` with the
    /// action at its end. The accounts in `delegates` impersonate each other in turn.
    pub(super) fn read(
        address: &str,
        delegates: Vec<String>,
        lifetime: Option<u64>,
        location: &Location,
    ) -> Result<Self> {
        let url =
            endpoint::checked(Service::IamCredentials, FIELD, address).map_err(|error| location.refused(&error))?;
        let account = account(&url).ok_or_else(|| {
            location.broken(&format!("has a {FIELD} that does not end with /serviceAccounts/ACCOUNT{ACTION}"))
        })?;
        if delegates.len() > MOST_DELEGATES || !delegates.iter().all(|delegate| is_plain(delegate)) {
            return Err(location.broken("has delegates that are not names of service accounts"));
        }
        let lifetime = lifetime.unwrap_or(LIFETIME);
        if !LIFETIMES.contains(&lifetime) {
            let why = format!("has a token_lifetime_seconds outside of {} to {}", LIFETIMES.start(), LIFETIMES.end());
            return Err(location.broken(&why));
        }
        let delegates = delegates.into_iter().map(with_prefix).collect();
        Ok(Self { url, account, delegates, lifetime })
    }

    /// The e-mail address of the service account, or its unique number.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// The accounts as the option `--impersonate-service-account` of gcloud takes them, in which each impersonates the next one.
    pub(super) fn chain(&self) -> String {
        let names = self.delegates.iter().map(String::as_str).chain([self.account.as_str()]);
        let names: Vec<_> = names.map(|name| name.rsplit('/').next().unwrap_or(name)).collect();
        names.join(",")
    }

    /// Opens the connection while another service is asked.
    pub(super) fn open_ahead(&self, system: &dyn System) {
        system.open_ahead(&self.url, None);
    }

    /// Exchanges an access token, of an account that needs `role` on the service account.
    pub(super) fn exchange(&self, system: &dyn System, token: &AccessToken, role: &str) -> Result<AccessToken> {
        let mut wanted = json!({"scope": [SCOPE], "lifetime": format!("{}s", self.lifetime)});
        if !self.delegates.is_empty() {
            wanted["delegates"] = json!(self.delegates);
        }
        let request =
            Request::post_json(self.url.clone(), &wanted).header("Accept", "application/json").bearer(token.secret());
        let response = retry::send(system, &request)?;
        if !response.is_success() {
            return Err(self.refused(system, &response, token, role));
        }
        let Answer { access_token, expire_time } = response.json()?;
        let new = AccessToken::parse(access_token.expose())
            .map_err(|malformed| Error::new(Kind::Protocol, format!("{} answered with {malformed}", response.host)))?;
        let stated = expire_time.as_deref().and_then(timestamp::rfc3339);
        let skew = ClockSkew::of(system, &response);
        let now = system.now();
        Ok(new.with_expiry(stated.map(|stated| skew.map_or(stated, |skew| skew.expiry(now, stated)))))
    }

    /// The error of a refusal, with a hint for the owner of the project.
    fn refused(&self, system: &dyn System, response: &Response, token: &AccessToken, role: &str) -> Error {
        let account = &self.account;
        let refusal = Refusal::read(response, &[token.secret().expose()]);
        let is_disabled = refusal.mentions("has not been used in project") || refusal.mentions("it is disabled");
        let hint = match response.status {
            403 if is_disabled => {
                format!("run `gcloud services enable iamcredentials.googleapis.com` in the project of {account}")
            }
            403 => format!("grant the caller {role} on {account}"),
            404 => format!("check that {account} exists and is enabled"),
            400 if refusal.mentions("lifetime") => "check token_lifetime_seconds in the credential file".to_owned(),
            _ => format!("check {FIELD} in the credential file"),
        };
        let what = format!("{} refused to impersonate {account} (HTTP {})", response.host, response.status);
        let error = refusal.into_error(what, Some(hint.into()));
        match ClockSkew::of(system, response).filter(|_| response.status == 401) {
            Some(skew) => skew.explain(error),
            None => error,
        }
    }
}

/// The account in the path of an address.
fn account(url: &Url) -> Option<String> {
    let (before, last) = url.path().rsplit_once('/')?;
    let account = last.strip_suffix(ACTION)?.replace("%40", "@");
    let is_bare = url.query().is_none() && url.fragment().is_none();
    (is_bare && before.ends_with("/serviceAccounts") && is_plain(&account)).then_some(account)
}

/// The name of an account as the service requires it; gcloud writes it without the prefix.
fn with_prefix(name: String) -> String {
    if name.contains('/') { name } else { format!("{PREFIX}{name}") }
}

/// Whether a text may be the name of an account: an e-mail address, a number, or `projects/-/serviceAccounts/` and one of them.
fn is_plain(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_/:".contains(&byte);
    (1..=LONGEST_ACCOUNT).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: Secret,
    expire_time: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::{
        registry::google::location::NamedBy,
        system::{Clock, fake::FakeSystem, http::Method},
    };

    const ACCOUNT: &str = "publisher@contoso.iam.gserviceaccount.com";
    const URL: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/publisher@contoso.iam.gserviceaccount.com:generateAccessToken";

    fn location() -> Location {
        Location { path: "/keys/ada.json".into(), named_by: NamedBy::Variable("VARIABLE") }
    }

    fn read(address: &str, delegates: &[&str], lifetime: Option<u64>) -> Result<Impersonation> {
        let delegates = delegates.iter().map(|&delegate| delegate.to_owned()).collect();
        Impersonation::read(address, delegates, lifetime, &location())
    }

    fn exchange(fake: &FakeSystem, delegates: &[&str], lifetime: Option<u64>) -> Result<AccessToken> {
        let token = AccessToken::parse("federated-secret").unwrap();
        read(URL, delegates, lifetime).unwrap().exchange(fake, &token, "roles/iam.workloadIdentityUser")
    }

    #[test]
    fn the_token_of_the_account_comes_with_its_end() {
        let seconds = |text| timestamp::rfc3339(text);
        for (time, expires) in [
            (r#""2026-11-22T01:00:00Z""#, seconds("2026-11-22T01:00:00Z")),
            (r#""2026-11-22T01:00:00.123456789Z""#, seconds("2026-11-22T01:00:00Z")),
            (r#""soon""#, None),
            ("null", None),
        ] {
            let body = format!(r#"{{"accessToken":"ya29.ada","expireTime":{time}}}"#);
            let fake = FakeSystem::default().answer(Method::Post, URL, 200, &body);
            let token = exchange(&fake, &[], None).unwrap();
            assert_eq!((token.secret().expose(), token.expires()), ("ya29.ada", expires), "{time}");
        }
    }

    #[test]
    fn an_end_by_a_clock_that_is_ahead_counts_from_now() {
        let body = r#"{"accessToken":"ya29.ada","expireTime":"2026-11-22T04:00:00Z"}"#;
        let headers = [("Date", "Sun, 22 Nov 2026 03:00:00 GMT")];
        let fake = FakeSystem::default().answer_with_headers(Method::Post, URL, 200, &headers, body);
        let end = fake.now() + Duration::from_secs(3600);
        assert_eq!(exchange(&fake, &[], None).unwrap().expires(), Some(end));
    }

    #[test]
    fn scope_lifetime_and_delegates_are_sent_with_the_token() {
        let name = "projects/-/serviceAccounts/middle@contoso.iam.gserviceaccount.com";
        for (delegates, lifetime, expected) in [
            (&[][..], None, json!({"scope": [SCOPE], "lifetime": "3600s"})),
            (&[name], Some(1800), json!({"scope": [SCOPE], "lifetime": "1800s", "delegates": [name]})),
            (&[&name[27..]], None, json!({"scope": [SCOPE], "lifetime": "3600s", "delegates": [name]})),
        ] {
            let fake = FakeSystem::default().answer(Method::Post, URL, 200, r#"{"accessToken":"t"}"#);
            exchange(&fake, delegates, lifetime).unwrap();
            let request = &fake.requests()[0];
            assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
            let is_bearer = |(name, value): &(std::borrow::Cow<'_, str>, Secret)| {
                *name == "Authorization" && value.expose() == "Bearer federated-secret"
            };
            assert!(request.headers.iter().any(is_bearer));
        }
    }

    #[test]
    fn a_refusal_says_what_the_owner_can_do() {
        let denied = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource federated-secret";
        let disabled = "IAM Service Account Credentials API has not been used in project 1 before or it is disabled.";
        for (status, message, hint) in [
            (403, denied, format!("grant the caller roles/iam.workloadIdentityUser on {ACCOUNT}")),
            (
                403,
                disabled,
                format!("run `gcloud services enable iamcredentials.googleapis.com` in the project of {ACCOUNT}"),
            ),
            (404, "Not found; Gaia id not found", format!("check that {ACCOUNT} exists and is enabled")),
            (
                400,
                "The access token lifetime cannot exceed",
                "check token_lifetime_seconds in the credential file".into(),
            ),
            (400, "invalid", "check service_account_impersonation_url in the credential file".into()),
        ] {
            let body = json!({"error": {"code": status, "message": message, "status": "X"}}).to_string();
            let error =
                exchange(&FakeSystem::default().answer(Method::Post, URL, status, &body), &[], None).unwrap_err();
            assert_eq!((error.kind(), error.hint()), (Kind::Rejected, Some(hint.as_str())));
            let shown = message.replace("federated-secret", "(hidden)");
            let what = format!("the fake refused to impersonate {ACCOUNT} (HTTP {status}): {shown}");
            assert!(what.starts_with(error.message().trim_end_matches('…')), "{error}");
        }
    }

    #[test]
    fn an_answer_without_a_token_is_an_error() {
        for body in ["", "[]", "{}", r#"{"accessToken":""}"#, r#"{"accessToken":"a\nb"}"#, "<html>federated-secret"] {
            let error = exchange(&FakeSystem::default().answer(Method::Post, URL, 200, body), &[], None).unwrap_err();
            assert!(error.kind() == Kind::Protocol && !error.to_string().contains("federated"), "{body} {error}");
        }
    }

    #[test]
    fn a_busy_service_is_asked_again() {
        let fake = FakeSystem::default().answer(Method::Post, URL, 503, "");
        let fake = fake.failure(Method::Post, URL, true).answer(Method::Post, URL, 200, r#"{"accessToken":"t"}"#);
        assert!(exchange(&fake, &[], None).is_ok());
        fake.assert_done();
    }

    #[test]
    fn an_address_names_one_service_account() {
        assert_eq!(read(URL, &[], None).unwrap().account(), ACCOUNT);
        assert_eq!(read(&URL.replace('@', "%40"), &[], None).unwrap().account(), ACCOUNT);
        for address in [
            URL.replace("generateAccessToken", "generateIdToken"),
            URL.replace("serviceAccounts", "accounts"),
            URL.replace(ACCOUNT, ""),
            URL.replace(ACCOUNT, "a%20b"),
            format!("{URL}?x=y"),
            format!("{URL}#x"),
            "x".to_owned(),
        ] {
            assert_eq!(read(&address, &[], None).unwrap_err().kind(), Kind::Configuration, "{address}");
        }
        for (delegates, lifetime) in [(&["a b"][..], None), (&["a"; 17], None), (&[], Some(0)), (&[], Some(43_201))] {
            assert_eq!(read(URL, delegates, lifetime).unwrap_err().kind(), Kind::Configuration);
        }
    }
}
