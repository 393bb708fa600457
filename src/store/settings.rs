//! The path of the store and its configured key, from the configuration file and environment variables of
//! ssh-agent-keyring.

use std::{
    io,
    path::{Path, PathBuf, is_separator},
    time::Duration,
};

use log::{debug, warn};
use serde::Deserialize;

use super::public_key::{PublicKey, Unusable};
use crate::{
    error::{Error, Kind, Result},
    system::{Platform, System, agent::SOCKET_VARIABLE, io_message, places},
    variable::Variable,
};

/// The largest configuration or public key file that is read, in bytes.
const LARGEST_FILE: usize = 64 * 1024;

pub(super) const PUBLIC_KEY_VARIABLE: &str = "SSH_AGENT_KEYRING_PUBLIC_KEY";
pub(super) const PUBLIC_KEY_PATH_VARIABLE: &str = "SSH_AGENT_KEYRING_PUBLIC_KEY_PATH";
const STORE_PATH_VARIABLE: &str = "SSH_AGENT_KEYRING_STORE_PATH";
const CACHE_VARIABLE: &str = "RINGBEARER_STORE_CACHE_SECONDS";

/// The variables of the store.
pub(crate) static VARIABLES: &[Variable] = &[
    Variable::setting(CACHE_VARIABLE, "how long the unlocked key stays in memory, in seconds (0)"),
    Variable::setting(PUBLIC_KEY_PATH_VARIABLE, "public key file of the store's key"),
    Variable::setting(PUBLIC_KEY_VARIABLE, "public key of the store"),
    Variable::setting(STORE_PATH_VARIABLE, "file of the store"),
    Variable::setting(SOCKET_VARIABLE, "socket of the ssh-agent"),
];

/// The longest lifetime of cached keys, in seconds.
const LONGEST_CACHE: u64 = 86_400;

/// The configured key and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfiguredKey {
    pub(super) key: PublicKey,
    /// The file or variable that names it.
    pub(super) source: String,
}

/// The settings of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) store: PathBuf,
    pub(super) key: Option<ConfiguredKey>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    public_key: Option<String>,
    public_key_path: Option<String>,
    store_path: Option<String>,
}

impl Settings {
    /// Reads the settings. The environment overrides the file.
    pub(super) fn read(system: &dyn System) -> Result<Self> {
        let path = config_path(system)?;
        let file = read_file(system, &path)?;
        let source = format!("{}", path.display());
        let key = match system.setting(PUBLIC_KEY_VARIABLE) {
            Some(line) => Some((line, PUBLIC_KEY_VARIABLE.to_owned())),
            None => match system.setting(PUBLIC_KEY_PATH_VARIABLE) {
                Some(path) => {
                    Some((key_file(system, &path, PUBLIC_KEY_PATH_VARIABLE)?, PUBLIC_KEY_PATH_VARIABLE.to_owned()))
                }
                None => match (filled(file.public_key), filled(file.public_key_path)) {
                    (Some(line), _) => Some((line, source.clone())),
                    (None, Some(path)) => Some((key_file(system, &path, &source)?, source.clone())),
                    (None, None) => None,
                },
            },
        };
        let key = key
            .map(|(line, source)| match PublicKey::parse(&line) {
                Ok(key) => Ok(ConfiguredKey { key, source }),
                Err(unusable) => Err(Error::new(Kind::Configuration, format!("{unusable} (from {source})"))),
            })
            .transpose()?;
        let store = match (system.setting(STORE_PATH_VARIABLE), filled(file.store_path)) {
            (Some(path), _) => expand(system, &path, STORE_PATH_VARIABLE)?,
            (None, Some(path)) => expand(system, &path, &source)?,
            (None, None) => default_store(system)?,
        };
        debug!(
            "the store is {}, and {}",
            store.display(),
            key.as_ref()
                .map_or_else(|| "no key is configured".to_owned(), |key| format!("{} names its key", key.source))
        );
        Ok(Self { store, key })
    }
}

/// Whether the store is set up: a variable, the configuration file or the store itself exists. Only then does it count
/// as a backend.
pub(crate) fn is_in_use(system: &dyn System) -> bool {
    let variables = [PUBLIC_KEY_VARIABLE, PUBLIC_KEY_PATH_VARIABLE, STORE_PATH_VARIABLE];
    variables.iter().any(|name| system.setting(name).is_some())
        || config_path(system).is_ok_and(|path| system.details(&path).is_ok())
        || default_store(system).is_ok_and(|path| system.details(&path).is_ok())
}

/// How long the keys of an unlocked store may be cached.
pub(super) fn cache_lifetime(system: &dyn System) -> Duration {
    let Some(value) = system.setting(CACHE_VARIABLE) else { return Duration::ZERO };
    let seconds = value.parse().ok().filter(|seconds| *seconds <= LONGEST_CACHE);
    if seconds.is_none() {
        warn!("{CACHE_VARIABLE} is not a number of seconds up to {LONGEST_CACHE}: keys are not cached");
    }
    Duration::from_secs(seconds.unwrap_or_default())
}

/// The configuration file.
pub(super) fn config_path(system: &dyn System) -> Result<PathBuf> {
    known(system, places::default_config(system)).map(|folder| folder.join("ssh-agent-keyring").join("config.json"))
}

/// The default path of the store.
fn default_store(system: &dyn System) -> Result<PathBuf> {
    known(system, places::default_data(system)).map(|folder| folder.join("ssh-agent-keyring").join("store.json"))
}

fn known(system: &dyn System, place: Option<PathBuf>) -> Result<PathBuf> {
    place.ok_or_else(|| {
        let variable = if system.platform() == Platform::Windows { "USERPROFILE" } else { "HOME" };
        Error::new(Kind::Configuration, "the home directory is not known")
            .with_hint(format!("set {variable} to its absolute path"))
    })
}

fn read_file(system: &dyn System, path: &Path) -> Result<File> {
    let content = match system.read_file(path, LARGEST_FILE) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(unreadable(path, &error)),
    };
    // ssh-agent-keyring accepts both.
    if matches!(content.trim_ascii(), b"" | b"null") {
        return Ok(File::default());
    }
    // Serde accepts an array of the values too.
    let is_object = content.trim_ascii_start().starts_with(b"{");
    serde_json::from_slice(&content).ok().filter(|_| is_object).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{} is not a JSON object of strings", path.display()))
            .with_hint("it may contain public_key, public_key_path and store_path")
    })
}

/// Reads a public key file.
fn key_file(system: &dyn System, path: &str, source: &str) -> Result<String> {
    let path = expand(system, path, source)?;
    let content = system.read_file(&path, LARGEST_FILE).map_err(|error| unreadable(&path, &error))?;
    String::from_utf8(content)
        .map_err(|_| Error::new(Kind::Configuration, format!("{} is not a public key: it is not text", path.display())))
}

/// Reads the public key from a path on the command line, which may name the private key beside it.
pub(super) fn typed_key(system: &dyn System, name: &str) -> Result<PublicKey> {
    let path = under_home(system, name)?.unwrap_or_else(|| PathBuf::from(name));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let read = |path: &Path| system.read_file(path, LARGEST_FILE);
    let content = read(Path::new(&beside)).or_else(|_| read(&path)).map_err(|error| {
        Error::new(
            Kind::Configuration,
            format!(
                "ssh-agent has no key with this fingerprint or comment, and the file {} cannot be read: {}",
                path.display(),
                io_message(&error)
            ),
        )
        .with_hint("`ssh-add -l` lists fingerprints and comments")
    })?;
    let key = String::from_utf8(content).map_err(|_| Unusable::NotAKey).and_then(|line| PublicKey::parse(&line));
    key.map_err(|unusable| {
        let refused = Error::new(Kind::Configuration, format!("{name}: {unusable}"));
        if unusable == Unusable::NotAKey { refused.with_hint("name the file of a public key") } else { refused }
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Configuration, format!("{} cannot be read: {}", path.display(), io_message(error)))
        .with_source(error)
}

/// Expands `~`. A relative path is an error: it would depend on the working directory, which is not trusted.
fn expand(system: &dyn System, path: &str, source: &str) -> Result<PathBuf> {
    let path = under_home(system, path)?.unwrap_or_else(|| PathBuf::from(path));
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Error::new(Kind::Configuration, format!("{source} names a relative path"))
        .with_hint("use an absolute path, or one that begins with `~/`"))
}

/// Expands `~` at the beginning of a path; `None` if there is none. The result has the platform's separators.
fn under_home(system: &dyn System, path: &str) -> Result<Option<PathBuf>> {
    let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(is_separator));
    let under = |rest: &str| Ok(known(system, places::home(system))?.join(rest.trim_start_matches(is_separator)));
    rest.map(|rest| under(rest).map(|path| path.components().collect())).transpose()
}

fn filled(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    #[test]
    fn a_path_under_the_home_directory_has_one_kind_of_separator() {
        let system = FakeSystem::default().home("/home/me");
        let expanded = |path: &str| expand(&system, path, "test").map(|path| path.display().to_string());
        assert_eq!(expanded("~/.secrets/store.json").unwrap(), absolute("/home/me/.secrets/store.json"));
        assert_eq!(expanded("~").unwrap(), absolute("/home/me"));
        assert!(expanded("~other/store.json").is_err() && expanded("store.json").is_err());
        assert_eq!(expanded(r"~\store.json").ok(), cfg!(windows).then(|| absolute("/home/me/store.json")));
    }

    #[test]
    fn an_unknown_home_directory_names_the_variable_to_set() {
        for (platform, variable) in
            [(Platform::Windows, "USERPROFILE"), (Platform::MacOs, "HOME"), (Platform::Linux, "HOME")]
        {
            let error = expand(&FakeSystem::default().on(platform), "~/x", "test").unwrap_err();
            assert!(error.hint().is_some_and(|hint| hint.starts_with(&format!("set {variable} "))), "{error}");
        }
    }
}
