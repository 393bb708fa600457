//! Feeds: host rules, organisation, access, and the one comparison of their URLs.

use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;
use url::Url;

use super::is_guid;
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
        service.is_https_on_default_port() && has_feed_host(service)
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
            None => percent_decode_str(url.path_segments()?.next()?).decode_utf8().ok()?.into_owned(),
        };
        // A path that begins with `_packaging` lacks the organisation.
        if !is_organisation_name(&organisation) {
            return None;
        }
        let is_upload = segments(&url).ends_with(&["pypi".to_owned(), "upload".to_owned()]);
        Some(Self { url, organisation, parent, is_upload })
    }

    /// The URL, without user information, query and fragment.
    #[must_use]
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The organisation, in the case of the URL.
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

    /// Whether packages are uploaded to the URL.
    #[must_use]
    pub(crate) fn is_upload(&self) -> bool {
        self.is_upload
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

    /// Where the feed is, for comparison.
    #[must_use]
    pub(crate) fn address(&self) -> Address {
        let host = self.url.host_str().unwrap_or_default();
        let owner = match self.parent {
            None if !HOSTS_WITH_ORGANISATION_IN_PATH.contains(&host) => format!("{host}/{}", self.organisation_key()),
            _ => self.organisation_key(),
        };
        let organisation = usize::from(self.parent.is_none());
        Address::new(owner, segments(&self.url).into_iter().skip(organisation).collect())
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

    /// The URL in the older form, with the organisation as a subdomain. `None` for a name that is no DNS label.
    #[must_use]
    pub(crate) fn at_own_host(&self) -> Option<Url> {
        if self.parent.is_some() {
            return Some(self.url.clone());
        }
        let hosts = HOSTS_WITH_ORGANISATION_IN_PATH.into_iter().zip(HOSTS_WITH_ORGANISATION_BEFORE);
        let (_, parent) = hosts.into_iter().find(|(host, _)| self.url.host_str() == Some(host))?;
        let rest = self.url.path().strip_prefix('/')?.strip_prefix(&self.organisation)?;
        let mut url = self.url.clone();
        url.set_host(Some(&format!("{}.{parent}", self.organisation))).ok()?;
        url.set_path(rest);
        (!self.organisation.contains(['.', '_'])).then_some(url)
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

/// Where a URL points, equal for all its spellings: upper and lower case, raw and percent-encoded characters, composed and
/// decomposed letters, and both hosts of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The organisation's key, or the origin of a server.
    owner: String,
    /// The segments up to the feed: of an organisation its project, if there is one; of a server also its collection.
    scope: Vec<String>,
    feed: Option<FeedName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FeedName {
    /// Empty in a URL that ends before it.
    name: String,
    /// The view: `release` in `feed@Release`.
    view: Option<String>,
}

impl Address {
    /// The address below a server that is not one of Azure DevOps Services, on any port; `None` unless the URL is https.
    ///
    /// The form on Azure DevOps Server: `https://server/tfs/COLLECTION/[PROJECT/]_packaging/FEED/pypi/simple/`.
    #[must_use]
    pub(crate) fn of_server(service: &Service) -> Option<Self> {
        let url = service.url().filter(|url| url.scheme() == "https" && !has_feed_host(service))?;
        let segments = segments(url);
        // A server that decodes them looks elsewhere.
        let leads_elsewhere =
            |segment: &String| segment.contains(['/', '\\']) || matches!(segment.as_str(), "." | "..");
        let is_plain = !segments.iter().any(leads_elsewhere);
        is_plain.then(|| Self::new(url.origin().ascii_serialization(), segments))
    }

    /// The address of a feed or server; `None` for other services.
    #[must_use]
    pub(crate) fn of(service: &Service) -> Option<Self> {
        Feed::from_service(service).map(|feed| feed.address()).or_else(|| Self::of_server(service))
    }

    /// What follows the feed is ignored: `pypi/simple`, `pypi/upload` and `nuget/v3/index.json` are of one feed.
    fn new(owner: String, mut segments: Vec<String>) -> Self {
        let position = segments.iter().position(|segment| segment == "_packaging");
        let feed = position.map(|position| {
            let text = segments.get(position + 1).map_or("", String::as_str);
            let (name, view) = text.split_once('@').unwrap_or((text, ""));
            FeedName { name: name.to_owned(), view: Some(view.to_owned()).filter(|view| !view.is_empty()) }
        });
        segments.truncate(position.unwrap_or(segments.len()));
        Self { owner, scope: segments, feed }
    }

    /// Whether a password for this address is valid for `other`: for everything below it, and for a feed also all its views.
    #[must_use]
    pub(crate) fn contains(&self, other: &Self) -> bool {
        let is_below = match &self.feed {
            None => other.scope.starts_with(&self.scope),
            Some(feed) => {
                let contains = |other: &FeedName| {
                    (feed.name.is_empty() || feed.name == other.name)
                        && (feed.view.is_none() || feed.view == other.view)
                };
                self.scope == other.scope && other.feed.as_ref().is_some_and(contains)
            }
        };
        is_below && self.owner == other.owner
    }

    /// Whether this address may [contain](Self::contains) `other` if a GUID in one of them stands for a name in the other,
    /// as in the URLs of files: only a request can tell.
    #[must_use]
    pub(crate) fn may_contain(&self, other: &Self) -> bool {
        let Some(wanted) = &other.feed else { return false };
        let may_be = |feed: &FeedName| {
            may_equal(&feed.name, &wanted.name)
                && (feed.view.is_none() || feed.view == wanted.view || is_guid(&wanted.name))
        };
        let names = self.names().chain(other.names());
        self.owner == other.owner
            && names.into_iter().any(is_guid)
            && self.may_be_scope_of(other)
            && self.feed.as_ref().is_none_or(may_be)
    }

    /// Whether the scopes may be one if the last segment, a project, is named in one of them and a GUID in the other. On a server
    /// the segments before it stay names: others may own what is below another collection or path.
    fn may_be_scope_of(&self, other: &Self) -> bool {
        let (own, others) = (&self.scope[..], &other.scope[..]);
        if !self.is_server() {
            return own.iter().zip(others).all(|(one, other)| may_equal(one, other));
        }
        let is_project_below = matches!(others.strip_prefix(own), Some([project]) if is_guid(project));
        let is_same_project = own.split_last().is_some_and(|(last, parents)| {
            let rest = others.strip_prefix(parents).filter(|_| !parents.is_empty());
            matches!(rest, Some([project]) if may_equal(last, project))
        });
        own == others || is_project_below || is_same_project
    }

    fn is_server(&self) -> bool {
        self.owner.starts_with("https://")
    }

    /// How specific it is: of two that contain an address, the one with the larger depth is more specific.
    #[must_use]
    pub(crate) fn depth(&self) -> (usize, bool, bool) {
        let feed = self.feed.as_ref();
        (
            self.scope.len() + usize::from(feed.is_some()),
            feed.is_some_and(|feed| !feed.name.is_empty()),
            feed.is_some_and(|feed| feed.view.is_some()),
        )
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.scope.iter().map(String::as_str).chain(self.feed.as_ref().map(|feed| feed.name.as_str()))
    }
}

/// Whether two names are equal, or one is a name and the other a GUID.
fn may_equal(one: &str, other: &str) -> bool {
    one == other || is_guid(one) != is_guid(other)
}

/// The segments of a path in canonical form. Empty ones are left out.
fn segments(url: &Url) -> Vec<String> {
    let segments = url.path_segments().into_iter().flatten();
    segments.filter(|segment| !segment.is_empty()).map(canonical).collect()
}

/// A segment decoded, in lower case and composed (NFC). Bytes that are not UTF-8 stay apart from all characters.
fn canonical(segment: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(segment).collect();
    let mut lower = String::new();
    for chunk in decoded.utf8_chunks() {
        // Letter by letter: the lower case of a whole word depends on where in it a sigma stands.
        lower.extend(chunk.valid().chars().flat_map(char::to_lowercase));
        lower.extend(chunk.invalid().iter().map(|byte| format!("{}{byte:02x}", char::REPLACEMENT_CHARACTER)));
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned()
}

fn has_feed_host(service: &Service) -> bool {
    let hosts = HOSTS_WITH_ORGANISATION_IN_PATH.iter().chain(&HOSTS_WITH_ORGANISATION_BEFORE);
    service.host().is_some_and(|host| hosts.into_iter().any(|feed_host| host_is_within(host, feed_host)))
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
    fn the_older_form_of_a_url_has_a_host_of_its_own() {
        for (raw, expected) in [
            (
                "https://pkgs.dev.azure.com/Contoso/project/_packaging/feed/pypi/simple/",
                Some("https://contoso.pkgs.visualstudio.com/project/_packaging/feed/pypi/simple/"),
            ),
            ("https://pkgs.codedev.ms/contoso/_packaging/f/", Some("https://contoso.pkgs.vsts.me/_packaging/f/")),
            ("https://contoso.pkgs.vsts.me/_packaging/f/", Some("https://contoso.pkgs.vsts.me/_packaging/f/")),
            ("https://pkgs.dev.azure.com/a.b/_packaging/f/", None),
        ] {
            let url = feed(raw).unwrap().at_own_host().map(|url| url.to_string());
            assert_eq!(url.as_deref(), expected, "{raw}");
            assert!(
                url.is_none_or(|url| feed(&url).unwrap().organisation_key() == feed(raw).unwrap().organisation_key())
            );
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
            ("https://pkgs.dev.azure.com/%2fcontoso/", None),
            ("https://pkgs.dev.azure.com//contoso/", None),
            ("https://pkgs.dev.azure.com/con toso/", None),
            ("https://pkgs.dev.azure.com/contoso%2Done/_packaging/feed/", Some("contoso-one")),
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
    fn every_spelling_of_a_url_has_one_address() {
        let expected =
            feed("https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe@Release/pypi/simple/").unwrap();
        for raw in [
            "https://pkgs.dev.azure.com/Contoso/My%20Project/_packaging/gr%C3%B6%C3%9Fe%40release/pypi/upload",
            "https://pkgs.dev.azure.com/%63ontoso/my project/%5Fpackaging/GR%c3%96%c3%9fE@RELEASE",
            "https://Contoso.pkgs.visualstudio.com//My Project/_packaging/Gro\u{308}ße@Release/nuget/v3/index.json",
        ] {
            let other = feed(raw).unwrap();
            assert_eq!(other.address(), expected.address(), "{raw}");
            assert_eq!(other.organisation_key(), expected.organisation_key(), "{raw}");
        }
        for raw in [
            "https://pkgs.dev.azure.com/contoso/My Project/_packaging/Größe/pypi/simple/",
            "https://pkgs.dev.azure.com/contoso/MyProject/_packaging/Größe@Release/pypi/simple/",
            "https://pkgs.dev.azure.com/contoso/_packaging/Größe@Release/pypi/simple/",
            "https://pkgs.codedev.ms/contoso/My Project/_packaging/Größe@Release/pypi/simple/",
        ] {
            assert_ne!(feed(raw).unwrap().address(), expected.address(), "{raw}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_equals_itself_in_any_case() {
        let address = |raw: &str| feed(raw).unwrap().address();
        let one = address("https://pkgs.dev.azure.com/contoso/_packaging/%ff");
        assert_eq!(one, address("https://pkgs.dev.azure.com/contoso/_packaging/%FF"));
        assert_ne!(one, address("https://pkgs.dev.azure.com/contoso/_packaging/%fe"));
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
