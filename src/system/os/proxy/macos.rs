//! The proxy settings of macOS (System Settings, Network).
//! <https://developer.apple.com/documentation/systemconfiguration/scdynamicstorecopyproxies(_:)>

use std::net::Ipv4Addr;

use super::{Exception, SystemProxy};

/// Asks the System Configuration framework.
#[cfg(target_os = "macos")]
pub(super) fn read() -> SystemProxy {
    use system_configuration::{
        core_foundation::{
            base::TCFType,
            propertylist::{create_data, kCFPropertyListXMLFormat_v1_0},
        },
        dynamic_store::SCDynamicStoreBuilder,
    };

    let store = SCDynamicStoreBuilder::new("ringbearer").build();
    let proxies = store.and_then(|store| store.get_proxies());
    // As XML: the elements of an array are out of reach for safe code.
    let list = proxies.and_then(|proxies| create_data(proxies.as_CFTypeRef(), kCFPropertyListXMLFormat_v1_0).ok());
    list.map(|list| settings(&String::from_utf8_lossy(list.bytes()))).unwrap_or_default()
}

/// Reads the settings from a property list in XML.
fn settings(list: &str) -> SystemProxy {
    let values = values(list);
    let text = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let is_on = |name: &str| text(name) == Some("1");
    let has_script = is_on("ProxyAutoConfigEnable");
    let Some(host) = text("HTTPSProxy").filter(|host| is_on("HTTPSEnable") && !host.is_empty()) else {
        return SystemProxy { has_script, ..SystemProxy::default() };
    };
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    let port = text("HTTPSPort").map_or_else(String::new, |port| format!(":{port}"));
    SystemProxy {
        excepts_simple_names: is_on("ExcludeSimpleHostnames"),
        exceptions: values
            .iter()
            .filter(|(key, _)| key == "ExceptionsList")
            .map(|(_, entry)| network(entry).unwrap_or_else(|| Exception::Pattern(entry.to_ascii_lowercase())))
            .collect(),
        has_script,
        ..SystemProxy::with_url(Some(format!("http://{host}{port}")))
    }
}

/// The addresses of an entry such as `169.254/16`, `10.1` (10.1.0.0/16) or `10.1.2.3`.
fn network(entry: &str) -> Option<Exception> {
    let (address, bits) = entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    let octets: Vec<u8> = address.split('.').map(|octet| octet.parse::<u8>().ok()).collect::<Option<_>>()?;
    let mut all = [0; 4];
    all.get_mut(..octets.len())?.copy_from_slice(&octets);
    let bits = bits.map_or(u32::try_from(octets.len() * 8).ok(), |bits| bits.parse().ok())?;
    (bits <= 32).then(|| Exception::Network(Ipv4Addr::from(all), bits))
}

/// The strings and numbers of the outermost dictionary, each with its key; those of an array under the key of the array.
/// <https://www.apple.com/DTDs/PropertyList-1.0.dtd>
fn values(list: &str) -> Vec<(String, String)> {
    let (mut depth, mut key, mut found) = (0_usize, String::new(), Vec::new());
    let mut rest = list;
    while let Some((text, after)) = rest.split_once('<') {
        let Some((tag, after)) = after.split_once('>') else { break };
        match tag {
            "dict" | "array" => depth += 1,
            "/dict" | "/array" => depth = depth.saturating_sub(1),
            // The settings of single interfaces have dictionaries of their own.
            "/key" if depth == 1 => key = unescape(text),
            "/string" | "/integer" => found.push((key.clone(), unescape(text))),
            _ => {}
        }
        rest = after;
    }
    found
}

/// The characters that XML writes as entities in text.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::ProxyChoice, *};

    /// A list as macOS writes it, shortened. The dictionary of an interface repeats the settings.
    const LIST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>ExceptionsList</key>
	<array>
		<string>*.local</string>
		<string>169.254/16</string>
		<string>10.1</string>
		<string>Pkgs.corp.example</string>
		<string>a&amp;b</string>
	</array>
	<key>ExcludeSimpleHostnames</key>
	<integer>1</integer>
	<key>FTPPassive</key>
	<integer>1</integer>
	<key>HTTPEnable</key>
	<integer>1</integer>
	<key>HTTPPort</key>
	<integer>8080</integer>
	<key>HTTPProxy</key>
	<string>plain.example</string>
	<key>HTTPSEnable</key>
	<integer>1</integer>
	<key>HTTPSPort</key>
	<integer>3128</integer>
	<key>HTTPSProxy</key>
	<string>proxy.example</string>
	<key>__SCOPED__</key>
	<dict>
		<key>en0</key>
		<dict>
			<key>HTTPSProxy</key>
			<string>scoped.example</string>
			<key>ProxyAutoConfigEnable</key>
			<integer>1</integer>
		</dict>
	</dict>
</dict>
</plist>
"#;

    #[test]
    fn the_proxy_for_https_is_read_from_the_outermost_dictionary() {
        let found = settings(LIST);
        assert_eq!(found.url.as_deref(), Some("http://proxy.example:3128"));
        assert_eq!((found.excepts_simple_names, found.has_script), (true, false));
        let scoped = LIST.replace("<key>HTTPSProxy</key>\n\t<string>proxy.example</string>", "");
        assert_eq!(settings(&scoped), SystemProxy::default());
    }

    #[test]
    fn the_exceptions_cover_names_and_networks() {
        let found = settings(LIST);
        for host in ["printer.local", "169.254.1.2", "10.1.2.3", "PKGS.corp.example", "intranet", "a&b"] {
            assert_eq!(found.choose(host), ProxyChoice::Direct, "{host}");
        }
        for host in ["local.example", "169.255.1.2", "10.2.2.3", "10.1.example", "corp.example"] {
            assert!(matches!(found.choose(host), ProxyChoice::System(_)), "{host}");
        }
        let all_names =
            settings(&LIST.replace("<key>ExcludeSimpleHostnames</key>\n\t<integer>1", "<key>x</key><integer>1"));
        assert!(matches!(all_names.choose("intranet"), ProxyChoice::System(_)));
    }

    #[test]
    fn a_disabled_proxy_is_not_used() {
        let disabled = LIST.replace("<key>HTTPSEnable</key>\n\t<integer>1", "<key>HTTPSEnable</key>\n\t<integer>0");
        assert_eq!(settings(&disabled), SystemProxy::default());
        let script = disabled.replace("FTPPassive", "ProxyAutoConfigEnable");
        assert_eq!(settings(&script).choose("a.example"), ProxyChoice::DirectDespiteScript);
        assert_eq!(settings(""), SystemProxy::default());
    }

    #[test]
    fn a_proxy_may_have_no_port_and_an_ipv6_address() {
        let without_port = LIST.replace("HTTPSPort", "OtherPort");
        assert_eq!(settings(&without_port).url.as_deref(), Some("http://proxy.example"));
        let address = LIST.replace("<string>proxy.example", "<string>2001:db8::1");
        assert_eq!(settings(&address).url.as_deref(), Some("http://[2001:db8::1]:3128"));
    }

    #[test]
    fn networks_have_one_to_four_octets() {
        let network_of = |address: [u8; 4], bits| Some(Exception::Network(address.into(), bits));
        for (entry, expected) in [
            ("10", network_of([10, 0, 0, 0], 8)),
            ("10.1.2.3", network_of([10, 1, 2, 3], 32)),
            ("10/7", network_of([10, 0, 0, 0], 7)),
            ("0.0.0.0/0", network_of([0, 0, 0, 0], 0)),
            ("10.0.0.0/33", None),
            ("10.0.0.0.0", None),
            ("10.256", None),
            ("10.*", None),
            ("", None),
        ] {
            assert_eq!(network(entry), expected, "{entry}");
        }
    }

    #[cfg(target_os = "macos")]
    #[test]
    fn the_settings_of_this_machine_can_be_read() {
        let _ = read();
    }

    proptest! {
        #[test]
        fn any_list_can_be_read(parts in prop::collection::vec("<[a-z/]{0,7}>|[a-zA-Z0-9&;.]{0,9}|.", 0..30)) {
            settings(&parts.concat()).choose("a.example");
        }
    }
}
