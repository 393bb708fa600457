//! The configuration of gcloud: its directory, and the properties of the active configuration.
//! <https://cloud.google.com/sdk/docs/configurations>
//!
//! Only the properties that select the login are read, so that a token request gets the token that gcloud would print. The
//! properties of the installation, which administrators may set for all users, are not read.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    ini::{self, Ini},
    registry::google::variables::{ACCOUNT, ACTIVE_CONFIGURATION, CONFIGURATION_DIRECTORY, IMPERSONATED},
    system::{System, io_message, places},
};

/// The maximum size of a file in bytes. The properties of a configuration have a few hundred.
const CAP: usize = 256 * 1024;

/// The file with the name of the active configuration.
const ACTIVE_FILE: &str = "active_config";

/// The configuration that is active if nothing names another one.
const DEFAULT: &str = "default";

/// The name of the configuration without properties.
const NONE: &str = "NONE";

/// Properties with which gcloud signs in by another file.
/// <https://cloud.google.com/sdk/gcloud/reference/config/set>
const OTHER_CREDENTIALS: [&str; 2] = ["auth/access_token_file", "auth/credential_file_override"];

/// Properties that only gcloud honours when it obtains a token: another endpoint or proxy, another trust.
const OF_REQUESTS: [&str; 5] =
    ["auth/token_host", "core/custom_ca_certs_file", "proxy/type", "proxy/address", "proxy/port"];

/// The same, which count if they are true.
const SWITCHES: [&str; 3] =
    ["auth/disable_credentials", "auth/disable_ssl_validation", "context_aware/use_client_certificate"];

/// The property of another cloud than the public one, and the value for that.
const UNIVERSE: (&str, &str) = ("core/universe_domain", "googleapis.com");

/// The properties that select the login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::registry::google) struct Configuration {
    /// The active account.
    account: Option<String>,
    /// The service account that gcloud impersonates.
    impersonated: Option<String>,
    /// Why only gcloud itself can answer, as a clause.
    reason: Option<String>,
    /// Whether a property names another file with credentials.
    has_other_credentials: bool,
    /// Whether gcloud may sign in by something that is not read here.
    is_opaque: bool,
}

impl Configuration {
    /// Reads the active configuration. Files that gcloud would refuse are left to it, and so are their messages.
    pub(in crate::registry::google) fn read(system: &dyn System) -> Self {
        let (properties, broken) = match properties(system) {
            Ok(properties) => (properties, None),
            Err(why) => (Ini::default(), Some(why)),
        };
        let chain = property(system, IMPERSONATED, &properties, "auth/impersonate_service_account");
        // Of a chain, each account impersonates the next one.
        let impersonated =
            chain.as_deref().filter(|chain| !chain.is_empty()).and_then(|chain| chain.rsplit(',').next());
        let impersonated = impersonated.map(str::trim);
        let has_other_credentials = OTHER_CREDENTIALS.iter().any(|name| value(&properties, name).is_some());
        // gcloud refuses it; the account itself must not answer in its place.
        let nameless = impersonated.filter(|last| last.is_empty()).map(|_| "it impersonates no account".to_owned());
        Self {
            account: property(system, ACCOUNT, &properties, "core/account"),
            impersonated: impersonated.filter(|last| !last.is_empty()).map(str::to_owned),
            has_other_credentials,
            is_opaque: broken.is_some() || has_other_credentials,
            reason: nameless.or(broken).or_else(|| reserved(system, &properties).map(|name| format!("{name} is set"))),
        }
    }

    /// The account whose token gcloud prints, where it is known.
    pub(in crate::registry::google) fn account(&self) -> Option<&str> {
        self.impersonated().or(self.account.as_deref().filter(|_| !self.is_opaque))
    }

    /// The service account that gcloud impersonates.
    pub(in crate::registry::google) fn impersonated(&self) -> Option<&str> {
        self.impersonated.as_deref()
    }

    /// Why only gcloud itself can answer, as a clause; `None` if a token request with the [login](login) is the same.
    pub(in crate::registry::google) fn reason(&self) -> Option<String> {
        match &self.impersonated {
            Some(account) => Some(format!("it impersonates {account}")),
            None => self.reason.clone(),
        }
    }

    /// Whether a property or a variable names the account by other means than the active one.
    pub(in crate::registry::google) fn names_login(&self) -> bool {
        self.impersonated.is_some() || self.has_other_credentials
    }

    /// Whether gcloud may sign in by something that is not read here, so that the next token may be another account's.
    pub(in crate::registry::google) fn is_opaque(&self) -> bool {
        self.is_opaque
    }

    /// The credential file of the active account, present or not; `None` without an account whose name can be that of a
    /// directory.
    pub(in crate::registry::google) fn login(&self, system: &dyn System) -> Option<PathBuf> {
        let account = self.account.as_deref().filter(|account| is_directory_name(account))?;
        Some(directory(system)?.join("legacy_credentials").join(account).join("adc.json"))
    }
}

/// The configuration directory: CLOUDSDK_CONFIG, or the usual one of the platform.
pub(in crate::registry::google) fn directory(system: &dyn System) -> Option<PathBuf> {
    let named = system.setting(CONFIGURATION_DIRECTORY).and_then(|path| places::named(system, &path));
    named.or_else(|| Some(places::plain_config(system)?.join("gcloud")))
}

/// The files that decide who is logged in, present or not.
pub(in crate::registry::google) fn files(system: &dyn System) -> Vec<PathBuf> {
    let Some(directory) = directory(system) else { return Vec::new() };
    let properties = name(system, &directory).ok().flatten().map(|name| file(&directory, &name));
    let login = Configuration::read(system).login(system);
    [directory.join(ACTIVE_FILE)].into_iter().chain(properties).chain(login).collect()
}

/// The files of logins, which a run of gcloud may write. Not `access_tokens.db`, which it writes at every run.
pub(in crate::registry::google) fn login_files(system: &dyn System) -> Vec<PathBuf> {
    directory(system).map(|directory| directory.join("credentials.db")).into_iter().collect()
}

/// The properties of the active configuration; or why gcloud has to read them.
fn properties(system: &dyn System) -> Result<Ini, String> {
    let Some(directory) = directory(system) else { return Ok(Ini::default()) };
    let Some(name) = name(system, &directory)? else { return Ok(Ini::default()) };
    let path = file(&directory, &name);
    let Some(text) = text(system, &path)? else { return Ok(Ini::default()) };
    match ini::key_lines(&text) {
        Ok(_) => Ok(Ini::parse(&text)),
        Err(rejection) => Err(format!("line {} of {} {}", rejection.line, path.display(), rejection.what)),
    }
}

/// The file of a configuration.
fn file(directory: &Path, name: &str) -> PathBuf {
    directory.join("configurations").join(format!("config_{name}"))
}

/// The name of the active configuration; `None` for the one without properties.
fn name(system: &dyn System, directory: &Path) -> Result<Option<String>, String> {
    let of_variable = system.setting(ACTIVE_CONFIGURATION).map(|name| (ACTIVE_CONFIGURATION, name));
    let (named_by, name) = match of_variable {
        Some(named) => named,
        None => (ACTIVE_FILE, text(system, &directory.join(ACTIVE_FILE))?.unwrap_or_default().trim().to_owned()),
    };
    match name.as_str() {
        NONE => Ok(None),
        "" => Ok(Some(DEFAULT.to_owned())),
        valid if is_configuration_name(valid) => Ok(Some(name)),
        _ => Err(format!("{named_by} holds no name of a configuration")),
    }
}

/// The content of a file, if it is there.
fn text(system: &dyn System, path: &Path) -> Result<Option<String>, String> {
    let unreadable = |why: &str| Err(format!("{} cannot be read: {why}", path.display()));
    match system.read_file(path, CAP).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Some(text)),
        Ok(Err(_)) => unreadable("it is not UTF-8"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => unreadable(&io_message(&error)),
    }
}

/// A property: the environment variable, of which a blank one unsets the property, or the value in the file.
fn property(system: &dyn System, variable: &str, properties: &Ini, name: &str) -> Option<String> {
    match system.variable(variable) {
        Some(value) => Some(value.trim().to_owned()).filter(|value| !value.is_empty()),
        None => value(properties, name).map(str::to_owned),
    }
}

/// The environment variable of a property: `CLOUDSDK_SECTION_KEY`.
fn variable(name: &str) -> String {
    format!("CLOUDSDK_{}", name.replace('/', "_").to_uppercase())
}

/// The value of a property, by its name `section/key`. As in configparser, a section that is there has the keys of the default
/// one too.
fn value<'all>(properties: &'all Ini, name: &str) -> Option<&'all str> {
    let (section, key) = name.split_once('/')?;
    let of_default = || properties.value(ini::DEFAULT_SECTION, key).filter(|_| properties.has_section(section));
    properties.value(section, key).or_else(of_default)
}

/// The first property that only gcloud honours.
fn reserved(system: &dyn System, properties: &Ini) -> Option<&'static str> {
    let find = |names: &[&'static str], counts: fn(&str) -> bool| {
        names
            .iter()
            .copied()
            .find(|name| property(system, &variable(name), properties, name).is_some_and(|value| counts(&value)))
    };
    find(&OTHER_CREDENTIALS, |_| true)
        .or_else(|| find(&OF_REQUESTS, |_| true))
        .or_else(|| find(&SWITCHES, |value| !is_false(value)))
        .or_else(|| find(&[UNIVERSE.0], |domain| domain != UNIVERSE.1))
}

/// Whether gcloud reads a value as false.
fn is_false(value: &str) -> bool {
    ["0", "false", "n", "no", "none", "off"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether gcloud accepts a text as the name of a configuration.
fn is_configuration_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_allowed)
}

/// Whether the name of an account is that of its directory. gcloud drops colons, and names with separators, such as those of
/// workforce identities, are several parts of a path. Windows drops dots at the end.
fn is_directory_name(account: &str) -> bool {
    let is_allowed = |character: char| !"/\\:".contains(character) && !character.is_control();
    !account.is_empty() && !account.ends_with('.') && account.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        registry::google::variables::VARIABLES,
        system::{
            Platform,
            fake::{FakeSystem, absolute},
        },
    };

    const DIRECTORY: &str = "/home/ada/.config/gcloud";

    fn at(path: &str) -> PathBuf {
        PathBuf::from(absolute(path))
    }

    /// A user of Linux without files.
    fn home() -> FakeSystem {
        FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"))
    }

    /// A user with these properties.
    fn with(properties: &str) -> FakeSystem {
        home().file(&format!("{DIRECTORY}/configurations/config_default"), properties)
    }

    fn account(fake: &FakeSystem) -> Option<String> {
        Configuration::read(fake).account().map(str::to_owned)
    }

    #[test]
    fn the_directory_is_the_named_one_or_that_of_the_platform() {
        let windows = || FakeSystem::default().on(Platform::Windows).variable("USERPROFILE", &absolute("/users/ada"));
        for (fake, path) in [
            (home(), "/home/ada/.config/gcloud"),
            (home().on(Platform::MacOs), "/home/ada/.config/gcloud"),
            (home().variable("XDG_CONFIG_HOME", &absolute("/config")), "/home/ada/.config/gcloud"),
            (home().variable(CONFIGURATION_DIRECTORY, &absolute("/etc/login")), "/etc/login"),
            (home().variable(CONFIGURATION_DIRECTORY, "~/login"), "/home/ada/login"),
            (home().variable(CONFIGURATION_DIRECTORY, "login"), "/home/ada/.config/gcloud"),
            (windows().variable("APPDATA", &absolute("/users/ada/AppData")), "/users/ada/AppData/gcloud"),
        ] {
            assert_eq!(directory(&fake), Some(at(path)), "{path}");
        }
        assert_eq!(directory(&windows()), Some(Path::new(r"C:\").join("gcloud")));
        assert_eq!(directory(&FakeSystem::default().on(Platform::Linux)), None);
    }

    #[test]
    fn the_active_configuration_holds_the_account() {
        let two = || {
            with("[core]\naccount = ada@contoso.example\n")
                .file(&format!("{DIRECTORY}/configurations/config_work"), "[core]\naccount: alice@contoso.example\n")
        };
        let active = |name: &str| two().file(&format!("{DIRECTORY}/active_config"), name);
        for (fake, expected) in [
            (home(), None),
            (two(), Some("ada@contoso.example")),
            (active(""), Some("ada@contoso.example")),
            (active("work\n"), Some("alice@contoso.example")),
            (active("other"), None),
            (active("NONE"), None),
            (active("work").variable(ACTIVE_CONFIGURATION, "default"), Some("ada@contoso.example")),
            (active("work").variable(ACTIVE_CONFIGURATION, "NONE"), None),
            (two().variable(ACTIVE_CONFIGURATION, "work"), Some("alice@contoso.example")),
            (two().variable(ACCOUNT, "eve@contoso.example"), Some("eve@contoso.example")),
            (two().variable(ACCOUNT, " "), None),
            (home().variable(ACCOUNT, "eve@contoso.example"), Some("eve@contoso.example")),
            (with("[DEFAULT]\naccount = eve@contoso.example\n[core]\nproject = p\n"), Some("eve@contoso.example")),
            (
                with("[DEFAULT]\naccount = eve@contoso.example\n[core]\naccount = ada@contoso.example\n"),
                Some("ada@contoso.example"),
            ),
            (with("[DEFAULT]\naccount = eve@contoso.example\n"), None),
        ] {
            assert_eq!(account(&fake).as_deref(), expected);
            assert_eq!(Configuration::read(&fake).reason(), None);
        }
    }

    #[test]
    fn a_chain_without_a_last_account_is_left_to_gcloud() {
        let property = |value: &str| with(&format!("[auth]\nimpersonate_service_account = {value}\n"));
        for fake in [
            home().variable(IMPERSONATED, "a@p.example,"),
            home().variable(IMPERSONATED, ","),
            property("a@p.example, "),
        ] {
            let configuration = Configuration::read(&fake);
            assert_eq!(configuration.reason().as_deref(), Some("it impersonates no account"));
            assert_eq!(configuration.impersonated(), None);
        }
        assert_eq!(Configuration::read(&property("")).reason(), None);
    }

    #[test]
    fn the_last_account_of_a_chain_is_impersonated() {
        let chain =
            "[core]\naccount = ada@contoso.example\n[auth]\nimpersonate_service_account = a@p.example, b@p.example\n";
        for (fake, expected) in [
            (with(chain), Some("b@p.example")),
            (with(chain).variable(IMPERSONATED, "c@p.example"), Some("c@p.example")),
            (with(chain).variable(IMPERSONATED, ""), None),
            (with("[core\n").variable(IMPERSONATED, "c@p.example"), Some("c@p.example")),
        ] {
            let configuration = Configuration::read(&fake);
            assert_eq!(configuration.impersonated(), expected);
            if let Some(impersonated) = expected {
                assert_eq!(configuration.account(), expected);
                assert_eq!(configuration.reason(), Some(format!("it impersonates {impersonated}")));
            }
        }
    }

    #[test]
    fn properties_that_only_gcloud_honours_are_found() {
        for (properties, name) in [
            ("[auth]\naccess_token_file = /run/token\n", "auth/access_token_file"),
            ("[auth]\ncredential_file_override = /run/key.json\n", "auth/credential_file_override"),
            ("[auth]\ntoken_host = https://psc.example/token\n", "auth/token_host"),
            ("[auth]\ndisable_credentials = True\n", "auth/disable_credentials"),
            ("[auth]\ndisable_ssl_validation = yes\n", "auth/disable_ssl_validation"),
            ("[context_aware]\nuse_client_certificate = true\n", "context_aware/use_client_certificate"),
            ("[proxy]\ntype = http\n", "proxy/type"),
            ("[proxy]\naddress = 127.0.0.1\n", "proxy/address"),
            ("[core]\ncustom_ca_certs_file = /ca.pem\n", "core/custom_ca_certs_file"),
            ("[core]\nuniverse_domain = universe.example\n", "core/universe_domain"),
        ] {
            assert_eq!(Configuration::read(&with(properties)).reason(), Some(format!("{name} is set")));
        }
        for (variable, value, name) in [
            ("CLOUDSDK_PROXY_ADDRESS", "127.0.0.1", "proxy/address"),
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true", "auth/disable_credentials"),
            ("CLOUDSDK_CORE_UNIVERSE_DOMAIN", "universe.example", "core/universe_domain"),
        ] {
            let reason = Configuration::read(&home().variable(variable, value)).reason();
            assert_eq!(reason, Some(format!("{name} is set")));
        }
        let harmless = "[core]\naccount = ada@contoso.example\nproject = p\nuniverse_domain = googleapis.com\n[auth]\n\
            disable_credentials = False\ntoken_host =\n[compute]\nregion = europe-west1\n";
        let configuration = Configuration::read(&with(harmless));
        assert_eq!((configuration.reason(), configuration.is_opaque()), (None, false));
    }

    #[test]
    fn the_account_is_unknown_if_gcloud_signs_in_by_another_file() {
        for properties in ["access_token_file = /run/token", "credential_file_override = /run/key.json"] {
            let fake = with(&format!("[core]\naccount = ada@contoso.example\n[auth]\n{properties}\n"));
            let configuration = Configuration::read(&fake);
            assert_eq!((configuration.account(), configuration.is_opaque()), (None, true));
        }
    }

    #[test]
    fn files_that_gcloud_refuses_are_left_to_it() {
        let file = |name: &str| at(&format!("{DIRECTORY}/{name}")).display().to_string();
        let default = file("configurations/config_default");
        for (fake, reason) in [
            (with("[core\n"), format!("line 1 of {default} is in no section")),
            (with("[core]\njunk\n"), format!("line 2 of {default} is neither a section nor a key with a value")),
            (with("").unreadable(&default), format!("{default} cannot be read: permission denied")),
            (with(&"#".repeat(CAP + 1)), format!("{default} cannot be read: file too large")),
            (
                home().unreadable(&format!("{DIRECTORY}/active_config")),
                format!("{} cannot be read: permission denied", file("active_config")),
            ),
            (
                home().variable(ACTIVE_CONFIGURATION, "../x"),
                format!("{ACTIVE_CONFIGURATION} holds no name of a configuration"),
            ),
            (
                home().file(&format!("{DIRECTORY}/active_config"), "a/b"),
                "active_config holds no name of a configuration".to_owned(),
            ),
        ] {
            let configuration = Configuration::read(&fake);
            assert_eq!((configuration.reason(), configuration.is_opaque()), (Some(reason), true));
        }
        let binary = home();
        binary.write(&default, b"[core]\naccount = \xff\n");
        let reason = format!("{default} cannot be read: it is not UTF-8");
        assert_eq!(Configuration::read(&binary).reason(), Some(reason));
    }

    #[test]
    fn the_login_is_one_directory_of_its_account() {
        let login = |account: &str| {
            let fake = home().variable(ACCOUNT, account);
            Configuration::read(&fake).login(&fake)
        };
        for account in ["ada@contoso.example", "builder@p.iam.gserviceaccount.com", "a b+c@contoso.example"] {
            let path = at(&format!("{DIRECTORY}/legacy_credentials/{account}/adc.json"));
            assert_eq!(login(account), Some(path));
        }
        for account in ["", ".", "..", "../x", "a/b", r"a\b", "C:", "a:b", "a\u{7}", "a\nb", "ada.", ". ."] {
            assert_eq!(login(account), None, "{account:?}");
        }
    }

    #[test]
    fn the_files_decide_who_is_logged_in() {
        let names = |fake: &FakeSystem| -> Vec<String> {
            let files = files(fake).into_iter().chain(login_files(fake));
            files.map(|path| path.strip_prefix(at(DIRECTORY)).unwrap().to_string_lossy().replace('\\', "/")).collect()
        };
        let ada = "legacy_credentials/ada@contoso.example/adc.json";
        let fake = with("[core]\naccount = ada@contoso.example\n");
        assert_eq!(names(&fake), ["active_config", "configurations/config_default", ada, "credentials.db"]);
        let none = home().variable(ACTIVE_CONFIGURATION, "NONE");
        assert_eq!(names(&none), ["active_config", "credentials.db"]);
        assert_eq!(names(&home().variable(ACTIVE_CONFIGURATION, "a/b")), ["active_config", "credentials.db"]);
        let homeless = FakeSystem::default().on(Platform::Linux);
        assert!(files(&homeless).is_empty() && login_files(&homeless).is_empty());
    }

    #[test]
    fn every_variable_of_such_a_property_is_listed() {
        let names = [&OTHER_CREDENTIALS[..], &OF_REQUESTS, &SWITCHES, &[UNIVERSE.0]].concat();
        for name in names.into_iter().map(variable) {
            assert!(VARIABLES.iter().any(|listed| listed.name == name), "{name}");
        }
    }
}
