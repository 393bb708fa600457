//! The configuration files of AWS's programs: `~/.aws/config` and `~/.aws/credentials`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

mod dialect;
mod profile;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use self::dialect::{File, Heading, Values};
pub(crate) use self::profile::{Profile, argument};
use super::variables;
use crate::{
    auth::private_file,
    error::{Error, Kind, Result},
    system::{System, io_message, places},
};

/// The maximum size of a file in bytes.
const CAP: usize = 1024 * 1024;

/// The content of both files. A file that is not there counts as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    profiles: BTreeMap<String, Profile>,
    sso_sessions: BTreeMap<String, Values>,
}

/// The settings of an `[sso-session NAME]` section. A missing one is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SsoSession {
    /// The address at which people sign in.
    pub(crate) start_url: String,
    /// The region of IAM Identity Center.
    pub(crate) region: String,
}

impl Config {
    /// Reads both files. One that cannot be read, or that everybody may write, is an error.
    pub(crate) fn read(system: &dyn System) -> Result<Self> {
        let mut config = Self::default();
        let mut services = BTreeMap::new();
        for file in [File::Config, File::Credentials] {
            let Some(path) = path(system, file)? else { continue };
            let content = read_file(system, &path)?;
            for (heading, values) in dialect::parse(&String::from_utf8_lossy(&content), file) {
                match heading {
                    Heading::Profile(name) => {
                        let profile = config.profiles.entry(name.clone()).or_insert_with(|| Profile::new(name));
                        profile.add(values, file);
                    }
                    Heading::SsoSession(name) => drop(config.sso_sessions.insert(name, values)),
                    Heading::Services(name) => drop(services.insert(name, values)),
                }
            }
        }
        for profile in config.profiles.values_mut() {
            profile.choose_services(&services);
        }
        Ok(config)
    }

    /// The paths of both files, whether or not they exist.
    pub(crate) fn files(system: &dyn System) -> Vec<PathBuf> {
        [File::Config, File::Credentials].into_iter().filter_map(|file| path(system, file).ok().flatten()).collect()
    }

    /// The names of the profiles, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The profile of a name.
    pub(crate) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The `[sso-session NAME]` section of a name.
    pub(crate) fn sso_session(&self, name: &str) -> Option<SsoSession> {
        let values = self.sso_sessions.get(name)?;
        let value = |key| values.get(key).unwrap_or_default().to_owned();
        Some(SsoSession { start_url: value("sso_start_url"), region: value("sso_region") })
    }
}

/// The path of a file, by its variable or in the home directory; `None` without a home directory, and for the null
/// device, which people name to turn a file off.
fn path(system: &dyn System, file: File) -> Result<Option<PathBuf>> {
    let (variable, name) = match file {
        File::Config => (variables::CONFIG_FILE, "config"),
        File::Credentials => (variables::CREDENTIALS_FILE, "credentials"),
    };
    let Some(named) = system.setting(variable) else {
        return Ok(places::home(system).map(|home| home.join(".aws").join(name)));
    };
    if named == "/dev/null" || named.eq_ignore_ascii_case("nul") {
        return Ok(None);
    }
    if let Some(path) = places::named(system, &named) {
        return Ok(Some(path));
    }
    Err(Error::new(Kind::Configuration, format!("{variable} does not hold the absolute path of a file"))
        .with_hint(format!("correct or unset {variable}")))
}

/// The content of a file; empty if there is none.
///
/// Its owner is not checked: containers mount the directory of a user whom they do not know. A file that everybody may
/// write is refused: any user could put a `credential_process` into it, which runs as this one.
fn read_file(system: &dyn System, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    match system.read_file(path, CAP).map(Zeroizing::new) {
        Ok(content) => private_file::refuse_writable_by_all(system, path).map(|()| content),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Zeroizing::default())
        }
        Err(error) => {
            let message = format!("{} cannot be read: {}", path.display(), io_message(&error));
            Err(Error::new(Kind::Configuration, message)
                .with_hint("correct its permissions, or remove it")
                .with_source(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const CONFIG: &str = "/home/ada/.aws/config";
    const CREDENTIALS: &str = "/home/ada/.aws/credentials";

    fn home() -> FakeSystem {
        FakeSystem::default().home("/home/ada")
    }

    #[test]
    fn the_credentials_file_has_precedence_key_by_key() {
        let config = "[profile corp]\nregion = eu-west-1\naws_access_key_id = a\n[corp]\nregion = eu-west-3\n";
        let credentials = "[corp]\naws_access_key_id = b\n[profile corp]\nregion = eu-west-2\n[build]\n";
        let config = Config::read(&home().file(CONFIG, config).file(CREDENTIALS, credentials)).unwrap();
        let corp = config.profile("corp").unwrap();
        assert_eq!((corp.value("region"), corp.value("aws_access_key_id")), (Some("eu-west-1"), Some("b")));
        assert!(corp.is_in_credentials("aws_access_key_id") && !corp.is_in_credentials("region"));
        assert_eq!(config.names().collect::<Vec<_>>(), ["build", "corp"]);
    }

    #[test]
    fn missing_files_are_empty() {
        assert_eq!(Config::read(&home()), Ok(Config::default()));
        assert_eq!(Config::read(&FakeSystem::default()), Ok(Config::default()));
        assert_eq!(Config::files(&FakeSystem::default()), Vec::<PathBuf>::new());
    }

    #[test]
    fn variables_name_other_files() {
        let text = "[default]\nregion = eu-west-1\n";
        for (named, file) in [
            ("~/other", Some("/home/ada/other")),
            (&*absolute("/etc/other"), Some("/etc/other")),
            ("/dev/null", None),
            ("NUL", None),
        ] {
            let system = home().file(CONFIG, "[default]\nregion = eu-west-2\n").variable("AWS_CONFIG_FILE", named);
            let system = file.into_iter().fold(system, |system, file| system.file(file, text));
            let config = Config::read(&system).unwrap();
            let region = config.profile("default").and_then(|profile| profile.value("region"));
            assert_eq!(region, file.map(|_| "eu-west-1"), "{named}");
            let paths = file.into_iter().chain([CREDENTIALS]).map(|path| PathBuf::from(absolute(path)));
            assert_eq!(Config::files(&system), paths.collect::<Vec<_>>(), "{named}");
        }
    }

    #[test]
    fn a_relative_path_names_the_variable() {
        for named in ["config", "~ada/config", "./config"] {
            let error = Config::read(&home().variable("AWS_SHARED_CREDENTIALS_FILE", named)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "AWS_SHARED_CREDENTIALS_FILE does not hold the absolute path of a file; correct or unset AWS_SHARED_CREDENTIALS_FILE"
            );
        }
        assert!(Config::read(&FakeSystem::default().variable("AWS_CONFIG_FILE", "~/config")).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_trusted_or_read_is_named() {
        let file = absolute(CONFIG);
        let large = "#".repeat(CAP + 1);
        for (system, message) in [
            (
                home().file(CONFIG, "").mode(CONFIG, 0o666),
                format!("every user of this machine may write {file}; run `chmod o-w {file}`"),
            ),
            (
                home().file(CONFIG, "").unreadable(CONFIG),
                format!("{file} cannot be read: permission denied; correct its permissions, or remove it"),
            ),
            (
                home().file(CONFIG, &large),
                format!("{file} cannot be read: file too large; correct its permissions, or remove it"),
            ),
        ] {
            assert_eq!(Config::read(&system).unwrap_err().to_string(), message);
        }
        assert!(Config::read(&home().file(CONFIG, "").mode(CONFIG, 0o664)).is_ok());
    }

    #[test]
    fn sessions_and_services_are_found_by_name() {
        let text = "[sso-session corp]\nsso_start_url = https://ada.example/start\n[profile a]\nservices = local\n[services local]\ncodeartifact =\n  endpoint_url = https://b.example\n[profile b]\nservices = other\n";
        let config = Config::read(&home().file(CONFIG, text)).unwrap();
        let session = SsoSession { start_url: "https://ada.example/start".to_owned(), region: String::new() };
        assert_eq!((config.sso_session("corp"), config.sso_session("other")), (Some(session), None));
        let endpoint = |name| config.profile(name).unwrap().service_endpoint("codeartifact");
        assert_eq!((endpoint("a"), endpoint("b")), (Some("https://b.example"), None));
    }

    #[test]
    fn debug_shows_names_only() {
        let text = "[profile corp]\naws_secret_access_key = x-secret\nx-secret = a\n[sso-session a]\nb = x-secret\n";
        let shown = format!("{:?}", Config::read(&home().file(CONFIG, text)).unwrap());
        assert!(shown.contains("corp") && !shown.contains("x-secret"), "{shown}");
    }
}
