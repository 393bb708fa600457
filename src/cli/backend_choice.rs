//! The backend that an option, a variable or the configuration file of keyring selects.

use std::path::PathBuf;

use log::debug;

use super::{keyring_arguments::KeyringArguments, shown_path};
use crate::{
    ini::{DEFAULT_SECTION, Ini},
    registry::ALL,
    system::{System, io_message, places},
};

/// Selects a backend for every program.
pub(super) const VARIABLE: &str = "PYTHON_KEYRING_BACKEND";

/// The Python module of the backends that this program implements.
pub(super) const MODULE: &str = "ringbearer.backends.";

/// The class of the store.
pub(super) const STORE_CLASS: &str = "SSHAgentKeyring";

/// The class of the empty store.
pub(super) const NO_STORE_CLASS: &str = "NoStoreKeyring";

/// keyring's default, which asks every backend by priority.
pub(super) const CHAINER: &str = "keyring.backends.chainer.ChainerBackend";

/// The largest configuration file that is read.
pub(super) const CAP: usize = 256 * 1024;

/// A selected backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BackendChoice {
    /// None: every backend is asked.
    None,
    /// An index backend, by its class.
    Index(&'static str),
    /// The store.
    Store,
    /// The empty store.
    NoStore,
    /// A backend of another package, which only Python can load, and what selects it.
    Foreign { class: String, source: String },
}

impl BackendChoice {
    /// Reads the selection. As in keyring, an option overrides the variable, and the variable the file.
    pub(super) fn read(system: &dyn System, line: &KeyringArguments) -> Self {
        match &line.backend {
            Some(class) => Self::of(&class.to_string_lossy(), "the command line"),
            None => Self::without_option(system),
        }
    }

    /// The selection for a command line without the option. As in keyring, an unreadable file selects nothing.
    pub(super) fn without_option(system: &dyn System) -> Self {
        if let Some(class) = system.setting(VARIABLE) {
            return Self::of(&class, VARIABLE);
        }
        let Some(path) = configuration_file(system) else { return Self::None };
        let content = match system.read_file(&path, CAP) {
            Ok(content) => content,
            Err(error) => {
                debug!("{} cannot be read: {}", path.display(), io_message(&error));
                return Self::None;
            }
        };
        let ini = Ini::parse(&String::from_utf8_lossy(&content));
        let value = |section: &str| ini.value(section, "default-keyring");
        let class = value("backend").or_else(|| value(DEFAULT_SECTION).filter(|_| ini.has_section("backend")));
        class.map_or(Self::None, |class| Self::of(class, &shown_path(&path)))
    }

    /// The backend of this class; `source` names what selects it.
    pub(super) fn of(class: &str, source: &str) -> Self {
        let class = class.trim();
        if class == CHAINER {
            return Self::None;
        }
        match class.strip_prefix(MODULE) {
            Some(STORE_CLASS) => Self::Store,
            Some(NO_STORE_CLASS) => Self::NoStore,
            ours => ours.and_then(|ours| ALL.iter().find(|registry| registry.python_class == ours)).map_or_else(
                || Self::Foreign { class: class.to_owned(), source: source.to_owned() },
                |registry| Self::Index(registry.python_class),
            ),
        }
    }
}

/// The configuration file of keyring.
pub(super) fn configuration_file(system: &dyn System) -> Option<PathBuf> {
    Some(places::keyring_config(system)?.join("keyringrc.cfg"))
}
