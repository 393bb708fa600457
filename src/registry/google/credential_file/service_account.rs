//! The key of a service account: `service_account`. <https://google.aip.dev/auth/4112>

use std::{fmt, time::Duration};

use ring::signature::RsaKeyPair;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{SCOPE, object, required};
use crate::{
    auth::{
        jwt::{self, numeric_date},
        oauth, rsa_key,
    },
    error::Result,
    registry::google::{
        endpoint::{self, Service, TOKEN_URL},
        grant::Grant,
        location::Location,
        refusal,
    },
    secret::Secret,
    system::{System, http::ATTEMPTS},
};

/// The grant of an assertion (RFC 7523, section 2.1).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The lifetime of an assertion, the longest that is accepted.
const ASSERTION_LIFE: Duration = Duration::from_secs(60 * 60);

/// The credentials.
pub(in crate::registry::google) struct ServiceAccount {
    client_email: String,
    key: RsaKeyPair,
    key_id: Option<String>,
    endpoint: Url,
}

#[derive(Deserialize)]
struct File {
    client_email: Option<Secret>,
    private_key: Option<Secret>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServiceAccount({:?})", self.client_email)
    }
}

impl ServiceAccount {
    /// Reads the content of a file. A token endpoint that is not Google's is refused.
    pub(super) fn read(document: &[u8], location: &Location) -> Result<Self> {
        let file: File = object(document).ok_or_else(|| location.broken("has a field that is not a string"))?;
        let given = |text: &String| !text.trim().is_empty();
        let client_email = required(file.client_email, "client_email", location)?.expose().to_owned();
        let private_key = required(file.private_key, "private_key", location)?;
        let address = file.token_uri.filter(given);
        let endpoint = endpoint::checked(Service::Token, "token_uri", address.as_deref().unwrap_or(TOKEN_URL))
            .map_err(|error| location.refused(&error))?;
        let key = rsa_key::read(private_key.expose().as_bytes())
            .map_err(|malformed| location.broken(&format!("has a private_key that {malformed}")))?;
        Ok(Self { client_email, key, key_id: file.private_key_id.filter(given), endpoint })
    }

    /// Exchanges an assertion for an access token.
    pub(super) fn grant(&self, system: &dyn System, location: &Location) -> Result<Grant> {
        let assertion = self.assertion(system)?;
        let fields = [("grant_type", GRANT_TYPE), ("assertion", assertion.expose())];
        let token = oauth::request_token(system, &self.endpoint, &fields, ATTEMPTS, |response, error| {
            refusal::explain_assertion(system, location, response, error)
        })?;
        Ok(Grant { token, account: Some(self.client_email.clone()), may_change_unnoticed: false })
    }

    /// The signed claims that prove possession of the key.
    fn assertion(&self, system: &dyn System) -> Result<Secret> {
        let now = system.now();
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(key_id) = &self.key_id {
            header["kid"] = Value::from(key_id.as_str());
        }
        let claims = json!({
            "iss": self.client_email,
            "scope": SCOPE,
            // The audience is the same for the old addresses.
            "aud": TOKEN_URL,
            "iat": numeric_date(now),
            "exp": numeric_date(now + ASSERTION_LIFE),
        });
        jwt::sign_rs256(&self.key, &header, &claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::{
        registry::google::location::NamedBy,
        system::{Clock, fake::FakeSystem, http::Method},
    };

    const KEY: &str = include_str!("../../../../tests/vectors/rsa2048/pkcs8.pem");
    const EMAIL: &str = "ci@contoso.iam.gserviceaccount.example";

    fn location() -> Location {
        Location { path: "/x".into(), named_by: NamedBy::Variable("VARIABLE") }
    }

    fn file() -> Value {
        json!({"type": "service_account", "client_email": EMAIL, "private_key": KEY, "private_key_id": "0a1b"})
    }

    fn read(document: &Value) -> Result<ServiceAccount> {
        ServiceAccount::read(document.to_string().as_bytes(), &location())
    }

    /// Header and claims of an assertion, whose signature is verified.
    fn parts(assertion: &str) -> [Value; 2] {
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let public: &[u8] = include_bytes!("../../../../tests/vectors/rsa2048/public.der");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(signed.as_bytes(), &signature).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        [header, claims].map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
    }

    #[test]
    fn one_request_exchanges_an_assertion() {
        let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 200, r#"{"access_token":"ya29.t"}"#);
        let grant = read(&file()).unwrap().grant(&fake, &location()).unwrap();
        assert_eq!(grant.token.secret().expose(), "ya29.t");
        assert_eq!(grant.account.as_deref(), Some(EMAIL));
        let body = fake.requests()[0].body.to_vec();
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
        assert_eq!(form[0], ("grant_type".to_owned(), GRANT_TYPE.to_owned()));
        assert_eq!((form.len(), &*form[1].0), (2, "assertion"));
        let [header, claims] = parts(&form[1].1);
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "0a1b"}));
        let now = numeric_date(fake.now());
        let expected = json!({"iss": EMAIL, "scope": SCOPE, "aud": TOKEN_URL, "iat": now, "exp": now + 3600});
        assert_eq!(claims, expected);
    }

    #[test]
    fn old_keys_and_both_encodings_are_accepted() {
        let old = "https://accounts.google.com/o/oauth2/token";
        let mut document = file();
        document["token_uri"] = json!(old);
        document["private_key"] = json!(include_str!("../../../../tests/vectors/rsa2048/pkcs1.pem"));
        document["private_key_id"] = json!(null);
        let credentials = read(&document).unwrap();
        let fake = FakeSystem::default().answer(Method::Post, old, 200, r#"{"access_token":"t"}"#);
        assert!(credentials.grant(&fake, &location()).is_ok());
        let [header, claims] = parts(credentials.assertion(&fake).unwrap().expose());
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
        assert_eq!(claims["aud"], TOKEN_URL);
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        let foreign = "is refused: token_uri must be an address of https://oauth2.googleapis.com, not \"evil.example\"";
        for (name, value, why) in [
            ("client_email", json!(""), "lacks client_email"),
            ("private_key", json!(null), "lacks private_key"),
            ("private_key", json!(["x-secret"]), "has a field that is not a string"),
            ("private_key", json!("x-secret"), "has a private_key that holds no unencrypted key"),
            ("private_key", json!(KEY[..900]), "has a private_key that is not valid PEM"),
            ("token_uri", json!("https://evil.example/token?x-secret"), foreign),
        ] {
            let mut document = file();
            document[name] = value;
            let error = read(&document).unwrap_err();
            let expected = format!("VARIABLE names /x, which {why}; correct or unset VARIABLE");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_the_assertion() {
        let credentials = read(&file()).unwrap();
        let assertion = credentials.assertion(&FakeSystem::default()).unwrap();
        let body = json!({"error": "invalid_grant", "error_description": format!("Bad {}", assertion.expose())});
        let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 400, &body.to_string());
        let error = credentials.grant(&fake, &location()).unwrap_err();
        assert_eq!(error.message(), "the fake answered with HTTP 400: Bad (hidden)");
        assert_eq!(format!("{credentials:?}"), format!("ServiceAccount({EMAIL:?})"));
    }
}
