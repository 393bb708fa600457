//! The service that a tool asks about, parsed once.

use std::fmt;

use url::{Host, Url};

/// The longest service string parsed, in bytes. Index URLs are far shorter.
pub(crate) const MAX_SERVICE: usize = 8 * 1024;

/// The service that a tool asks about: usually an index, file or upload URL, sometimes a bare host, sometimes any other
/// string.
///
/// Its URL has no user information, query or fragment, and is safe to show and to request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Service {
    url: Option<Url>,
}

impl Service {
    /// Parses a service string. Without a scheme it is a host, as pip and uv ask for bare hosts, and gets `https`. A string
    /// that is not an http(s) URL with a host name has no [`url`](Self::url), and no registry claims it.
    #[must_use]
    pub(crate) fn parse(raw: &str) -> Self {
        Self { url: parse_url(raw) }
    }

    /// The URL without user information, query and fragment.
    #[must_use]
    pub(crate) fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// The host name in lower case, without a trailing dot.
    #[must_use]
    pub(crate) fn host(&self) -> Option<&str> {
        self.url.as_ref().and_then(Url::host_str)
    }

    /// Whether the URL has no path, as tools ask after a miss of the whole URL.
    #[must_use]
    pub(crate) fn is_bare_host(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.path() == "/")
    }

    /// Whether the URL is https on the default port. Credentials go nowhere else.
    #[must_use]
    pub(crate) fn is_https_on_default_port(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.scheme() == "https" && url.port().is_none())
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => write!(formatter, "Service({url})"),
            None => formatter.write_str("Service(not a URL)"),
        }
    }
}

fn parse_url(raw: &str) -> Option<Url> {
    let raw = raw.trim();
    // URL parsers disagree on backslashes, and on blanks, percent signs and non-ASCII characters in hosts: reject what two
    // parsers may read differently. A blank in a path is read alike by all of them: pip passes such URLs as they are written.
    let is_odd = |character: char| character == '\\' || character.is_control();
    if raw.is_empty() || raw.len() > MAX_SERVICE || raw.contains(is_odd) || !has_plain_host(raw) {
        return None;
    }
    let mut url = match raw.split_once("://") {
        // `https:https://user:password@host` would parse with the user information in the path.
        Some((scheme, _)) if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => return None,
        Some(_) => Url::parse(raw),
        None => Url::parse(&format!("https://{raw}")),
    }
    .ok()?;
    if !matches!(url.scheme(), "https" | "http") || !matches!(url.host(), Some(Host::Domain(_))) {
        return None;
    }
    let host = url.host_str()?.trim_end_matches('.').to_owned();
    url.set_host(Some(&host)).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

/// Whether the host is ASCII without percent signs or empty labels, and neither it nor the user information has a blank.
fn has_plain_host(raw: &str) -> bool {
    let rest = raw.split_once("://").map_or(raw, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    !authority.contains(' ')
        && !host.is_empty()
        && host.is_ascii()
        && !host.contains('%')
        && !host.starts_with('.')
        && !host.contains("..")
}

/// Whether `host` is `domain` or a subdomain of it, compared on label boundaries and case-insensitively: `a.example.com` is
/// within `example.com`, `badexample.com` is not.
#[must_use]
pub(crate) fn host_is_within(host: &str, domain: &str) -> bool {
    subdomain_of(host, domain).is_some()
}

/// The labels of `host` before `domain`: `""` for the domain itself, `"a.b"` for `a.b.{domain}`, `None` for another
/// domain.
#[must_use]
pub(crate) fn subdomain_of<'host>(host: &'host str, domain: &str) -> Option<&'host str> {
    let start = host.len().checked_sub(domain.len())?;
    if !host.is_char_boundary(start) || !host[start..].eq_ignore_ascii_case(domain) {
        return None;
    }
    if start == 0 { Some("") } else { host[..start].strip_suffix('.').filter(|labels| !labels.is_empty()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(raw: &str) -> Option<String> {
        Service::parse(raw).url().map(ToString::to_string)
    }

    #[test]
    fn a_bare_host_gets_https() {
        assert_eq!(url("pkgs.example.com").as_deref(), Some("https://pkgs.example.com/"));
        assert_eq!(url("pkgs.example.com:443").as_deref(), Some("https://pkgs.example.com/"));
    }

    #[test]
    fn user_information_query_and_fragment_are_stripped() {
        for raw in [
            "https://user:secret@feed.example/a/",
            "user:secret@feed.example/a/",
            "user@feed.example/a/",
            "https://feed.example/a/?token=secret#secret",
        ] {
            assert_eq!(url(raw).as_deref(), Some("https://feed.example/a/"), "{raw}");
        }
    }

    #[test]
    fn a_raw_blank_in_a_path_is_percent_encoded() {
        for raw in [
            "https://feed.example/My Project/feed/",
            "feed.example/My%20Project/feed/",
            " feed.example/My Project/feed/\n",
        ] {
            assert_eq!(url(raw).as_deref(), Some("https://feed.example/My%20Project/feed/"), "{raw:?}");
        }
    }

    #[test]
    fn strings_other_than_http_urls_have_no_url() {
        for raw in [
            "",
            " ",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://",
            "https:///a.example/",
            "https:https://user:word@a.example/",
            "//a.example/",
            "https://1.2.3.4/",
            "a\\@b",
            "a b",
            "a b/c",
            "https://a .example/c",
            "https:// a.example/c",
            "https://us er@a.example/c",
            "https ://a.example/c",
            "a.example/b\tc",
            "a.example/b\\c d",
            "https://%61.example/",
            "https://a。example/",
            "https://.example/",
            "https://a..example/",
        ] {
            assert_eq!(url(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn debug_shows_no_user_information() {
        let shown = format!("{:?}", Service::parse("https://user:hunter2@feed.example/"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!format!("{:?}", Service::parse("hun ter2")).contains("ter2"));
    }

    #[test]
    fn hosts_match_on_label_boundaries() {
        assert_eq!(subdomain_of("pkgs.example.com", "pkgs.example.com"), Some(""));
        assert_eq!(subdomain_of("Org.PKGS.example.com", "pkgs.example.com"), Some("Org"));
        for host in ["evil-pkgs.example.com", ".pkgs.example.com", "pkgs.example.com.evil.com", "com", ""] {
            assert_eq!(subdomain_of(host, "pkgs.example.com"), None, "{host}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_nor_keeps_user_information(raw in "\\PC*") {
            let service = Service::parse(&raw);
            if let Some(url) = service.url() {
                prop_assert_eq!(url.username(), "");
                prop_assert_eq!(url.password(), None);
                prop_assert!(matches!(url.scheme(), "http" | "https"));
            }
        }

        #[test]
        fn a_parsed_url_parses_to_itself(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", path in "[a-z0-9/_.-]{0,40}") {
            let service = Service::parse(&format!("https://{host}/{path}"));
            if let Some(url) = service.url() {
                let again = Service::parse(url.as_str());
                prop_assert_eq!(again.url(), Some(url));
            }
        }
    }
}
