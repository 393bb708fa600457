//! Applications and managed identities of named feeds, as build tasks pass them to artifacts-credprovider.
//! <https://github.com/microsoft/artifacts-credprovider#environment-variables>

use std::path::Path;

use log::debug;
use serde::Deserialize;

use super::{
    Feed, Grant, Tenant, client_certificate,
    endpoints::{self, Chosen, EndpointDocument},
    managed_identity::{self, Client},
};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::{Error, Kind, Result},
    service::Service,
    system::{Env, System},
};

/// The variable with the endpoints.
const VARIABLE: &str = "ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS";

/// The client id that means the system-assigned managed identity.
const SYSTEM_ASSIGNED: &str = "system";

/// The provider.
pub(crate) struct FeedIdentity;

impl TokenProvider<Feed, Grant> for FeedIdentity {
    fn name(&self) -> &'static str {
        "feed_identity"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(VARIABLE.into())
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, feed: &Feed) -> Result<Attempt<Grant>> {
        if system.secret_setting(VARIABLE).is_none() {
            return Ok(Attempt::not_configured(format!("no {VARIABLE}")));
        }
        let document = read(system)?;
        document.check_quotes(VARIABLE);
        let endpoint = match choose(document, feed) {
            Chosen::One(endpoint) => endpoint,
            Chosen::Several(_) => {
                return Err(invalid("has several identities that may be for a feed whose URL has GUIDs")
                    .with_hint(format!("add an endpoint with these GUIDs, or unset {VARIABLE}")));
            }
            Chosen::None => return Ok(Attempt::not_configured("no endpoint matches this feed")),
        };
        debug!(step = "feed_identity", outcome = "found"; "the identity in {VARIABLE} for {:?}", endpoint.service);
        endpoint.identity().map(|identity| Attempt::Token(Grant::Identity(identity)))
    }
}

/// The endpoint that serves a feed, for the cache key: its identity belongs to the endpoint, not to the organisation.
#[must_use]
pub(crate) fn matching_endpoint(system: &dyn System, feed: &Feed) -> Option<String> {
    match choose(read(system).ok()?, feed) {
        Chosen::One(endpoint) => endpoint.service.url().map(ToString::to_string),
        Chosen::Several(_) | Chosen::None => None,
    }
}

/// An identity that signs in to the tenant of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// An application, with the path of the PEM file of its certificate and private key.
    Application { client_id: String, certificate: String },
    /// A managed identity: the user-assigned one with a client id, or the system-assigned one.
    Managed { client_id: Option<String> },
}

impl Identity {
    /// Signs in. An error names the variable.
    pub(crate) fn sign_in(&self, system: &dyn System, tenant: &Tenant) -> Result<AccessToken> {
        let refused = |error: Error| match error.kind() {
            Kind::Rejected => error.with_hint(format!("correct the endpoint's identity, or unset {VARIABLE}")),
            _ => error,
        };
        match self {
            Self::Application { client_id, certificate } => {
                client_certificate::sign_in(system, tenant, client_id, certificate, VARIABLE).map_err(refused)
            }
            Self::Managed { client_id } => {
                let client = client_id.clone().map(|id| Client { id, variable: VARIABLE });
                match managed_identity::sign_in(system, client.as_ref()).map_err(refused)? {
                    Attempt::Token(token) => Ok(token),
                    Attempt::NotConfigured(why) => Err(invalid(&format!("names a managed identity, but {why}"))),
                }
            }
        }
    }
}

struct Endpoint {
    service: Service,
    entry: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    endpoint: Option<String>,
    client_id: Option<String>,
    client_certificate_file_path: Option<String>,
    client_certificate_subject_name: Option<String>,
}

impl Endpoint {
    fn identity(&self) -> Result<Identity> {
        let set = |value: &Option<String>| {
            value.as_deref().map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let client_id = set(&self.entry.client_id).ok_or_else(|| invalid("has no clientId for this feed"))?;
        if set(&self.entry.client_certificate_subject_name).is_some() {
            return Err(invalid("names a certificate by its subject").with_hint(format!(
                "name a PEM file in clientCertificateFilePath (`openssl pkcs12` writes one), or unset {VARIABLE}"
            )));
        }
        let Some(certificate) = set(&self.entry.client_certificate_file_path) else {
            let is_user_assigned = !client_id.eq_ignore_ascii_case(SYSTEM_ASSIGNED);
            return Ok(Identity::Managed { client_id: is_user_assigned.then_some(client_id) });
        };
        let is_pkcs12 =
            |extension: &std::ffi::OsStr| ["pfx", "p12"].iter().any(|known| extension.eq_ignore_ascii_case(known));
        if Path::new(&certificate).extension().is_some_and(is_pkcs12) {
            return Err(invalid("names a PKCS #12 file, which is not read").with_hint(format!(
                "convert it to PEM: `openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes`, or unset {VARIABLE}"
            )));
        }
        Ok(Identity::Application { client_id, certificate })
    }
}

fn invalid(why: &str) -> Error {
    Error::new(Kind::Configuration, format!("{VARIABLE} {why}"))
        .with_hint(format!("correct the endpoint, or unset {VARIABLE}"))
}

fn read(environment: &dyn Env) -> Result<EndpointDocument<Entry>> {
    EndpointDocument::read(environment, VARIABLE, r#""clientId":"ID""#)
}

fn choose(document: EndpointDocument<Entry>, feed: &Feed) -> Chosen<Endpoint> {
    let all = document
        .endpoints()
        .into_iter()
        .filter_map(|entry| Some(Endpoint { service: Service::parse(entry.endpoint.as_deref()?), entry }));
    let is_same = |one: &Endpoint, other: &Endpoint| one.identity() == other.identity();
    endpoints::choose(all, |endpoint| &endpoint.service, is_same, &feed.address())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/";

    fn ask(value: &str, service: &str) -> Result<Option<Identity>> {
        let system = FakeSystem::default().variable(VARIABLE, value);
        let feed = Feed::from_service(&Service::parse(service)).unwrap();
        Ok(match FeedIdentity.token(&system, &feed)? {
            Attempt::Token(Grant::Identity(identity)) => Some(identity),
            _ => None,
        })
    }

    /// The identity of an endpoint that is the feed, with these other fields.
    fn identity(mut entry: Value) -> Result<Option<Identity>> {
        entry["endpoint"] = json!(FEED);
        ask(&json!({ "endpointCredentials": [entry] }).to_string(), FEED)
    }

    fn managed(client_id: Option<&str>) -> Identity {
        Identity::Managed { client_id: client_id.map(str::to_owned) }
    }

    #[test]
    fn a_client_id_means_an_application_or_a_managed_identity() {
        let application =
            Identity::Application { client_id: "robot".to_owned(), certificate: "/a/robot.pem".to_owned() };
        for (entry, expected) in [
            (json!({"clientId": "system"}), managed(None)),
            (json!({"clientId": " System "}), managed(None)),
            (json!({"clientId": "robot"}), managed(Some("robot"))),
            (json!({"clientId": "robot", "clientCertificateFilePath": " "}), managed(Some("robot"))),
            (json!({"clientId": "robot", "clientCertificateFilePath": "/a/robot.pem"}), application),
        ] {
            assert_eq!(identity(entry.clone()), Ok(Some(expected)), "{entry}");
        }
    }

    #[test]
    fn endpoints_that_cannot_be_used_are_errors_with_advice() {
        for (entry, message, advice) in [
            (json!({}), "has no clientId", "correct the endpoint"),
            (json!({"clientId": ""}), "has no clientId", "correct the endpoint"),
            (json!({"clientId": "robot", "clientCertificateFilePath": "/a.PFX"}), "PKCS #12", "openssl pkcs12 -in"),
            (json!({"clientId": "robot", "clientCertificateFilePath": "/a.p12"}), "PKCS #12", "openssl pkcs12 -in"),
            (json!({"clientId": "robot", "clientCertificateSubjectName": "CN=robot"}), "subject", "openssl pkcs12"),
        ] {
            let error = identity(entry.clone()).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.message().starts_with(VARIABLE) && error.message().contains(message), "{entry} {error}");
            let hint = error.hint().unwrap();
            assert!(hint.contains(advice) && hint.ends_with(&format!("or unset {VARIABLE}")), "{hint}");
        }
    }

    #[test]
    fn the_most_specific_endpoint_of_the_feed_decides() {
        let value = json!({"endpointCredentials": [
            {"endpoint": "https://pkgs.dev.azure.com/contoso/", "clientId": "organisation"},
            {"endpoint": FEED, "clientId": "feed"},
            {"clientId": "nowhere"},
        ]})
        .to_string();
        assert_eq!(ask(&value, FEED), Ok(Some(managed(Some("feed")))));
        let other = "https://pkgs.dev.azure.com/contoso/_packaging/feeder/pypi/simple/";
        assert_eq!(ask(&value, other), Ok(Some(managed(Some("organisation")))));
        assert_eq!(ask(&value, "https://pkgs.dev.azure.com/contoso-evil/_packaging/feed/pypi/simple/"), Ok(None));
        let fake = FakeSystem::default().variable(VARIABLE, &value);
        let matching = |service| matching_endpoint(&fake, &Feed::from_service(&Service::parse(service)).unwrap());
        assert_ne!(matching(FEED), matching(other));
    }

    #[test]
    fn a_missing_managed_identity_and_a_missing_file_are_errors() {
        let tenant = Tenant::new("contoso.example").unwrap();
        let fake = || FakeSystem::default().variable("IDENTITY_ENDPOINT", "http://127.0.0.1:1/");
        let arc = fake().variable("IMDS_ENDPOINT", "http://127.0.0.1:1/");
        let cloud_shell = FakeSystem::default().variable("MSI_ENDPOINT", "http://127.0.0.1:1/");
        for fake in [arc, cloud_shell] {
            let error = managed(Some("robot")).sign_in(&fake, &tenant).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.message().starts_with(&format!("{VARIABLE} names a managed identity, but ")), "{error}");
        }
        let certificate = absolute("/nowhere.pem");
        let application = Identity::Application { client_id: "robot".to_owned(), certificate };
        let error = application.sign_in(&fake(), &tenant).unwrap_err();
        assert!(error.to_string().ends_with(&format!("correct or unset {VARIABLE}")), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_an_error_of_one_line(text in "\\PC{0,120}") {
            if let Err(error) = ask(&text, FEED) {
                prop_assert!(error.message().contains(VARIABLE) && !error.to_string().contains('\n'));
            }
        }
    }
}
