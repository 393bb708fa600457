//! Passwords of named feeds, as CI systems pass them to artifacts-credprovider.
//! <https://github.com/microsoft/artifacts-credprovider#environment-variables>
//!
//! An endpoint on another host than those of Azure Artifacts is how a feed of Azure DevOps Server is set up: such a host is
//! served because the variable names it.

use log::debug;
use serde::Deserialize;

use super::{
    Feed, Grant, SESSION_USERNAME,
    endpoints::{self, Chosen, EndpointDocument},
};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin, TokenProvider},
        warning,
    },
    error::{Error, Kind, Result},
    registry::azure::feed::Address,
    secret::Secret,
    service::Service,
    system::{Env, System},
};

/// The variables with the endpoints, the newer name first. Both are read.
const VARIABLES: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"];

/// The name that users choose the provider by.
pub(crate) const NAME: &str = "feed_endpoints";

/// The provider.
pub(crate) struct FeedEndpoints;

impl TokenProvider<Feed, Grant> for FeedEndpoints {
    fn name(&self) -> &'static str {
        NAME
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
        let (username, token) = match choose(endpoints, &feed.address()) {
            Chosen::One(endpoint) => endpoint.credential()?,
            Chosen::Several(Endpoint { variable, .. }) => {
                warning::once(&several(variable).within(feed.shown()).to_string());
                return Ok(Attempt::not_configured("several endpoints may match this feed"));
            }
            Chosen::None => return Ok(Attempt::not_configured("no endpoint matches this feed")),
        };
        Ok(Attempt::Token(Grant::Password { username, token }))
    }
}

/// The endpoint that serves a feed, for the cache key: its password belongs to the endpoint, not to the organisation.
#[must_use]
pub(crate) fn matching_endpoint(system: &dyn System, feed: &Feed) -> Option<String> {
    match choose(read(system).ok()?, &feed.address()) {
        Chosen::One(endpoint) => endpoint.service.url().map(ToString::to_string),
        Chosen::Several(_) | Chosen::None => None,
    }
}

/// Whether an endpoint names this server, with the URL or a part of its path. Pure, except for the environment.
#[must_use]
pub(crate) fn names_server(environment: &dyn Env, service: &Service) -> bool {
    if VARIABLES.into_iter().all(|variable| environment.raw_variable(variable).is_none()) {
        return false;
    }
    let Some(address) = Address::of_server(service) else { return false };
    // A variable that cannot be read names no server.
    let documents =
        VARIABLES.into_iter().filter_map(|variable| Some((read_one(environment, variable).ok()?, variable)));
    let all = documents.flat_map(|(document, variable)| endpoints(document, variable));
    !matches!(choose(all, &address), Chosen::None)
}

/// The user name and password of a server that an endpoint [names](names_server). An error if it is unclear which.
pub(crate) fn server_password(system: &dyn System, address: &Address) -> Result<Option<(String, AccessToken)>> {
    match choose(read(system)?, address) {
        Chosen::One(endpoint) => endpoint.credential().map(Some),
        Chosen::Several(Endpoint { variable, .. }) => Err(several(variable)),
        Chosen::None => Ok(None),
    }
}

/// It is unclear which of several passwords is the one of a feed.
fn several(variable: &str) -> Error {
    let what = format!("{variable} has several passwords that may be for a feed whose URL has GUIDs");
    Error::new(Kind::Configuration, what).with_hint("add an endpoint with these GUIDs, or use one password for all")
}

struct Endpoint {
    variable: &'static str,
    service: Service,
    username: Option<String>,
    password: Option<Secret>,
}

impl Endpoint {
    /// The user name, which Azure DevOps ignores, and the password.
    fn credential(self) -> Result<(String, AccessToken)> {
        debug!(step = NAME, outcome = "found"; "the password in {} for {:?}", self.variable, self.service);
        let token = self.token()?;
        Ok((self.username.unwrap_or_else(|| SESSION_USERNAME.to_owned()), token))
    }

    fn has_same_credential(&self, other: &Self) -> bool {
        self.username == other.username && self.password == other.password
    }

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
    let is_faulty = |endpoint: Endpoint| endpoint.token().is_err();
    VARIABLES.into_iter().find(|variable| {
        read_one(system, variable).map_or(true, |document| endpoints(document, variable).any(is_faulty))
    })
}

#[derive(Deserialize)]
struct DocumentEntry {
    endpoint: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
}

fn read_one(environment: &dyn Env, variable: &'static str) -> Result<EndpointDocument<DocumentEntry>> {
    EndpointDocument::read(environment, variable, r#""password":"TOKEN""#)
}

fn endpoints(document: EndpointDocument<DocumentEntry>, variable: &'static str) -> impl Iterator<Item = Endpoint> {
    document.endpoints().into_iter().filter_map(move |entry| {
        Some(Endpoint {
            variable,
            service: Service::parse(&entry.endpoint?),
            username: entry.username.filter(|name| !name.trim().is_empty()),
            password: entry.password.and_then(|password| Secret::from_trimmed(password.expose())),
        })
    })
}

fn read(system: &dyn System) -> Result<Vec<Endpoint>> {
    let mut all = Vec::new();
    for variable in VARIABLES {
        let document = read_one(system, variable)?;
        document.check_quotes(variable);
        all.extend(endpoints(document, variable));
    }
    Ok(all)
}

fn choose(endpoints: impl IntoIterator<Item = Endpoint>, wanted: &Address) -> Chosen<Endpoint> {
    endpoints::choose(endpoints, |endpoint| &endpoint.service, Endpoint::has_same_credential, wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        registry::{
            CredentialSource,
            azure::{AzureArtifacts, providers::CHOICE_VARIABLE},
        },
        system::fake::FakeSystem,
    };

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

    /// Whether an endpoint serves a service, by this provider alone.
    fn serves(endpoint: &str, service: &str) -> bool {
        let value = serde_json::json!({"endpointCredentials": [{"endpoint": endpoint, "password": "p"}]}).to_string();
        let system = FakeSystem::default().variable(VARIABLES[0], &value).variable(CHOICE_VARIABLE, NAME);
        let (source, service) = (AzureArtifacts::default(), Service::parse(service));
        source.claims(&system, &service) && source.get(&system, &service).is_ok_and(|found| found.is_some())
    }

    fn check(endpoints: &[&str], right: &[&str], wrong: &[&str]) {
        for endpoint in endpoints {
            for service in right {
                assert!(serves(endpoint, service), "{endpoint} serves {service}");
            }
            for service in wrong {
                assert!(!serves(endpoint, service), "{endpoint} does not serve {service}");
            }
        }
    }

    /// A file, as the index links it: by the GUIDs of project and feed.
    const FILE: &str = "https://pkgs.dev.azure.com/contoso/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                        2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/pypi/download/a/1/a.whl";

    #[test]
    fn an_endpoint_serves_its_feed_in_every_spelling() {
        check(
            &[
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com/Contoso/My%20Project/_packaging/Gr%C3%B6%c3%9fe/nuget/v3/index.json",
                "https://contoso.pkgs.visualstudio.com/my project/_packaging/gro\u{308}ße",
                "https://ada@Contoso.PKGS.visualstudio.com:443/MY%20PROJECT/_Packaging/GRO%cc%88%C3%9FE/",
            ],
            &[
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com./contoso/My%20Project/_packaging/gr%c3%b6%C3%9Fe/pypi/simple",
                "https://PKGS.dev.azure.com:443/CONTOSO/my%20project/_packaging/GRO\u{308}ße/pypi/upload",
                "https://contoso.pkgs.visualstudio.com/My Project/_packaging/Größe/pypi/simple/a/",
                "https://ada:x@contoso.pkgs.visualstudio.com/My%20Project/%5fpackaging/Größe/pypi/simple/?a#b",
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe@Release/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe%40Local/pypi/simple/",
                FILE,
                "https://contoso.pkgs.visualstudio.com/163C4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                 2dc6adee-8c7f-478b-8b17-d3ac8102c6bb@release/pypi/download/a/1/a.whl",
                "https://pkgs.dev.azure.com/contoso/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/Größe/pypi/simple/",
            ],
            &[
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größer/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größ/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Grösse/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/My+Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/My%2520Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/My Project/_packaging/",
                "https://pkgs.dev.azure.com/contoso/My Project/",
                "https://pkgs.dev.azure.com/fabrikam/My Project/_packaging/Größe/pypi/simple/",
                "https://fabrikam.pkgs.visualstudio.com/My Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com/fabrikam/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                 2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/pypi/download/a/1/a.whl",
                "https://pkgs.dev.azure.com/contoso/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/other/pypi/simple/",
                "https://pkgs.codedev.ms/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://contoso.pkgs.vsts.me/My Project/_packaging/Größe/pypi/simple/",
                "http://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com:8443/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://pkgs.dev.azure.com.example/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://x.pkgs.dev.azure.com/contoso/My Project/_packaging/Größe/pypi/simple/",
                "https://devops.example/contoso/My Project/_packaging/Größe/pypi/simple/",
                "pkgs.dev.azure.com",
                "contoso.pkgs.visualstudio.com",
            ],
        );
    }

    #[test]
    fn an_endpoint_of_a_view_serves_this_view_alone() {
        check(
            &[
                "https://pkgs.dev.azure.com/contoso/_packaging/feed@Release/pypi/simple/",
                "https://contoso.pkgs.visualstudio.com/_packaging/Feed%40release/",
            ],
            &[
                "https://pkgs.dev.azure.com/contoso/_packaging/feed@release/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/_packaging/FEED%40RELEASE/pypi/upload",
                FILE,
            ],
            &[
                "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/_packaging/feed@/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/_packaging/feed@Prerelease/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/_packaging/feed@Release2/pypi/simple/",
                "https://pkgs.dev.azure.com/contoso/_packaging/feeder@Release/pypi/simple/",
            ],
        );
        let endpoints = [
            ("https://pkgs.dev.azure.com/contoso/_packaging/feed", "feed"),
            ("https://pkgs.dev.azure.com/contoso/_packaging/feed@Release", "view"),
        ];
        for (service, expected) in [("feed@release", "view"), ("feed", "feed"), ("feed@local", "feed")] {
            let service = format!("https://contoso.pkgs.visualstudio.com/_packaging/{service}/pypi/simple/");
            assert_eq!(password(&endpoints, &service).as_deref(), Some(expected), "{service}");
        }
    }

    #[test]
    fn a_file_url_uses_the_only_password_that_may_be_its_own() {
        let other = "https://pkgs.dev.azure.com/contoso/other/_packaging/x/";
        let fabrikam = ("https://pkgs.dev.azure.com/fabrikam/", "fabrikam");
        assert_eq!(password(&[(FEED, "feed"), fabrikam], FILE).as_deref(), Some("feed"));
        assert_eq!(password(&[(FEED, "same"), (other, "same"), fabrikam], FILE).as_deref(), Some("same"));
        assert_eq!(password(&[(FEED, "a"), (other, "b")], FILE), None);
        let by_guid = "https://pkgs.dev.azure.com/contoso/163C4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                       2DC6ADEE-8c7f-478b-8b17-d3ac8102c6bb/";
        assert_eq!(password(&[(FEED, "a"), (other, "b"), (by_guid, "c")], FILE).as_deref(), Some("c"));
        let other_guid = by_guid.replace("2DC6", "0000");
        assert_eq!(password(&[(&other_guid, "a")], FILE), None);
        assert_eq!(password(&[(&other_guid, "a"), (FEED, "b")], FILE).as_deref(), Some("b"));
    }

    #[test]
    fn an_endpoint_on_another_host_serves_what_is_below_it() {
        let [feed, other] = ["tools", "toolset"]
            .map(|name| format!("https://devops.example:8443/tfs/Main Collection/Shop/_packaging/{name}/pypi/simple/"));
        check(
            &[&feed, &feed.replace(' ', "%20").to_uppercase().replace("HTTPS", "https")],
            &[
                &feed,
                "https://ada@DevOps.example:8443/TFS/main%20collection/shop/_packaging/Tools/pypi/upload",
                "https://devops.example:8443/tfs/Main Collection/Shop/_packaging/tools%40Release/pypi/simple/a/",
                "https://devops.example:8443/tfs/Main Collection/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                 2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/pypi/download/a/1/a.whl",
            ],
            &[
                &other,
                &feed.replace("https", "http"),
                &feed.replace(":8443", ""),
                &feed.replace(":8443", ":8444"),
                &feed.replace("devops.example", "devops.example.test"),
                &feed.replace("devops.example", "sub.devops.example"),
                &feed.replace("devops.example", "pkgs.dev.azure.com"),
                &feed.replace("Main Collection", "Other"),
                &feed.replace("/tfs", ""),
                "https://devops.example:8443/tfs/Other/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/\
                 2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/pypi/download/a/1/a.whl",
                "https://devops.example:8443/_packaging/2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/",
                "https://devops.example:8443/163c4536-859e-4e7a-9407-154e3f2313d5/_packaging/2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/",
                "https://devops.example:8443/tfs/163c4536-859e-4e7a-9407-154e3f2313d5/163c4536-859e-4e7a-9407-154e3f2313d5/\
                 _packaging/2dc6adee-8c7f-478b-8b17-d3ac8102c6bb/",
                &format!("{feed}..%2f..%2f..%2fevil/"),
                &feed.replace("Shop", "..%5Cevil"),
                "https://devops.example:8443/",
                "devops.example:8443",
                "devops.example",
                "https://pkgs.dev.azure.com/tfs/_packaging/tools/pypi/simple/",
            ],
        );
        let collection = "https://devops.example/Main";
        check(
            &[collection, "https://devops.example:443/main/"],
            &[collection, "https://devops.example/Main/_packaging/tools/pypi/simple/", "devops.example/main/shop/x"],
            &["https://devops.example/Mainframe/_packaging/tools/", "https://devops.example/", "devops.example"],
        );
        let whole = [(collection, "collection"), ("https://devops.example/main/_packaging/tools", "feed")];
        let value = serde_json::json!({"endpointCredentials": whole.map(|(endpoint, password)| {
            serde_json::json!({"endpoint": endpoint, "username": "ada", "password": password})
        })});
        let system = FakeSystem::default().variable(VARIABLES[1], &value.to_string());
        for (service, expected) in [("tools@Local", "feed"), ("tool", "collection")] {
            let service = Service::parse(&format!("https://devops.example/Main/_packaging/{service}/pypi/simple/"));
            let found = AzureArtifacts::default().get(&system, &service).unwrap().unwrap();
            assert_eq!((found.username.as_str(), found.password.expose()), ("ada", expected));
        }
    }

    #[test]
    fn endpoints_over_http_and_beside_azure_serve_nothing() {
        for endpoint in [
            "http://devops.example/Main/",
            "http://pkgs.dev.azure.com/contoso/",
            "https://pkgs.dev.azure.com/",
            "https://pkgs.visualstudio.com/",
            "https://pkgs.dev.azure.com:8443/contoso/",
            "https://192.0.2.1/Main/",
            "ftp://devops.example/Main/",
            "",
        ] {
            for service in [
                endpoint,
                "http://devops.example/Main/_packaging/tools/pypi/simple/",
                "https://devops.example/Main/_packaging/tools/pypi/simple/",
                "https://contoso.pkgs.visualstudio.com/_packaging/feed/",
                FEED,
                FILE,
            ] {
                assert!(!serves(endpoint, service), "{endpoint} does not serve {service}");
            }
        }
    }

    #[test]
    fn no_other_source_answers_for_a_server() {
        let service = Service::parse("https://devops.example/Main/_packaging/tools/pypi/simple/");
        let endpoint = |password: &str| {
            format!(r#"{{"endpointCredentials":[{{"endpoint":"https://devops.example/Main/"{password}}}]}}"#)
        };
        let ask = |value: &str, choice: &str| {
            let system = FakeSystem::default()
                .variable(VARIABLES[0], value)
                .variable("AZURE_DEVOPS_EXT_PAT", "pat")
                .variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "token")
                .variable(CHOICE_VARIABLE, choice);
            AzureArtifacts::default().get(&system, &service)
        };
        assert_eq!(ask(&endpoint(r#","password":"p""#), "env_var").unwrap(), None);
        let found = ask(&endpoint(r#","password":"p""#), "").unwrap().unwrap();
        assert_eq!((found.username.as_str(), found.password.expose()), (SESSION_USERNAME, "p"));
        let error = ask(&endpoint(""), "").unwrap_err().to_string();
        assert!(error.starts_with(&format!("no credential for devops.example: {} has no password", VARIABLES[0])));
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
