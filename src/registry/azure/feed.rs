//! Feeds: host rules, organisation, access.

use url::Url;

use crate::{
    error::{LONGEST_NAME, without_middle},
    service::{Service, host_is_within, subdomain_of},
};

/// Hosts with the organisation as the first path segment. The second is Microsoft's test system, which artifacts-keyring
/// serves too.
const HOSTS_WITH_ORGANISATION_IN_PATH: [&str; 2] = ["pkgs.dev.azure.com", "pkgs.codedev.ms"];

/// Hosts with the organisation as a subdomain: the older form of the same URLs.
const HOSTS_WITH_ORGANISATION_BEFORE: [&str; 2] = ["pkgs.visualstudio.com", "pkgs.vsts.me"];

/// The domains of Microsoft's test system.
const TEST_DOMAINS: [&str; 2] = ["codedev.ms", "vsts.me"];

/// A feed of an organisation, for reading or uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Feed {
    url: Url,
    organisation: String,
    /// The feed host below which the organisation is a subdomain, in the older form of the URLs.
    parent: Option<&'static str>,
    is_upload: bool,
}

impl Feed {
    /// Whether a service is an Azure Artifacts URL or host: https on the default port, at or below a feed host. Pure.
    #[must_use]
    pub(crate) fn claims(service: &Service) -> bool {
        let hosts = HOSTS_WITH_ORGANISATION_IN_PATH.iter().chain(&HOSTS_WITH_ORGANISATION_BEFORE);
        service.is_https_on_default_port()
            && service.host().is_some_and(|host| hosts.into_iter().any(|feed_host| host_is_within(host, feed_host)))
    }

    /// The feed of a claimed service; `None` without an organisation, as in a bare `pkgs.dev.azure.com`, which tools ask for
    /// after the whole URL.
    #[must_use]
    pub(crate) fn from_service(service: &Service) -> Option<Self> {
        if !Self::claims(service) {
            return None;
        }
        let url = service.url()?.clone();
        let host = service.host()?;
        let parent = HOSTS_WITH_ORGANISATION_BEFORE
            .into_iter()
            .find(|feed_host| subdomain_of(host, feed_host).is_some_and(|labels| !labels.is_empty()));
        let organisation = match parent {
            Some(feed_host) => subdomain_of(host, feed_host)?.to_owned(),
            None => url.path_segments()?.next().filter(|segment| !segment.is_empty())?.to_owned(),
        };
        // A path that begins with `_packaging` lacks the organisation.
        if !is_organisation_name(&organisation) {
            return None;
        }
        let is_upload = url.path().trim_end_matches('/').to_ascii_lowercase().ends_with("/pypi/upload");
        Some(Self { url, organisation, parent, is_upload })
    }

    /// The URL, without user information, query and fragment.
    #[must_use]
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The organisation, as the URL spells it.
    #[must_use]
    pub(crate) fn organisation(&self) -> &str {
        &self.organisation
    }

    /// The organisation as a key: case-insensitive, equal for both URL forms. Microsoft's test system has organisations of
    /// its own.
    #[must_use]
    pub(crate) fn organisation_key(&self) -> String {
        format!("{}{}", if self.is_test() { "test/" } else { "" }, self.organisation.to_ascii_lowercase())
    }

    /// What one sign-in serves: reading from the organisation, or uploads to it.
    #[must_use]
    pub(crate) fn realm(&self) -> String {
        format!("{}{}", self.organisation_key(), if self.is_upload { " (uploads)" } else { "" })
    }

    fn is_test(&self) -> bool {
        self.url.host_str().is_some_and(is_test_host)
    }

    /// Whether a host belongs to the same system as the feed: the real one, or Microsoft's test system.
    #[must_use]
    pub(crate) fn shares_system_with(&self, host: &str) -> bool {
        is_test_host(host) == self.is_test()
    }

    /// The scope that a session token needs: reading, or for an upload URL writing too.
    #[must_use]
    pub(crate) fn scope(&self) -> &'static str {
        if self.is_upload { "vso.packaging_write" } else { "vso.packaging" }
    }

    /// The permission of such a token, for messages.
    #[must_use]
    pub(crate) fn access(&self) -> &'static str {
        if self.is_upload { "reads and writes packages" } else { "reads packages" }
    }

    /// The host and organisation, for messages.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let whole = match self.parent {
            Some(_) => host.to_owned(),
            None => format!("{host}/{}", self.organisation),
        };
        without_middle(&whole, LONGEST_NAME)
    }

    /// The web page of the organisation.
    #[must_use]
    pub(crate) fn portal(&self) -> String {
        match self.parent {
            Some(feed_host) => format!("https://{}.{}", self.organisation, feed_host.trim_start_matches("pkgs.")),
            None => format!("https://dev.azure.com/{}", self.organisation),
        }
    }
}

fn is_test_host(host: &str) -> bool {
    TEST_DOMAINS.iter().any(|domain| host_is_within(host, domain))
}

/// Whether a segment or label can be an organisation's name: letters, digits and hyphens; older ones contain dots and
/// underscores.
/// <https://learn.microsoft.com/azure/devops/organizations/settings/naming-restrictions>
fn is_organisation_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(raw: &str) -> Option<Feed> {
        Feed::from_service(&Service::parse(raw))
    }

    #[test]
    fn feed_hosts_are_claimed_on_label_boundaries() {
        for raw in [
            "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/",
            "pkgs.dev.azure.com",
            "https://contoso.pkgs.visualstudio.com/_packaging/feed/pypi/simple",
            "https://user:password@PKGS.dev.azure.com:443/contoso/",
            "https://pkgs.codedev.ms/contoso/",
            "contoso.pkgs.vsts.me",
        ] {
            assert!(Feed::claims(&Service::parse(raw)), "{raw}");
        }
        for raw in [
            "https://evil-pkgs.dev.azure.com/contoso/",
            "https://notpkgs.visualstudio.com/",
            "https://pkgs.dev.azure.com.evil.com/",
            "https://evil.com/pkgs.dev.azure.com/",
            "https://pkgs.dev.azure.com@evil.com/",
            "https://pkgs.dev.azure.com\\@evil.com/",
            "http://pkgs.dev.azure.com/contoso/",
            "https://pkgs.dev.azure.com:8443/contoso/",
            "",
            "not-a-url",
        ] {
            assert!(!Feed::claims(&Service::parse(raw)), "{raw}");
        }
    }

    #[test]
    fn the_organisation_comes_from_path_or_host() {
        for (raw, organisation) in [
            ("https://pkgs.dev.azure.com/contoso/project/_packaging/feed/pypi/simple/", Some("contoso")),
            ("https://contoso.pkgs.visualstudio.com/project/_packaging/feed/", Some("contoso")),
            ("contoso.pkgs.visualstudio.com", Some("contoso")),
            ("pkgs.dev.azure.com", None),
            ("https://pkgs.dev.azure.com/_packaging/feed/pypi/simple/", None),
            ("https://pkgs.dev.azure.com/%5Fpackaging/feed/", None),
            ("https://pkgs.dev.azure.com/..%2fcontoso/", None),
            ("pkgs.visualstudio.com", None),
        ] {
            assert_eq!(feed(raw).as_ref().map(Feed::organisation), organisation, "{raw}");
        }
    }

    #[test]
    fn only_an_upload_url_asks_for_writing() {
        for (raw, scope) in [
            ("https://pkgs.dev.azure.com/o/_packaging/f/pypi/upload", "vso.packaging_write"),
            ("https://pkgs.dev.azure.com/o/_packaging/f/pypi/upload/", "vso.packaging_write"),
            ("https://pkgs.dev.azure.com/o/_packaging/f/pypi/simple/upload", "vso.packaging"),
            ("https://pkgs.dev.azure.com/o/_packaging/f/pypi/simple/", "vso.packaging"),
        ] {
            assert_eq!(feed(raw).unwrap().scope(), scope, "{raw}");
        }
    }

    #[test]
    fn the_portal_is_the_page_of_the_organisation() {
        assert_eq!(feed("https://pkgs.dev.azure.com/contoso/x").unwrap().portal(), "https://dev.azure.com/contoso");
        assert_eq!(feed("contoso.pkgs.visualstudio.com").unwrap().portal(), "https://contoso.visualstudio.com");
    }

    #[test]
    fn messages_name_host_and_organisation_once() {
        assert_eq!(feed("https://pkgs.dev.azure.com/contoso/x").unwrap().shown(), "pkgs.dev.azure.com/contoso");
        assert_eq!(feed("Contoso.pkgs.visualstudio.com/x").unwrap().shown(), "contoso.pkgs.visualstudio.com");
    }
}
