//! The proxy for a host, from the environment.

use url::Url;

use super::Environment;
use crate::service::host_is_within;

/// The variables that name a proxy, highest priority first: lower case before upper case, as in curl and Python.
const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// The variables that list hosts without a proxy.
const EXCEPTION_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The variable and URL of the proxy for https requests to `host`; `None` to connect directly.
pub(super) fn for_host(environment: &Environment, host: &str) -> Option<(&'static str, String)> {
    let (variable, value) = PROXY_VARIABLES.iter().find_map(|&name| {
        let value = environment.text(name)?.trim();
        (!value.is_empty()).then(|| (name, value.to_owned()))
    })?;
    let exceptions = EXCEPTION_VARIABLES.iter().find_map(|&name| environment.text(name)).unwrap_or_default();
    (!is_exception(exceptions, host)).then_some((variable, value))
}

/// The schemes of proxies. A URL without one means `http`.
const SCHEMES: [&str; 7] = ["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"];

/// Whether a value is the URL of a proxy: a known scheme, a host and an optional port. It may hold a password.
pub(super) fn is_url(value: &str) -> bool {
    let value = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    Url::parse(&value).is_ok_and(|url| SCHEMES.contains(&url.scheme()) && url.has_host())
}

/// Whether a NO_PROXY list covers `host`. Entries are separated by commas or spaces. Each is `*`, or a domain with its
/// subdomains, with or without a leading dot or `*.`. Port 443, that of every request here, may follow.
fn is_exception(list: &str, host: &str) -> bool {
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.strip_suffix(":443").unwrap_or(entry);
        let domain = entry.strip_prefix('*').unwrap_or(entry);
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        entry == "*" || (!domain.is_empty() && host_is_within(host, domain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(pairs: &[(&str, &str)], host: &str) -> Option<String> {
        let environment = pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        for_host(&environment, host).map(|(_, value)| value)
    }

    #[test]
    fn the_variable_of_highest_priority_wins() {
        let variables = [("ALL_PROXY", "http://all"), ("HTTPS_PROXY", "http://upper"), ("https_proxy", "http://lower")];
        assert_eq!(proxy(&variables, "a.example").as_deref(), Some("http://lower"));
        assert_eq!(proxy(&variables[..2], "a.example").as_deref(), Some("http://upper"));
        assert_eq!(proxy(&variables[..1], "a.example").as_deref(), Some("http://all"));
        assert_eq!(proxy(&[("HTTP_PROXY", "http://plain")], "a.example"), None);
        assert_eq!(proxy(&[("HTTPS_PROXY", "  ")], "a.example"), None);
    }

    #[test]
    fn proxy_urls_need_a_known_scheme_and_a_host() {
        for value in
            ["http://proxy:3128", "proxy:3128", "proxy", "https://user:pass%40word@proxy", "socks5h://127.0.0.1:1080"]
        {
            assert!(is_url(value), "{value}");
        }
        for value in ["http://proxy:99999", "http://user:pass@word@:x", "ftp://proxy", "http://", "proxy:port"] {
            assert!(!is_url(value), "{value}");
        }
    }

    #[test]
    fn exceptions_match_on_label_boundaries() {
        for (list, excepted) in [
            ("*", true),
            ("dev.example.com", true),
            (".dev.example.com", true),
            ("*.dev.example.com", true),
            ("localhost, PKGS.dev.example.com:443", true),
            ("example.com", true),
            ("xample.com", false),
            ("pkgs.dev.example.com:8080", false),
            ("", false),
            (",", false),
        ] {
            let variables = [("https_proxy", "http://proxy"), ("no_proxy", list)];
            assert_eq!(proxy(&variables, "pkgs.dev.example.com").is_none(), excepted, "{list}");
        }
    }
}
