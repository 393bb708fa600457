//! The Security Token Service, which exchanges a subject token for an access token (RFC 8693).
//! <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::subject_token::SubjectToken;
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew, oauth},
    error::{Error, Kind, Result, quote, shorten},
    registry::google::credential_file::SCOPE,
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const REQUESTED_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The prefix of every audience.
const AUDIENCE: &str = "//iam.googleapis.com/";

/// The longest name of a pool or a provider in a message, in characters. Google permits 32, and 63 for pools of people.
const LONGEST_NAME: usize = 63;

/// The most bytes of a refusal that are searched for its reason.
const SEARCHED: usize = 4096;

/// The client that a workforce pool may demand.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<Secret>,
}

/// The parameters of the exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The address of the service, checked.
    pub(super) token_url: Url,
    /// The provider, as the service names it: `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/...`.
    pub(super) audience: String,
    /// The type of the subject token, a URN.
    pub(super) subject_token_type: String,
    /// The client.
    pub(super) client: Option<Client>,
    /// The project that is billed, for workforce pools without a client.
    pub(super) user_project: Option<String>,
}

impl Exchange {
    /// Exchanges a subject token.
    pub(super) fn send(&self, system: &dyn System, subject: &SubjectToken) -> Result<AccessToken> {
        let options = self.options();
        let mut fields = vec![
            ("grant_type", GRANT_TYPE),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", REQUESTED_TYPE),
            ("subject_token", subject.token.secret().expose()),
            ("subject_token_type", &self.subject_token_type),
        ];
        fields.extend(options.as_deref().map(|options| ("options", options)));
        let basic = self.client.as_ref().map(Client::basic);
        let request = Request::post_form(self.token_url.clone(), &fields).header("Accept", "application/json");
        let request = match &basic {
            Some(basic) => request.header("Authorization", &Zeroizing::new(format!("Basic {}", basic.as_str()))),
            None => request,
        };
        let response = retry::send(system, &request)?;
        let client_secret = self.client.as_ref().and_then(|client| client.secret.as_ref()).map(Secret::expose);
        let basic = basic.as_ref().map(|basic| basic.as_str());
        let secrets: Vec<&str> = subject.secrets.iter().map(Secret::expose).chain(client_secret).chain(basic).collect();
        oauth::read_token(system, &response, &secrets).map_err(|error| self.explain(system, &response, error))
    }

    /// The field `options`: JSON, encoded once more.
    fn options(&self) -> Option<String> {
        let project = self.user_project.as_ref().filter(|_| self.client.is_none())?;
        Some(utf8_percent_encode(&json!({"userProject": project}).to_string(), NON_ALPHANUMERIC).to_string())
    }

    /// The provider as messages show it: `provider github of workload identity pool contoso`.
    pub(super) fn provider(&self) -> String {
        let shown = |name: &str| shorten(&quote(name, &[]), LONGEST_NAME);
        let mut parts = self.audience.strip_prefix(AUDIENCE).unwrap_or_default().rsplit('/');
        match [parts.next(), parts.next(), parts.next(), parts.next()] {
            [
                Some(provider),
                Some("providers"),
                Some(pool),
                Some(kind @ ("workloadIdentityPools" | "workforcePools")),
            ] => {
                let kind = if kind == "workforcePools" { "workforce" } else { "workload identity" };
                format!("provider {} of {kind} pool {}", shown(provider), shown(pool))
            }
            _ => "an identity provider".to_owned(),
        }
    }

    /// The default audience of identity tokens for the provider.
    fn token_audience(&self) -> String {
        format!("https:{}", self.audience)
    }

    /// Adds a hint to a refusal, for the administrator of the provider.
    fn explain(&self, system: &dyn System, response: &Response, error: Error) -> Error {
        if error.kind() != Kind::Rejected {
            return error;
        }
        let refusal: Refused = response.json().unwrap_or_default();
        let reason = refusal.error_description.unwrap_or_default().to_ascii_lowercase();
        let reason = reason.get(..SEARCHED).unwrap_or(&reason);
        let provider = self.provider();
        let says = |word| reason.contains(word);
        let hint = match refusal.error.as_deref() {
            Some("invalid_target") => {
                format!("check audience in the credential file: {provider} does not exist, or is disabled")
            }
            Some("invalid_client") => "check client_id and client_secret in the credential file".to_owned(),
            _ if says("attribute condition") => {
                format!("let the attribute condition of {provider} accept this identity")
            }
            _ if says("audience") => {
                format!("ask for a token for {}", self.token_audience())
            }
            _ if says("aws response") => "renew the access key of AWS: AWS does not accept it".to_owned(),
            _ if is_of_time(reason) => match ClockSkew::of(system, response) {
                Some(skew) => return skew.explain(error),
                None => "renew the identity token: it has ended, or is older than an hour".to_owned(),
            },
            _ if says("issuer") => format!("check the issuer of {provider}, and that its keys can be reached"),
            _ if says("attribute") || says("google.subject") => format!("check the attribute mapping of {provider}"),
            Some("invalid_scope") => format!("let {provider} grant the scope {SCOPE}"),
            _ => format!("check {provider}"),
        };
        error.with_hint(hint)
    }
}

/// Whether a refusal, in lower case, is about the time of a token.
fn is_of_time(reason: &str) -> bool {
    ["stale", "expired", "not yet valid", "issued at", "in the future"].iter().any(|word| reason.contains(word))
}

impl Client {
    /// Its credentials in a header (RFC 6749, section 2.3.1).
    fn basic(&self) -> Zeroizing<String> {
        let secret = self.secret.as_ref().map_or("", Secret::expose);
        let pair = Zeroizing::new(format!("{}:{secret}", self.id));
        Zeroizing::new(STANDARD.encode(pair.as_bytes()))
    }
}

#[derive(Deserialize, Default)]
struct Refused {
    error: Option<String>,
    error_description: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, fake::FakeSystem, http::Method};

    const URL: &str = "https://sts.googleapis.com/v1/token";
    const POOL: &str =
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/contoso/providers/github";
    const WORKFORCE: &str = "//iam.googleapis.com/locations/global/workforcePools/contoso/providers/entra";

    fn exchange(audience: &str) -> Exchange {
        Exchange {
            token_url: Url::parse(URL).unwrap(),
            audience: audience.to_owned(),
            subject_token_type: "urn:ietf:params:oauth:token-type:jwt".to_owned(),
            client: None,
            user_project: None,
        }
    }

    fn send(fake: &FakeSystem, exchange: &Exchange) -> Result<AccessToken> {
        exchange.send(fake, &AccessToken::parse("subject-secret").unwrap().into())
    }

    fn client() -> Client {
        Client { id: "ada".to_owned(), secret: Some(Secret::new("client-secret".to_owned())) }
    }

    #[test]
    fn the_form_has_the_fields_of_the_exchange() {
        let answer = r#"{"access_token":"ya29.ada","expires_in":3599,"token_type":"Bearer"}"#;
        let common = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&audience=";
        let workload = "%2F%2Fiam.googleapis.com%2Fprojects%2F123%2Flocations%2Fglobal%2FworkloadIdentityPools%2Fcontoso%2Fproviders%2Fgithub";
        let workforce = "%2F%2Fiam.googleapis.com%2Flocations%2Fglobal%2FworkforcePools%2Fcontoso%2Fproviders%2Fentra";
        let rest = "&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform\
            &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&subject_token=subject-secret\
            &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt";
        let options = "&options=%257B%2522userProject%2522%253A%2522contoso%2522%257D";
        let project = || Some("contoso".to_owned());
        for (exchange, audience, options, basic) in [
            (exchange(POOL), workload, "", None),
            (Exchange { user_project: project(), ..exchange(WORKFORCE) }, workforce, options, None),
            (
                Exchange { user_project: project(), client: Some(client()), ..exchange(WORKFORCE) },
                workforce,
                "",
                Some("Basic YWRhOmNsaWVudC1zZWNyZXQ="),
            ),
        ] {
            let fake = FakeSystem::default().answer(Method::Post, URL, 200, answer);
            let token = send(&fake, &exchange).unwrap();
            let end = fake.now() + std::time::Duration::from_secs(3599);
            assert_eq!((token.secret().expose(), token.expires()), ("ya29.ada", Some(end)));
            let request = &fake.requests()[0];
            let form = std::str::from_utf8(&request.body).unwrap();
            assert_eq!(form, format!("{common}{audience}{rest}{options}"));
            let header = request.headers.iter().find(|(name, _)| *name == "Authorization");
            assert_eq!(header.map(|(_, value)| value.expose()), basic);
        }
    }

    #[test]
    fn a_refusal_says_what_the_owner_of_the_pool_can_do() {
        let provider = "provider github of workload identity pool contoso";
        for (status, code, description, hint) in [
            (
                400,
                "invalid_grant",
                "The audience in ID Token [https://contoso.example] does not match the expected audience.",
                format!("ask for a token for https:{POOL}"),
            ),
            (
                400,
                "invalid_grant",
                "ID Token issued at 1795000000 is stale to sign-in.",
                "renew the identity token: it has ended, or is older than an hour".to_owned(),
            ),
            (
                401,
                "unauthorized_client",
                "The given credential is rejected by the attribute condition.",
                format!("let the attribute condition of {provider} accept this identity"),
            ),
            (
                400,
                "invalid_target",
                "The target service indicated by the \"audience\" parameters is invalid.",
                format!("check audience in the credential file: {provider} does not exist, or is disabled"),
            ),
            (
                400,
                "invalid_grant",
                "The issuer in ID Token https://contoso.example does not match the expected ones.",
                format!("check the issuer of {provider}, and that its keys can be reached"),
            ),
            (
                400,
                "invalid_request",
                "The mapped attribute 'google.subject' must be of type STRING",
                format!("check the attribute mapping of {provider}"),
            ),
            (
                400,
                "invalid_grant",
                "Received invalid AWS response of type InvalidClientTokenId",
                "renew the access key of AWS: AWS does not accept it".to_owned(),
            ),
            (401, "invalid_client", "no", "check client_id and client_secret in the credential file".to_owned()),
            (400, "invalid_scope", "no", format!("let {provider} grant the scope {SCOPE}")),
            (403, "", "", format!("check {provider}")),
        ] {
            let body = json!({"error": code, "error_description": description}).to_string();
            let fake = FakeSystem::default().answer(Method::Post, URL, status, &body);
            let error = send(&fake, &exchange(POOL)).unwrap_err();
            assert_eq!((error.kind(), error.hint()), (Kind::Rejected, Some(hint.as_str())), "{description}");
            assert!(error.message().contains(description), "{error}");
        }
    }

    #[test]
    fn a_stale_token_may_be_due_to_the_clock() {
        let body = r#"{"error":"invalid_grant","error_description":"ID Token is expired"}"#;
        let headers = [("Date", "Sun, 22 Nov 2026 03:00:00 GMT")];
        let fake = FakeSystem::default().answer_with_headers(Method::Post, URL, 400, &headers, body);
        let error = send(&fake, &exchange(POOL)).unwrap_err();
        assert_eq!(error.hint(), Some("this machine's clock is 3 h behind: correct it"));
    }

    #[test]
    fn no_secret_is_repeated() {
        let exchange = Exchange { client: Some(client()), ..exchange(WORKFORCE) };
        for secret in ["subject-secret", "client-secret", "YWRhOmNsaWVudC1zZWNyZXQ="] {
            for body in [json!({"error": secret}), json!({"error": "x", "error_description": format!("no {secret}!")})]
            {
                let fake = FakeSystem::default().answer(Method::Post, URL, 400, &body.to_string());
                let error = send(&fake, &exchange).unwrap_err();
                assert!(!error.to_string().contains(secret) && error.message().contains("(hidden)"), "{error}");
            }
        }
        assert!(!format!("{exchange:?}").contains("client-secret"));
    }

    #[test]
    fn a_busy_service_is_asked_again_and_junk_is_an_error() {
        let fake = FakeSystem::default().answer(Method::Post, URL, 503, "");
        let fake = fake.answer(Method::Post, URL, 200, r#"{"access_token":"t"}"#);
        assert!(send(&fake, &exchange(POOL)).is_ok());
        for body in ["", "<html>", "{}", r#"{"access_token":"a b"}"#] {
            let error = send(&FakeSystem::default().answer(Method::Post, URL, 200, body), &exchange(POOL)).unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol, "{body}");
        }
    }

    #[test]
    fn the_audience_names_the_provider() {
        for (audience, provider) in [
            (POOL, "provider github of workload identity pool contoso"),
            (WORKFORCE, "provider entra of workforce pool contoso"),
            ("//iam.googleapis.com/x", "an identity provider"),
            ("//iam.example/workforcePools/contoso/providers/entra", "an identity provider"),
            ("identitynamespace:contoso", "an identity provider"),
        ] {
            assert_eq!(exchange(audience).provider(), provider);
        }
    }
}
