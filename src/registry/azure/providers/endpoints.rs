//! Credentials of named feeds: the JSON with their endpoints, and the endpoint that serves a feed.

use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    auth::warning,
    error::{Error, Kind, Result},
    registry::azure::feed::Address,
    service::Service,
    system::Env,
};

/// The JSON of a variable that describes endpoints.
#[derive(Deserialize)]
pub(super) struct EndpointDocument<Entry> {
    #[serde(rename = "endpointCredentials")]
    endpoints: Vec<Entry>,
    #[serde(skip)]
    has_single_quotes: bool,
}

impl<Entry: DeserializeOwned> EndpointDocument<Entry> {
    /// Reads a variable: JSON, also with single quotes, which YAML files suggest and artifacts-credprovider accepts. The hint
    /// of an error has `example` as the fields of an endpoint.
    pub(super) fn read(environment: &dyn Env, variable: &str, example: &str) -> Result<Self> {
        let Some(text) = environment.secret_setting(variable) else {
            return Ok(Self { endpoints: Vec::new(), has_single_quotes: false });
        };
        let text = text.expose();
        if let Ok(document) = serde_json::from_str(text) {
            return Ok(document);
        }
        if !text.contains('"') {
            let repaired = Zeroizing::new(text.replace('\'', "\""));
            if let Ok(document) = serde_json::from_str::<Self>(&repaired) {
                return Ok(Self { has_single_quotes: true, ..document });
            }
        }
        // The parser's message is left out: it may quote secrets.
        Err(Error::new(Kind::Configuration, format!("{variable} is not the expected JSON")).with_hint(format!(
            r#"write {{"endpointCredentials":[{{"endpoint":"URL",{example}}}]}}, or unset {variable}"#
        )))
    }

    /// Warns of single quotes.
    pub(super) fn check_quotes(&self, variable: &str) {
        if self.has_single_quotes {
            warning::once(&format!("{variable} is written with single quotes: JSON requires double quotes"));
        }
    }

    /// The endpoints.
    pub(super) fn endpoints(self) -> Vec<Entry> {
        self.endpoints
    }
}

/// The endpoint of an address.
pub(super) enum Chosen<Endpoint> {
    /// The endpoint that serves it.
    One(Endpoint),
    /// Endpoints that may serve it and differ; this is the first.
    Several(Endpoint),
    /// No endpoint serves it.
    None,
}

/// The most specific endpoint that contains an address; of two, the first. Without one, an endpoint that may contain it,
/// since GUIDs cannot be compared with names, unless another such endpoint is not the `same`.
pub(super) fn choose<Endpoint>(
    endpoints: impl IntoIterator<Item = Endpoint>,
    service: impl Fn(&Endpoint) -> &Service,
    same: impl Fn(&Endpoint, &Endpoint) -> bool,
    wanted: &Address,
) -> Chosen<Endpoint> {
    let mut found: Option<(Address, Endpoint)> = None;
    let mut possible = Vec::new();
    for endpoint in endpoints {
        let Some(address) = Address::of(service(&endpoint)) else { continue };
        if address.contains(wanted) {
            if found.as_ref().is_none_or(|(best, _)| address.depth() > best.depth()) {
                found = Some((address, endpoint));
            }
        } else if address.may_contain(wanted) {
            possible.push(endpoint);
        }
    }
    if let Some((_, endpoint)) = found {
        return Chosen::One(endpoint);
    }
    let mut possible = possible.into_iter();
    let Some(first) = possible.next() else { return Chosen::None };
    if possible.all(|other| same(&first, &other)) { Chosen::One(first) } else { Chosen::Several(first) }
}
