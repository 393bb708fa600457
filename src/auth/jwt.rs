//! JSON Web Tokens (RFC 7519): read without verification, and signed.
//!
//! The claims of a token that is read decide how it is used and what messages say. The service that it is for verifies it;
//! nothing is trusted because of them.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
};

/// Decodes a part of a token that is a JSON object.
fn object(part: &str) -> Option<Map<String, Value>> {
    let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?);
    match serde_json::from_slice(&decoded).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// The claims of a token.
#[derive(Clone)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// The claims; `None` unless the token has the compact form with JSON objects as header and payload.
    #[must_use]
    pub(crate) fn read(token: &Secret) -> Option<Self> {
        let mut parts = token.expose().split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        // The signature is checked for its alphabet, so that a quotation mark at the end is not taken for a part of
        // the token.
        let is_encoded = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if signature.is_empty() || !signature.trim_end_matches('=').bytes().all(is_encoded) || parts.next().is_some() {
            return None;
        }
        object(header)?;
        object(payload).map(Self)
    }

    /// A claim that is a string and not empty.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|value| !value.is_empty())
    }

    /// The audiences in `aud` (RFC 7519, section 4.1.3: a string or a list of strings); `None` if the claim is absent.
    #[must_use]
    pub(crate) fn audiences(&self) -> Option<Vec<&str>> {
        match self.0.get("aud")? {
            Value::String(audience) => Some(vec![audience]),
            Value::Array(audiences) => Some(audiences.iter().filter_map(Value::as_str).collect()),
            _ => None,
        }
    }

    /// Whether a claim is present, even if empty.
    #[must_use]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// When the token expires, from `exp` (RFC 7519, section 4.1.4: seconds since 1970).
    #[must_use]
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.moment("exp")
    }

    /// When the token was issued, from `iat` (RFC 7519, section 4.1.6).
    #[must_use]
    pub(crate) fn issued(&self) -> Option<SystemTime> {
        self.moment("iat")
    }

    fn moment(&self, name: &str) -> Option<SystemTime> {
        let seconds = self.0.get(name)?;
        // NumericDate may have a fraction, which is dropped.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the fraction of a NumericDate is dropped"
        )]
        let seconds =
            seconds.as_u64().or_else(|| seconds.as_f64().filter(|value| *value >= 0.0).map(|value| value as u64))?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }
}

/// Signs claims with PS256 (RFC 7518, section 3.5). `header` states the algorithm and whatever identifies the key.
pub(crate) fn sign_ps256(key: &RsaKeyPair, header: &Value, claims: &Value) -> Result<Secret> {
    sign_by_rsa(&RSA_PSS_SHA256, key, header, claims)
}

/// Signs claims with RS256 (RFC 7518, section 3.3), as [`sign_ps256`] does.
pub(crate) fn sign_rs256(key: &RsaKeyPair, header: &Value, claims: &Value) -> Result<Secret> {
    sign_by_rsa(&RSA_PKCS1_SHA256, key, header, claims)
}

fn sign_by_rsa(encoding: &'static dyn RsaEncoding, key: &RsaKeyPair, header: &Value, claims: &Value) -> Result<Secret> {
    sign(header, claims, |message| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(encoding, &SystemRandom::new(), message, &mut signature)?;
        Ok(signature)
    })
}

/// Signs claims with ES256 (RFC 7518, section 3.4), by a key for signatures of fixed length.
pub(crate) fn sign_es256(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> Result<Secret> {
    sign(header, claims, |message| Ok(key.sign(&SystemRandom::new(), message)?.as_ref().to_vec()))
}

/// A token of the compact form (RFC 7515, section 7.1).
fn sign(
    header: &Value,
    claims: &Value,
    signature: impl FnOnce(&[u8]) -> std::result::Result<Vec<u8>, Unspecified>,
) -> Result<Secret> {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let mut token = format!("{}.{}", encode(header), encode(claims));
    let signature = signature(token.as_bytes())
        .map_err(|_| Error::new(Kind::Internal, "the token cannot be signed with this key"))?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(Secret::new(token))
}

/// A point in time as claims state it: seconds since 1970.
#[must_use]
pub(crate) fn numeric_date(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn token_of(claims: &Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::json;

    use super::*;
    use crate::auth::rsa_key;

    #[test]
    fn claims_are_read() {
        let token = Secret::new(token_of(&json!({"upn": "ada@contoso.example", "exp": 100, "scp": ""})));
        let claims = Claims::read(&token).unwrap();
        assert_eq!(claims.text("upn"), Some("ada@contoso.example"));
        assert_eq!(claims.expires(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100)));
        assert!(claims.has("scp"));
        assert_eq!(claims.text("scp"), None);
    }

    #[test]
    fn text_that_is_not_a_token_has_no_claims() {
        for text in [
            "",
            "a.b",
            "a.b.c",
            "..",
            "a.e30.",
            ".e30.c",
            "a.e30.c.d",
            "a.W10.c",
            "pat",
            "W10.e30.c",
            "e30.e30.c,",
            "\"e30.e30.c",
        ] {
            assert!(Claims::read(&Secret::new(text.into())).is_none(), "{text}");
        }
    }

    #[test]
    fn an_absurd_expiry_is_no_expiry() {
        for expiry in [json!(-1), json!("soon"), json!(u64::MAX), json!(null)] {
            let token = Secret::new(token_of(&json!({"exp": expiry})));
            assert_eq!(Claims::read(&token).unwrap().expires(), None, "{expiry}");
        }
    }

    #[test]
    fn an_rs256_signature_is_that_of_the_key() {
        let key = rsa_key::read(include_bytes!("../../tests/vectors/rsa2048/pkcs8.pem")).unwrap();
        let token = sign_rs256(&key, &json!({"alg": "RS256"}), &json!({"iss": "ada"})).unwrap();
        assert_eq!(Claims::read(&token).unwrap().text("iss"), Some("ada"));
        let (signed, signature) = token.expose().rsplit_once('.').unwrap();
        let public: &[u8] = include_bytes!("../../tests/vectors/rsa2048/public.der");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(signed.as_bytes(), &signature).unwrap();
    }

    proptest! {
        #[test]
        fn reading_never_fails(text in "[A-Za-z0-9_.=-]{0,120}") {
            if let Some(claims) = Claims::read(&Secret::new(text)) {
                let _ = claims.expires();
            }
        }
    }
}
