//! The bare host, which names no organisation. Tools ask for it after a miss of the whole URL; pip asks for nothing else if
//! no index is set, as with direct URLs, `--find-links` and lock files.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use log::debug;

use super::{REGISTRY, cache_key::own_sources, feed::Feed};
use crate::{
    error::{Error, Kind, Result},
    service::Service,
    system::System,
};

/// The outcomes of this process's lookups of whole URLs, by host.
#[derive(Default)]
pub(super) struct KnownHosts(Mutex<HashMap<String, KnownHost>>);

#[derive(Default)]
struct KnownHost {
    /// The last feed with a credential for reading, by its organisation and the sources that are its own.
    served: HashMap<(String, [String; 3]), Feed>,
    /// Whether a whole URL had no credential since the host alone was last asked for.
    has_missed: bool,
}

impl KnownHosts {
    /// Remembers whether the whole URL of a feed had a credential.
    pub(super) fn remember(&self, system: &dyn System, feed: &Feed, is_served: bool) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(feed.url().host_str().unwrap_or_default().to_owned()).or_default();
        host.has_missed = !is_served;
        if is_served && !feed.is_upload() {
            host.served.insert((feed.organisation_key(), own_sources(system, feed)), feed.clone());
        }
    }

    /// The feed whose credential answers for the host alone: of the only organisation of the host that was served, and by one
    /// source for all its feeds. `None` right after a miss of the whole URL, which was reported; otherwise an error that says
    /// what to change.
    pub(super) fn feed(&self, service: &Service) -> Result<Option<Feed>> {
        let name = service.host().unwrap_or_default();
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get_mut(name).filter(|_| service.is_bare_host()) {
            if std::mem::take(&mut host.has_missed) {
                debug!(step = "feed", outcome = "skipped"; "{name} is asked for after a miss of the whole URL");
                return Ok(None);
            }
            let mut served = host.served.values();
            if let (Some(only), None) = (served.next(), served.next()) {
                return Ok(Some(only.clone()));
            }
        }
        Err(without_organisation(service))
    }
}

/// The error for a URL without an organisation.
pub(super) fn without_organisation(service: &Service) -> Error {
    let what = format!("no credential for {}: it names no organisation", service.host().unwrap_or_default());
    let error = Error::new(Kind::Configuration, what).of_one_url();
    error.with_hint(format!(
        "add `--index-url {}`, or write direct URLs, --find-links and lock files with https://ORG.pkgs.visualstudio.com/",
        REGISTRY.example
    ))
}

#[cfg(test)]
mod tests {
    use crate::{
        error::Result,
        registry::{CredentialSource, azure::AzureArtifacts},
        service::Service,
        system::fake::FakeSystem,
    };

    fn ask(source: &AzureArtifacts, service: &str) -> Result<Option<String>> {
        // Endpoints answer without a request.
        let value = r#"{"endpointCredentials":[
            {"endpoint":"https://pkgs.dev.azure.com/contoso/","password":"contoso's"},
            {"endpoint":"https://pkgs.dev.azure.com/contoso/_packaging/own/","password":"own's"},
            {"endpoint":"https://pkgs.dev.azure.com/fabrikam/","password":"fabrikam's"}]}"#;
        let system = FakeSystem::default()
            .variable("ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS", value)
            .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "feed_endpoints");
        let found = source.get(&system, &Service::parse(service))?;
        Ok(found.map(|found| found.password.expose().to_owned()))
    }

    const HOST: &str = "pkgs.dev.azure.com";

    fn index(organisation: &str) -> String {
        format!("https://{HOST}/{organisation}/_packaging/feed/pypi/simple/")
    }

    #[test]
    fn a_host_alone_is_an_error_that_says_what_to_add() {
        for service in
            [HOST, "https://pkgs.visualstudio.com/", "https://pkgs.dev.azure.com/_packaging/x", "pkgs.vsts.me"]
        {
            let error = ask(&AzureArtifacts::default(), service).unwrap_err().to_string();
            assert!(error.contains("--index-url https://pkgs.dev.azure.com/ORG/"), "{error}");
            assert!(error.contains("https://ORG.pkgs.visualstudio.com/") && error.len() <= 320, "{error}");
        }
    }

    #[test]
    fn the_only_organisation_that_was_served_answers_for_its_host() {
        let source = AzureArtifacts::default();
        for service in [index("contoso"), HOST.to_owned(), index("CONTOSO"), format!("{HOST}:443")] {
            assert_eq!(ask(&source, &service).unwrap().as_deref(), Some("contoso's"), "{service}");
        }
        assert!(ask(&source, "pkgs.codedev.ms").is_err(), "it is another host");
        assert!(ask(&source, "https://pkgs.dev.azure.com/_packaging/x").is_err(), "it is not the host alone");
        assert_eq!(ask(&source, &index("fabrikam")).unwrap().as_deref(), Some("fabrikam's"));
        assert!(ask(&source, HOST).is_err(), "it is unclear which");
    }

    #[test]
    fn two_passwords_of_an_organisation_make_it_unclear_too() {
        let source = AzureArtifacts::default();
        assert!(ask(&source, &index("contoso").replace("simple", "upload")).is_ok());
        assert!(ask(&source, HOST).is_err(), "a token that writes does not answer");
        assert!(ask(&source, &index("contoso")).is_ok() && ask(&source, HOST).is_ok());
        assert!(ask(&source, &index("contoso").replace("feed", "own")).is_ok());
        assert!(ask(&source, HOST).is_err());
    }

    #[test]
    fn a_host_alone_after_a_miss_of_the_whole_url_is_silent() {
        let source = AzureArtifacts::default();
        for _ in 0..2 {
            assert!(ask(&source, &index("unknown")).is_err());
            assert_eq!(ask(&source, HOST).unwrap(), None);
        }
        assert!(ask(&source, HOST).is_err(), "another cause, such as a direct URL");
        ask(&source, &index("contoso")).unwrap();
        assert!(ask(&source, &index("unknown")).is_err());
        assert_eq!(ask(&source, HOST).unwrap(), None, "it is asked for the organisation that missed");
    }
}
