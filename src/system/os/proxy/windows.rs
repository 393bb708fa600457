//! The proxy settings of Windows ("Internet Settings", which browsers and uv use too).
//! <https://learn.microsoft.com/windows/win32/wininet/enabling-internet-functionality>

use super::{Exception, SystemProxy};

/// The settings of a user, and those of the machine if the policy `ProxySettingsPerUser` is 0.
#[cfg(windows)]
const SETTINGS: &str = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings";

/// The policies for these settings.
#[cfg(windows)]
const POLICIES: &str = r"Software\Policies\Microsoft\Windows\CurrentVersion\Internet Settings";

/// The values in the registry.
#[derive(Debug, Default)]
struct Values {
    /// `ProxyEnable`.
    is_enabled: bool,
    /// `ProxyServer`.
    servers: String,
    /// `ProxyOverride`.
    exceptions: String,
    /// `AutoConfigURL`.
    script: String,
}

/// Reads the registry.
#[cfg(windows)]
pub(super) fn read() -> SystemProxy {
    use windows_registry::{CURRENT_USER, LOCAL_MACHINE};

    let is_per_machine = LOCAL_MACHINE
        .open(POLICIES)
        .and_then(|policies| policies.get_u32("ProxySettingsPerUser"))
        .is_ok_and(|is_per_user| is_per_user == 0);
    let root = if is_per_machine { LOCAL_MACHINE } else { CURRENT_USER };
    root.open(SETTINGS).map(|key| Values::read(&key).settings()).unwrap_or_default()
}

impl Values {
    /// Reads a key of the registry. A value that is missing, or of another type, counts as empty.
    #[cfg(windows)]
    fn read(key: &windows_registry::Key) -> Self {
        let text = |name| key.get_string(name).unwrap_or_default();
        Self {
            is_enabled: key.get_u32("ProxyEnable").is_ok_and(|value| value != 0),
            servers: text("ProxyServer"),
            exceptions: text("ProxyOverride"),
            script: text("AutoConfigURL"),
        }
    }

    fn settings(&self) -> SystemProxy {
        let has_script = !self.script.trim().is_empty();
        let Some(url) = server(&self.servers).filter(|_| self.is_enabled) else {
            return SystemProxy { has_script, ..SystemProxy::default() };
        };
        SystemProxy {
            excepts_simple_names: entries(&self.exceptions).any(|entry| entry.eq_ignore_ascii_case("<local>")),
            exceptions: entries(&self.exceptions).filter_map(exception).collect(),
            has_script,
            ..SystemProxy::with_url(Some(url))
        }
    }
}

/// The proxy for https in a list: `HOST:PORT` for every protocol, or `https=HOST:PORT` and `socks=HOST:PORT`, in this
/// order. A proxy without a scheme speaks HTTP, one for SOCKS SOCKS4, as in Python's `urllib`.
fn server(list: &str) -> Option<String> {
    let of_protocol = |wanted: &str| {
        entries(list).find_map(|entry| {
            let (protocol, server) = entry.split_once('=')?;
            (protocol.trim().eq_ignore_ascii_case(wanted) && !server.trim().is_empty()).then_some(server.trim())
        })
    };
    let with_scheme = |scheme: &str, server: &str| {
        if server.contains("://") { server.to_owned() } else { format!("{scheme}://{server}") }
    };
    entries(list)
        .find(|entry| !entry.contains('='))
        .or_else(|| of_protocol("https"))
        .map(|server| with_scheme("http", server))
        .or_else(|| Some(with_scheme("socks4", of_protocol("socks")?)).map(|url| url.replace("socks://", "socks4://")))
}

/// An entry of the list of exceptions: a pattern for the host, with an optional scheme and port.
fn exception(entry: &str) -> Option<Exception> {
    let (scheme, rest) = entry.split_once("://").unwrap_or(("https", entry));
    let is_other = !scheme.eq_ignore_ascii_case("https") || entry.starts_with('<');
    let host = rest.strip_suffix(":443").unwrap_or(rest);
    (!is_other).then(|| Exception::Pattern(host.to_ascii_lowercase()))
}

/// The entries of a list that semicolons or spaces separate.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split([';', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::ProxyChoice, *};

    fn values(servers: &str, exceptions: &str) -> Values {
        Values { is_enabled: true, servers: servers.into(), exceptions: exceptions.into(), script: String::new() }
    }

    #[test]
    fn the_proxy_for_https_is_found_in_every_form() {
        for (list, expected) in [
            ("proxy.example:3128", Some("http://proxy.example:3128")),
            ("http://proxy.example:3128", Some("http://proxy.example:3128")),
            ("socks5://proxy.example:1080", Some("socks5://proxy.example:1080")),
            ("http=one:1;https=two:2;ftp=three:3", Some("http://two:2")),
            ("http=one:1 HTTPS=two:2", Some("http://two:2")),
            ("https=https://two:2", Some("https://two:2")),
            ("http=one:1;socks=four:4", Some("socks4://four:4")),
            ("socks=socks://four:4", Some("socks4://four:4")),
            ("socks=socks5://four:4;https=", Some("socks5://four:4")),
            ("socks=four:4;https=two:2", Some("http://two:2")),
            ("http=one:1", None),
            ("https=", None),
            (" ; ", None),
            ("", None),
        ] {
            assert_eq!(server(list).as_deref(), expected, "{list}");
            assert_eq!(values(list, "").settings().url.as_deref(), expected, "{list}");
        }
    }

    #[test]
    fn a_disabled_proxy_is_not_used() {
        let disabled = Values { is_enabled: false, ..values("proxy:3128", "*.corp.example") };
        assert_eq!(disabled.settings(), SystemProxy::default());
        let script = Values { script: "http://wpad/proxy.pac".into(), ..disabled };
        assert_eq!(script.settings().choose("a.example"), ProxyChoice::DirectDespiteScript);
        let both = Values { is_enabled: true, ..script };
        assert_eq!(both.settings().choose("a.example"), ProxyChoice::System("http://proxy:3128".into()));
    }

    #[test]
    fn exceptions_are_patterns_for_the_whole_host() {
        let settings = values(
            "proxy:3128",
            "localhost;*.Corp.example; pkgs.*;10.*;https://secure.example;http://plain.example;port.example:443;\
             other.example:8443;<local>;<-loopback>",
        )
        .settings();
        for host in ["localhost", "a.corp.example", "A.CORP.EXAMPLE", "pkgs.dev.example", "10.1.2.3", "secure.example"]
        {
            assert_eq!(settings.choose(host), ProxyChoice::Direct, "{host}");
        }
        for host in ["port.example", "intranet"] {
            assert_eq!(settings.choose(host), ProxyChoice::Direct, "{host}");
        }
        for host in ["corp.example", "xpkgs.example", "110.1.2.3", "plain.example", "other.example", "[2001:db8::1]"] {
            assert!(matches!(settings.choose(host), ProxyChoice::System(_)), "{host}");
        }
        let without_local = values("proxy:3128", "").settings();
        assert!(matches!(without_local.choose("intranet"), ProxyChoice::System(_)));
    }

    proptest! {
        #[test]
        fn any_values_can_be_read(servers in ".{0,40}", exceptions in ".{0,40}", host in "[a-z.]{0,12}") {
            let settings = values(&servers, &exceptions).settings();
            settings.choose(&host);
            prop_assert!(settings.url.is_none_or(|url| super::super::is_url(&url)));
        }
    }

    #[cfg(windows)]
    mod registry {
        use windows_registry::CURRENT_USER;

        use super::super::*;

        #[test]
        fn values_are_read_from_the_registry() {
            let path = format!(r"Software\ringbearer-test-{}", std::process::id());
            let key = CURRENT_USER.create(&path).unwrap();
            assert_eq!(Values::read(&key).settings(), SystemProxy::default());
            key.set_u32("ProxyEnable", 1).unwrap();
            key.set_string("ProxyServer", "https=proxy.example:3128").unwrap();
            key.set_string("ProxyOverride", "*.corp.example;<local>").unwrap();
            key.set_string("AutoConfigURL", "http://wpad/proxy.pac").unwrap();
            let settings = Values::read(&key).settings();
            // A value of another type.
            key.set_string("ProxyEnable", "1").unwrap();
            let disabled = Values::read(&key).settings();
            CURRENT_USER.remove_tree(&path).unwrap();
            assert_eq!(settings.url.as_deref(), Some("http://proxy.example:3128"));
            assert_eq!((settings.excepts_simple_names, settings.has_script), (true, true));
            assert_eq!(settings.exceptions, [Exception::Pattern("*.corp.example".into())]);
            assert_eq!(disabled.url, None);
        }
    }
}
