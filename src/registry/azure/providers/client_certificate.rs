//! An application that authenticates with a certificate: it signs an assertion with the private key.
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    signature::RsaKeyPair,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;

use super::{Grant, Tenant, client_secret::lacks_client_id};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        jwt::{self, numeric_date},
        private_file, rsa_key,
    },
    error::Result,
    registry::azure::entra::{CLIENT_VARIABLE, request_token_by_assertion},
    secret::Secret,
    system::System,
};

/// Names the PEM file with certificate and private key, as in Azure's own SDKs.
const PATH_VARIABLE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";

/// The lifetime of an assertion.
const ASSERTION_LIFE: Duration = Duration::from_secs(10 * 60);

/// Whether an application and its certificate are set.
pub(super) fn is_configured(system: &dyn System) -> bool {
    system.setting(CLIENT_VARIABLE).is_some() && system.setting(PATH_VARIABLE).is_some()
}

/// The provider.
pub(crate) struct ClientCertificate;

impl TokenProvider<Tenant, Grant> for ClientCertificate {
    fn name(&self) -> &'static str {
        "client_certificate"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(PATH_VARIABLE.into())
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let Some(path) = system.setting(PATH_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {PATH_VARIABLE}")));
        };
        let Some(client_id) = system.setting(CLIENT_VARIABLE) else {
            return Err(lacks_client_id(PATH_VARIABLE));
        };
        sign_in(system, &tenant.of_application(system)?, &client_id, &path, PATH_VARIABLE)
            .map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}

/// Signs in as an application by the certificate and key in a PEM file, which `variable` names.
pub(super) fn sign_in(
    system: &dyn System,
    tenant: &Tenant,
    client_id: &str,
    path: &str,
    variable: &str,
) -> Result<AccessToken> {
    let identity = KeyPair::read(system, variable, path)?;
    let assertion = identity.sign(system, tenant.token_endpoint()?.as_str(), client_id)?;
    request_token_by_assertion(system, tenant, client_id, assertion.expose())
}

struct KeyPair {
    key: RsaKeyPair,
    /// SHA-256 of the certificate's DER, in base64url.
    thumbprint: String,
}

impl KeyPair {
    fn read(system: &dyn System, variable: &str, path: &str) -> Result<Self> {
        let content = private_file::read(system, variable, path)?;
        let broken = |why: &str| {
            private_file::broken(variable, path, why)
                .with_hint("it must hold the certificate and its unencrypted RSA private key as PEM")
        };
        // The first certificate is the application's; its chain follows.
        let certificate = CertificateDer::pem_slice_iter(&content).next();
        let certificate = certificate.ok_or_else(|| broken("holds no certificate"))?;
        let certificate = certificate.map_err(|_| broken("is not valid PEM"))?;
        let key = rsa_key::read(&content).map_err(|malformed| broken(&malformed.to_string()))?;
        Ok(Self { key, thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)) })
    }

    /// The assertion: a token that the application issues about itself, for the token endpoint.
    fn sign(&self, system: &dyn System, audience: &str, client_id: &str) -> Result<Secret> {
        let mut unique = [0_u8; 16];
        system.random(&mut unique)?;
        let now = system.now();
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": URL_SAFE_NO_PAD.encode(unique),
            "nbf": numeric_date(now),
            "exp": numeric_date(now + ASSERTION_LIFE),
        });
        jwt::sign_ps256(&self.key, &header, &claims)
    }
}
