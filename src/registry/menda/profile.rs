//! The profile that signs in: three variables, or a section of the Menda CLI's configuration file.

use std::path::{Path, PathBuf};

use url::Url;
use zeroize::Zeroizing;

use crate::{
    auth::private_file,
    error::{Error, ExceptionClass, Kind, Result, quote},
    ini::Ini,
    secret::Secret,
    system::{System, http::is_loopback, io_message, places},
};

const ID_VARIABLE: &str = "MENDA_CLIENT_ID";
const SECRET_VARIABLE: &str = "MENDA_CLIENT_SECRET";
const HOST_VARIABLE: &str = "MENDA_HOST";

/// The section of the configuration file.
const PROFILE_VARIABLE: &str = "MENDA_PROFILE_ID";

/// Names another configuration file, as for the Menda CLI.
const FILE_VARIABLE: &str = "MENDA_CONFIG_FILE";

/// The section with defaults for all others (Python's configparser).
const DEFAULTS: &str = "DEFAULT";

/// The maximum depth of references between values, as in configparser.
const DEEPEST: usize = 9;

/// The maximum size of the configuration file in bytes.
const CAP: usize = 256 * 1024;

/// The API to sign in to, and the account.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The URL of the API, whose path ends in a slash.
    pub(crate) host: Url,
    /// The account that signs in.
    pub(crate) way: Way,
}

/// The account that signs in.
#[derive(Debug)]
pub(crate) enum Way {
    /// A client with a secret.
    Machine {
        /// The client ID.
        client_id: String,
        /// The client's secret.
        client_secret: Secret,
        /// The section of the Menda CLI's cache that may hold its token.
        cached_as: String,
    },
    /// A user who ran `menda auth login`.
    User {
        /// The profile, which is also the section of the cache.
        id: String,
        /// An addition to the message if there is no login.
        note: String,
    },
}

impl Profile {
    /// Reads the variables or, if they name no client, the file; `None` if there is neither. Part of a client is an error,
    /// even if there is a file: its profile may be another identity.
    pub(crate) fn read(system: &dyn System) -> Result<Option<Self>> {
        let settings =
            (system.setting(ID_VARIABLE), system.secret_setting(SECRET_VARIABLE), system.setting(HOST_VARIABLE));
        let (client_id, client_secret, host) = match settings {
            (Some(client_id), Some(client_secret), Some(host)) => (client_id, client_secret, host),
            settings => return half(&settings).map_or_else(|| Self::from_home(system), Err),
        };
        let host = read_host(&host, HOST_VARIABLE)?;
        let cached_as = client_id.clone();
        Ok(Some(Self { host, way: Way::Machine { client_id, client_secret, cached_as } }))
    }

    /// The profile in the file. A missing file is an error only if a profile is named.
    fn from_home(system: &dyn System) -> Result<Option<Self>> {
        if let Some((path, content)) = read_file(system)? {
            return Self::from_file(system, &path, &Ini::parse(&String::from_utf8_lossy(&content))).map(Some);
        }
        if system.setting(PROFILE_VARIABLE).is_some() {
            return Err(Error::new(Kind::Configuration, "Menda config file not found at ~/.menda/mendacfg")
                .with_hint("Run 'menda auth configure' first"));
        }
        Ok(None)
    }

    fn from_file(system: &dyn System, path: &Path, ini: &Ini) -> Result<Self> {
        let id = system.setting(PROFILE_VARIABLE).unwrap_or_else(|| "default".to_owned());
        if !ini.has_section(&id) {
            return Err(Error::new(Kind::Configuration, format!("No profile '{id}' in {}", path.display()))
                .with_hint(format!("Set {PROFILE_VARIABLE} or add a [{id}] section"))
                .with_class(ExceptionClass::ProfileNotFound));
        }
        let raw = |key: &str| ini.value(&id, key).or_else(|| ini.value(DEFAULTS, key));
        let value = |key| {
            let raw_value = raw(key)?;
            Some(interpolate(raw_value, &raw, DEEPEST).unwrap_or_else(|| raw_value.to_owned().into()))
        };
        let Some(host) = value("host") else {
            return Err(Error::new(Kind::Configuration, format!("Profile '{id}' has no host"))
                .with_hint(format!("set host = https://... in {}", path.display()))
                .with_class(ExceptionClass::ProfileWithoutHost));
        };
        let host = read_host(&host, &format!("the host of profile '{id}' in {}", path.display()))?;
        let auth_type = value("auth_type").map_or_else(|| "u2m".to_owned(), |text| text.to_ascii_lowercase());
        if auth_type == "m2m" {
            let (Some(client_id), Some(client_secret)) = (value("client_id"), value("client_secret")) else {
                let message = format!(
                    "Profile '{id}' has auth_type=m2m but is missing client_id or client_secret in {}",
                    path.display()
                );
                return Err(Error::new(Kind::Configuration, message)
                    .with_class(ExceptionClass::M2mProfileWithoutClientCredentials));
            };
            let (client_id, client_secret) = (client_id.to_string(), Secret::new(client_secret.to_string()));
            return Ok(Self { host, way: Way::Machine { client_id, client_secret, cached_as: id } });
        }
        // menda-keyring treats every other value as u2m; a mistyped m2m should be reported.
        let note =
            if auth_type == "u2m" { String::new() } else { " (its auth_type is neither u2m nor m2m)".to_owned() };
        Ok(Self { host, way: Way::User { id, note } })
    }

    /// The account, for messages.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        match &self.way {
            Way::Machine { client_id, .. } => format!("client {}", quote(client_id, &[])),
            Way::User { id, .. } => format!("the user of profile '{}'", quote(id, &[])),
        }
    }

    /// The fields that distinguish profiles, secrets included, for the cache key.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> Zeroizing<Vec<u8>> {
        let parts = match &self.way {
            Way::Machine { client_id, client_secret, .. } => ["m2m", client_id, client_secret.expose()],
            Way::User { id, .. } => ["u2m", id, ""],
        };
        Zeroizing::new([&[self.host.as_str()], &parts[..]].concat().join("\0").into_bytes())
    }
}

/// The configuration file.
pub(super) fn path(system: &dyn System) -> Option<PathBuf> {
    let named = system.setting(FILE_VARIABLE).map(PathBuf::from);
    named.or_else(|| Some(places::home(system)?.join(".menda").join("mendacfg")))
}

/// The configuration file and its content; `None` if it is missing and not named by a variable.
fn read_file(system: &dyn System) -> Result<Option<(PathBuf, Zeroizing<Vec<u8>>)>> {
    if let Some(path) = system.setting(FILE_VARIABLE) {
        let content = private_file::read(system, FILE_VARIABLE, &path)?;
        return Ok(Some((PathBuf::from(path), content)));
    }
    let Some(path) = path(system) else { return Ok(None) };
    match system.read_file(&path, CAP) {
        Ok(content) => Ok(Some((path, Zeroizing::new(content)))),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => {
            let message = format!("{} cannot be read: {}", path.display(), io_message(&error));
            Err(Error::new(Kind::Configuration, message).with_hint("correct its permissions").with_source(&error))
        }
    }
}

/// The error of a partially configured client. The address alone does not count, since the Menda CLI reads it too.
fn half(settings: &(Option<String>, Option<Secret>, Option<String>)) -> Option<Error> {
    let is_set = [
        (ID_VARIABLE, settings.0.is_some()),
        (SECRET_VARIABLE, settings.1.is_some()),
        (HOST_VARIABLE, settings.2.is_some()),
    ];
    let (begun, _) = is_set[..2].iter().find(|(_, is_set)| *is_set)?;
    let missing: Vec<_> = is_set.iter().filter(|(_, is_set)| !is_set).map(|(name, _)| *name).collect();
    let hint = format!("set all of {ID_VARIABLE}, {SECRET_VARIABLE} and {HOST_VARIABLE}, or unset {begun}");
    Some(Error::new(Kind::Configuration, format!("{begun} is set without {}", missing.join(" and "))).with_hint(hint))
}

/// Parses the address of the API. Without TLS only this machine is allowed, since the client's secret is sent there.
fn read_host(text: &str, source: &str) -> Result<Url> {
    let wrong = |why: &str| {
        Err(Error::new(Kind::Configuration, format!("{source} {why}")).with_hint("it should read https://HOST"))
    };
    // The URL parser skips line ends and takes text after a space for a part of the path. After a mistake in the file
    // that may be a secret, which must not be sent.
    let is_one_word = !text.contains(|character: char| character.is_whitespace() || character.is_control());
    let Some(mut url) = Url::parse(text).ok().filter(|_| is_one_word) else {
        return wrong("is not a URL");
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !is_safe {
        return wrong("is not an https URL: secrets would travel in the clear");
    }
    let is_bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.host().is_none() || !is_bare {
        return wrong("has a user name, a password, a query or a fragment in it");
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Expands a value as configparser's interpolation does: `%%` is a percent sign, and `%(key)s` the value of another
/// key, from `of`. `None` if it is malformed, such as a secret with a single percent sign.
/// <https://docs.python.org/3/library/configparser.html#interpolation-of-values>
fn interpolate<'ini>(raw: &str, of: &dyn Fn(&str) -> Option<&'ini str>, depth: usize) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(raw.len()));
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        rest = if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            after
        } else {
            let (key, after) = after.strip_prefix('(')?.split_once(")s")?;
            text.push_str(&interpolate(of(key)?, of, depth.checked_sub(1)?)?);
            // References that multiply would grow without bound.
            if text.len() > CAP {
                return None;
            }
            after
        };
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const FILE: &str = "/home/user/.menda/mendacfg";

    fn read(content: &str) -> Result<Profile> {
        let fake = FakeSystem::default().home("/home/user").file(FILE, content);
        Profile::read(&fake).map(Option::unwrap)
    }

    fn secret(profile: &Profile) -> Option<(&str, &str)> {
        match &profile.way {
            Way::Machine { client_id, client_secret, .. } => Some((client_id, client_secret.expose())),
            Way::User { .. } => None,
        }
    }

    #[test]
    fn the_three_variables_beat_the_file() {
        let fake = FakeSystem::default()
            .home("/home/user")
            .file(FILE, "[default]\nhost = https://file.example\n")
            .variable(HOST_VARIABLE, "https://api.example/base//");
        let profile = Profile::read(&fake).unwrap().unwrap();
        assert_eq!((profile.host.as_str(), secret(&profile)), ("https://file.example/", None));
        let fake = fake.variable(ID_VARIABLE, "robot").variable(SECRET_VARIABLE, "100%");
        let profile = Profile::read(&fake).unwrap().unwrap();
        assert_eq!((profile.host.as_str(), secret(&profile)), ("https://api.example/base/", Some(("robot", "100%"))));
    }

    #[test]
    fn an_incomplete_client_is_an_error_despite_a_profile() {
        for names in
            [&[ID_VARIABLE][..], &[SECRET_VARIABLE], &[ID_VARIABLE, SECRET_VARIABLE], &[ID_VARIABLE, HOST_VARIABLE]]
        {
            let home = FakeSystem::default().home("/home/user").file(FILE, "[default]\nhost=https://a.example\n");
            let error = Profile::read(&names.iter().fold(home, |fake, name| fake.variable(name, "x"))).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.message().starts_with(&format!("{} is set without ", names[0])), "{error}");
            assert!(error.hint().unwrap().ends_with(&format!("or unset {}", names[0])), "{error}");
        }
    }

    #[test]
    fn auth_type_ignores_case_and_percent_signs_are_kept() {
        for (kind, written, meant) in [
            ("m2m", "s%cret", "s%cret"),
            ("M2M", "50%%", "50%"),
            ("M2m", "%%a%", "%%a%"),
            ("m2m", "a=b:c#d", "a=b:c#d"),
        ] {
            let text = format!(
                "[default]\nhost=https://a.example\nauth_type={kind}\nclient_id=robot\nclient_secret={written}\n"
            );
            assert_eq!(secret(&read(&text).unwrap()), Some(("robot", meant)), "{text}");
        }
        let text = "[DEFAULT]\nregion=eu\n[default]\nhost=https://%(REGION)s.%(tld)s/\ntld=%%41.%(region)s.example\n";
        assert_eq!(read(&text.replace("%%41.", "a.")).unwrap().host.as_str(), "https://eu.a.eu.example/");
        assert!(read("[default]\nhost=https://%(host)s/\n").is_err());
        let level = |number: u32| format!("k{number}={}\n", format!("%(k{})s", number + 1).repeat(20));
        let text: String = (0..9).map(level).collect();
        assert!(read(&format!("[default]\nhost=%(k0)s\n{text}k9=x\n")).is_err(), "and it ends");
        assert_eq!(secret(&read("[DEFAULT]\nhost=https://a.example\n[default]\nauth_type=U2M\n").unwrap()), None);
    }

    #[test]
    fn every_fault_of_the_file_has_the_published_name_and_words() {
        let no_profile = format!("No profile 'default' in {}. Set MENDA_PROFILE_ID or add", absolute(FILE));
        for (content, name, words) in [
            ("[other]\n", Some(ExceptionClass::ProfileNotFound), no_profile.as_str()),
            (
                "[default]\n",
                Some(ExceptionClass::ProfileWithoutHost),
                "Profile 'default' has no host; set host = https://...",
            ),
            (
                "[default]\nhost=https://a.example\nauth_type=m2m\nclient_id=x\n",
                Some(ExceptionClass::M2mProfileWithoutClientCredentials),
                "Profile 'default' has auth_type=m2m but is missing client_id or client_secret",
            ),
            ("[default]\nhost=http://a.example\n", None, "is not an https URL"),
            ("[default]\nhost=a.example\n", None, "is not a URL"),
            ("[default]\nhost=https://a.example/\n client_secret=x-secret\n", None, "is not a URL"),
            ("[default]\nhost=https://a.example/ client_secret=x-secret\n", None, "is not a URL"),
            ("[default]\nhost=https://u:x-secret@a.example\n", None, "a user name"),
        ] {
            let error = read(content).unwrap_err();
            assert_eq!(error.class(), name, "{content}");
            assert!(error.to_string().contains(words) && !error.to_string().contains("x-secret"), "{error}");
        }
    }

    #[test]
    fn loopback_alone_may_do_without_tls() {
        for host in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1/"] {
            assert!(read(&format!("[default]\nhost={host}\n")).is_ok(), "{host}");
        }
        for host in ["http://10.0.0.1", "http://localhost.example", "ftp://localhost", "http://127.0.0.1.example"] {
            assert!(read(&format!("[default]\nhost={host}\n")).is_err(), "{host}");
        }
    }

    #[test]
    fn nothing_at_all_is_nothing_and_half_of_it_is_an_error() {
        let home = || FakeSystem::default().home("/home/user");
        assert!(Profile::read(&home()).unwrap().is_none());
        assert!(Profile::read(&home().variable(HOST_VARIABLE, "https://a.example")).unwrap().is_none());
        let error = Profile::read(&home().variable(SECRET_VARIABLE, "x-secret")).unwrap_err();
        assert!(error.message().ends_with(" is set without MENDA_CLIENT_ID and MENDA_HOST"), "{error}");
        let error = Profile::read(&home().variable(PROFILE_VARIABLE, "ci")).unwrap_err();
        assert!(error.message().starts_with("Menda config file not found at "), "{error}");
    }

    #[test]
    fn another_file_can_be_named() {
        let fake = FakeSystem::default()
            .variable(FILE_VARIABLE, &absolute("/etc/menda"))
            .file("/etc/menda", "[default]\nhost=https://a.example\n");
        assert_eq!(Profile::read(&fake).unwrap().unwrap().host.as_str(), "https://a.example/");
        for (path, problem) in [("relative", "absolute path"), (&absolute("/nowhere"), "which cannot be read")] {
            let error = Profile::read(&FakeSystem::default().variable(FILE_VARIABLE, path)).unwrap_err();
            assert!(error.message().contains(FILE_VARIABLE) && error.message().contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_content_is_a_profile_or_an_error(content in "(\\[default\\]\n)?[\\PC\n]{0,200}") {
            let _ = read(&content);
        }
    }
}
