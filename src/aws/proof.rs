//! Proof that a program holds the key of a login: DPoP (RFC 9449), signed with ES256.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    auth::jwt::{numeric_date, sign_es256},
    error::Result,
    secret::Secret,
    system::System,
};

/// The DER of a key of the curve P-256 (RFC 5915) before its private part, between both parts, and the length of each.
const BEFORE_PRIVATE: [u8; 7] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
const PRIVATE_LENGTH: usize = 32;
const BEFORE_PUBLIC: [u8; 17] =
    [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00];
const PUBLIC_LENGTH: usize = 65;

/// The private key of a login.
pub(super) struct ProofKey(EcdsaKeyPair);

impl ProofKey {
    /// Reads a key in PEM with the label `EC PRIVATE KEY`; `None` unless it is a key of P-256 with its public part.
    pub(super) fn parse(pem: &str) -> Option<Self> {
        let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()).ok()?;
        let der = Zeroizing::new(der);
        let rest = der.strip_prefix(&BEFORE_PRIVATE).filter(|_| kind == SectionKind::EcPrivateKey)?;
        let (private, rest) = rest.split_at_checked(PRIVATE_LENGTH)?;
        let public = rest.strip_prefix(&BEFORE_PUBLIC).filter(|public| public.len() == PUBLIC_LENGTH)?;
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            private,
            public,
            &SystemRandom::new(),
        )
        .ok()
        .map(Self)
    }

    /// The value of the header `DPoP` for a POST to a URL (RFC 9449, section 4.2).
    pub(super) fn for_post(&self, system: &dyn System, url: &Url) -> Result<Secret> {
        let claims =
            json!({"htm": "POST", "htu": url.as_str(), "iat": numeric_date(system.now()), "jti": unique_id(system)?});
        sign_es256(&self.0, &self.header(), &claims)
    }

    /// The header of the token, with the public key (RFC 7518, section 6.2.1).
    fn header(&self) -> Value {
        // The first byte says that both coordinates follow.
        let coordinates = self.0.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let encode = |coordinate: &[u8]| URL_SAFE_NO_PAD.encode(coordinate);
        json!({
            "typ": "dpop+jwt",
            "alg": "ES256",
            "jwk": {"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)},
        })
    }
}

/// A random UUID (RFC 9562, section 5.4).
fn unique_id(system: &dyn System) -> Result<String> {
    let mut bytes = [0; 16];
    system.random(&mut bytes)?;
    let number = u128::from_be_bytes(bytes);
    // The version, 4, and the variant, binary 10.
    let number = number & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let digits = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::system::fake::FakeSystem;

    fn vector(name: &str) -> String {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/aws-sigv4.json")).unwrap();
        vectors["dpop"][name].as_str().unwrap().to_owned()
    }

    fn key() -> ProofKey {
        ProofKey::parse(&vector("pem")).unwrap()
    }

    /// Verifies a token, and returns its header and claims.
    fn verified(token: &str) -> (Value, Value) {
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = key();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.0.public_key().as_ref());
        public.verify(message.as_bytes(), &signature).unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let decode = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (decode(header), decode(claims))
    }

    fn json_of(name: &str) -> Value {
        serde_json::from_str(&vector(name)).unwrap()
    }

    #[test]
    fn the_key_of_the_vectors_is_read() {
        let jwk = &key().header()["jwk"];
        assert_eq!((&jwk["x"], &jwk["y"]), (&json!(vector("x")), &json!(vector("y"))));
        let example = format!("{}.{}", vector("signing_input"), vector("example_signature"));
        assert_eq!(verified(&example), (json_of("header"), json_of("payload")));
    }

    #[test]
    fn a_proof_has_the_members_of_the_vectors() {
        let url = Url::parse("https://us-east-1.signin.aws.amazon.com/v1/token").unwrap();
        let id = 0x0b6f_3f4e_7d1c_0f6a_1a55_0f2f_6c1d_2e3f_u128.to_be_bytes();
        let fake = FakeSystem::default().random_bytes([id.to_vec()]);
        let (header, claims) = verified(key().for_post(&fake, &url).unwrap().expose());
        assert_eq!(header, json_of("header"));
        let mut expected = json_of("payload");
        expected["iat"] = json!(numeric_date(crate::system::Clock::now(&fake)));
        expected["jti"] = json!("0b6f3f4e-7d1c-4f6a-9a55-0f2f6c1d2e3f");
        assert_eq!(claims, expected);
    }

    #[test]
    fn an_id_has_version_and_variant_of_a_random_uuid() {
        for (byte, expected) in
            [(0x00, "00000000-0000-4000-8000-000000000000"), (0xff, "ffffffff-ffff-4fff-bfff-ffffffffffff")]
        {
            assert_eq!(unique_id(&FakeSystem::default().random_bytes([vec![byte; 16]])).unwrap(), expected);
        }
    }

    #[test]
    fn anything_but_a_whole_key_of_p256_is_refused() {
        let pem = vector("pem");
        for broken in [
            String::new(),
            pem.replace("EC PRIVATE", "PRIVATE"),
            pem.replace("MHcC", "MHgC"),
            // Another private part than that of the public part.
            pem.replace("IHQ6", "IHQ7"),
            pem.replace("ICZcoAoG", "ICZcoQoG"),
            pem.replace("\nAwEH", "\n"),
        ] {
            assert!(ProofKey::parse(&broken).is_none(), "{broken}");
        }
    }
}
