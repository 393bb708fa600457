//! Passwords of named feeds, as CI systems pass them to artifacts-credprovider.
//! <https://github.com/microsoft/artifacts-credprovider#environment-variables>

use log::debug;
use serde::Deserialize;

use super::{Feed, Grant, SESSION_USERNAME};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin, TokenProvider},
        warning,
    },
    error::{Error, Kind, Result},
    registry::azure::is_guid,
    secret::Secret,
    service::Service,
    system::System,
};

/// The variables with the endpoints, the newer name first. Both are read.
const VARIABLES: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"];

/// The provider.
pub(crate) struct FeedEndpoints;

impl TokenProvider<Feed, Grant> for FeedEndpoints {
    fn name(&self) -> &'static str {
        "feed_endpoints"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        let [newer, older] = VARIABLES;
        let is_set = |name| system.secret_setting(name).is_some();
        Origin::Explicit(match (faulty(system), is_set(newer), is_set(older)) {
            (Some(variable), _, _) => variable.into(),
            (None, true, true) => format!("{newer} or {older}").into(),
            (None, false, true) => older.into(),
            (None, _, false) => newer.into(),
        })
    }

    fn token(&self, system: &dyn System, feed: &Feed) -> Result<Attempt<Grant>> {
        let endpoints = read(system)?;
        if endpoints.is_empty() {
            return Ok(Attempt::not_configured(format!("no {}", VARIABLES[0])));
        }
        let Some(endpoint) = best(endpoints, feed) else {
            return Ok(Attempt::not_configured("no endpoint is this feed"));
        };
        debug!(step = "feed_endpoints", outcome = "found"; "the password in {} for {:?}", endpoint.variable, endpoint.service);
        Ok(Attempt::Token(Grant::Password {
            token: endpoint.token()?,
            username: endpoint.username.unwrap_or_else(|| SESSION_USERNAME.to_owned()),
        }))
    }
}

/// The endpoint that serves a feed, for the cache key: its password belongs to the endpoint, not to the organisation.
#[must_use]
pub(crate) fn matching_endpoint(system: &dyn System, feed: &Feed) -> Option<String> {
    best(read(system).ok()?, feed).and_then(|endpoint| endpoint.service.url().map(ToString::to_string))
}

struct Endpoint {
    variable: &'static str,
    service: Service,
    username: Option<String>,
    password: Option<Secret>,
}

impl Endpoint {
    fn token(&self) -> Result<AccessToken> {
        let variable = self.variable;
        let Some(password) = &self.password else {
            return Err(Error::new(Kind::Configuration, format!("{variable} has no password for this feed"))
                .with_hint(format!("set the password, remove the endpoint, or unset {variable}")));
        };
        AccessToken::parse(password.expose()).map_err(|malformed| {
            let message = format!("{variable} holds {malformed} as the password of a feed");
            Error::new(Kind::Configuration, message).with_hint(format!("correct the password, or unset {variable}"))
        })
    }
}

/// The first variable that cannot be parsed or that holds a password which cannot be used.
fn faulty(system: &dyn System) -> Option<&'static str> {
    VARIABLES.into_iter().find(|variable| {
        read_one(system, variable).map_or(true, |endpoints| endpoints.iter().any(|endpoint| endpoint.token().is_err()))
    })
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "endpointCredentials")]
    credentials: Vec<DocumentEntry>,
}

#[derive(Deserialize)]
struct DocumentEntry {
    endpoint: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
}

fn read(system: &dyn System) -> Result<Vec<Endpoint>> {
    let [newer, older] = VARIABLES;
    let mut endpoints = read_one(system, newer)?;
    endpoints.extend(read_one(system, older)?);
    Ok(endpoints)
}

fn read_one(system: &dyn System, variable: &'static str) -> Result<Vec<Endpoint>> {
    let Some(text) = system.secret_setting(variable) else { return Ok(Vec::new()) };
    let endpoints = parse(variable, text.expose())?.credentials.into_iter().filter_map(|entry| {
        Some(Endpoint {
            variable,
            service: Service::parse(&entry.endpoint?),
            username: entry.username.filter(|name| !name.trim().is_empty()),
            password: entry.password.and_then(|password| Secret::from_trimmed(password.expose())),
        })
    });
    Ok(endpoints.collect())
}

/// JSON, also with single quotes, which YAML files suggest and artifacts-credprovider accepts.
fn parse(variable: &str, text: &str) -> Result<Document> {
    if let Ok(document) = serde_json::from_str(text) {
        return Ok(document);
    }
    if !text.contains('"') {
        let repaired = zeroize::Zeroizing::new(text.replace('\'', "\""));
        if let Ok(document) = serde_json::from_str(&repaired) {
            warning::once(&format!("{variable} is written with single quotes: JSON wants double ones"));
            return Ok(document);
        }
    }
    // The parser's message is left out: it may quote secrets.
    Err(Error::new(Kind::Configuration, format!("{variable} is not the expected JSON")).with_hint(format!(
        r#"write {{"endpointCredentials":[{{"endpoint":"URL","password":"TOKEN"}}]}}, or unset {variable}"#
    )))
}

/// The endpoint with the longest path that is a prefix of the feed's, compared by segments without regard to case.
/// What follows the feed's name (`nuget/v3/index.json`) is ignored, since one password is valid for the whole feed.
/// URLs of files name project and feed by GUID: then the only endpoint of the organisation serves, if there is exactly
/// one.
fn best(endpoints: Vec<Endpoint>, feed: &Feed) -> Option<Endpoint> {
    let mut found: Option<(usize, Endpoint)> = None;
    let mut same_organisation = Vec::new();
    let path = segments(feed);
    for endpoint in endpoints {
        let Some(other) = Feed::from_service(&endpoint.service) else {
            continue;
        };
        if other.url().host_str() != feed.url().host_str() || other.organisation_key() != feed.organisation_key() {
            continue;
        }
        let prefix = feed_path(&other);
        if path.starts_with(&prefix) {
            if found.as_ref().is_none_or(|(length, _)| prefix.len() > *length) {
                found = Some((prefix.len(), endpoint));
            }
        } else {
            same_organisation.push(endpoint);
        }
    }
    match found {
        Some((_, endpoint)) => Some(endpoint),
        None if same_organisation.len() == 1 && names_feed_by_guid(feed) => same_organisation.pop(),
        None => None,
    }
}

fn segments(feed: &Feed) -> Vec<String> {
    let segments = feed.url().path_segments().into_iter().flatten();
    segments.filter(|segment| !segment.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// The path up to and including the name of the feed.
fn feed_path(feed: &Feed) -> Vec<String> {
    let mut segments = segments(feed);
    if let Some(position) = segments.iter().position(|segment| segment == "_packaging") {
        segments.truncate(position + 2);
    }
    segments
}

fn names_feed_by_guid(feed: &Feed) -> bool {
    feed_path(feed).last().is_some_and(|name| is_guid(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fake::FakeSystem;

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/project/_packaging/feed/pypi/simple/";

    fn ask(value: &str, service: &str) -> Result<Option<(String, String)>> {
        let system = FakeSystem::default().variable(VARIABLES[0], value);
        let feed = Feed::from_service(&Service::parse(service)).unwrap();
        Ok(match FeedEndpoints.token(&system, &feed)? {
            Attempt::Token(Grant::Password { username, token }) => Some((username, token.secret().expose().to_owned())),
            _ => None,
        })
    }

    fn password(endpoints: &[(&str, &str)], service: &str) -> Option<String> {
        let entries: Vec<_> = endpoints
            .iter()
            .map(|(endpoint, password)| serde_json::json!({"endpoint": endpoint, "password": password}))
            .collect();
        let value = serde_json::json!({ "endpointCredentials": entries }).to_string();
        ask(&value, service).unwrap().map(|(_, password)| password)
    }

    #[test]
    fn the_most_specific_prefix_wins() {
        let endpoints = [
            ("https://pkgs.dev.azure.com/contoso/", "organisation"),
            ("https://pkgs.dev.azure.com/Contoso/project/_packaging/FEED/nuget/v3/index.json", "feed"),
            ("https://pkgs.dev.azure.com/contoso/project/", "project"),
            ("https://pkgs.dev.azure.com/contoso/project/_packaging/fee", "other"),
            ("https://pkgs.dev.azure.com/fabrikam/", "fabrikam"),
        ];
        assert_eq!(password(&endpoints, FEED).as_deref(), Some("feed"));
        assert_eq!(password(&endpoints[3..], FEED), None);
        assert_eq!(password(&endpoints[..1], FEED).as_deref(), Some("organisation"));
    }

    #[test]
    fn a_file_url_uses_the_only_endpoint_of_its_organisation() {
        let file = "https://pkgs.dev.azure.com/contoso/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                    2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/pypi/download/a/1/a.whl";
        assert_eq!(password(&[(FEED, "feed")], file).as_deref(), Some("feed"));
        assert_eq!(
            password(&[(FEED, "a"), ("https://pkgs.dev.azure.com/contoso/other/_packaging/x/", "b")], file),
            None
        );
    }

    #[test]
    fn user_names_are_optional_and_single_quotes_tolerated() {
        let value = format!("{{'endpointCredentials':[{{'endpoint':'{FEED}','username':'ada','password':'secret'}}]}}");
        assert_eq!(ask(&value, FEED).unwrap(), Some(("ada".to_owned(), "secret".to_owned())));
    }

    #[test]
    fn invalid_json_is_an_error_that_quotes_nothing() {
        let error = ask("x-secret", FEED).unwrap_err();
        assert!(error.message().contains(VARIABLES[0]) && !error.to_string().contains("x-secret"), "{error}");
    }

    #[test]
    fn the_best_match_without_a_password_is_an_error() {
        let value = |password: &str| {
            format!(
                r#"{{"endpointCredentials":[{{"endpoint":"https://pkgs.dev.azure.com/contoso/","password":"whole"}},
                {{"endpoint":"{FEED}"{password}}}]}}"#
            )
        };
        for password in ["", r#","password":null"#, r#","password":" ""#] {
            let error = ask(&value(password), FEED).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert_eq!(error.message(), format!("{} has no password for this feed", VARIABLES[0]));
            let other = "https://pkgs.dev.azure.com/contoso/_packaging/other/pypi/simple/";
            assert_eq!(ask(&value(password), other).unwrap().unwrap().1, "whole");
        }
    }

    #[test]
    fn the_hint_and_the_origin_name_the_variable_at_fault() {
        let [newer, older] = VARIABLES;
        let good = r#"{"endpointCredentials":[{"endpoint":"https://pkgs.dev.azure.com/contoso/","password":"p"}]}"#;
        let with_password =
            |password: &str| format!(r#"{{"endpointCredentials":[{{"endpoint":"{FEED}","password":"{password}"}}]}}"#);
        let feed = Feed::from_service(&Service::parse(FEED)).unwrap();
        let both = |value: &str| FakeSystem::default().variable(newer, good).variable(older, value);
        for value in ["x-secret".to_owned(), with_password("two words"), with_password(" ")] {
            let fake = both(&value);
            let error = FeedEndpoints.token(&fake, &feed).unwrap_err();
            assert!(error.message().starts_with(older), "{error}");
            assert!(error.hint().unwrap().ends_with(&format!("or unset {older}")), "{error}");
            assert_eq!(FeedEndpoints.origin(&fake), Origin::Explicit(older.into()));
        }
        let origin = FeedEndpoints.origin(&both(good));
        assert_eq!(origin, Origin::Explicit(format!("{newer} or {older}").into()));
        let origin = FeedEndpoints.origin(&FakeSystem::default().variable(older, good));
        assert_eq!(origin, Origin::Explicit(older.into()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_an_error_without_the_password(
            text in prop_oneof![
                "\\PC{0,80}",
                "\\{[\"']endpointCredentials[\"']:\\[\\{[\"'](endpoint|password)[\"']:[\"'][a-z:/.]{0,30}x-secret[\"']\\}?\\]?\\}?",
            ],
        ) {
            if let Err(error) = ask(&text, FEED) {
                prop_assert!(!error.to_string().contains("x-secret"), "{}", error);
            }
        }
    }
}
