//! Which backend keyring was told to use: by an option, a variable, or its configuration file.

use std::path::PathBuf;

use log::debug;

use super::arguments::Line;

use crate::{
    ini::Ini,
    registry::ALL,
    system::{System, io_message, places},
};

/// The variable that chooses a backend for every program.
pub(in crate::cli) const VARIABLE: &str = "PYTHON_KEYRING_BACKEND";

/// The module of the classes that this program does the work of.
pub(in crate::cli) const MODULE: &str = "ringbearer.backends.";

/// The class of the store.
pub(in crate::cli) const STORE_CLASS: &str = "SSHAgentKeyring";

/// The class that has nothing and stores nothing.
pub(in crate::cli) const NO_STORE_CLASS: &str = "NoStoreKeyring";

/// keyring's own way of asking all of them, which is what happens without a choice.
const CHAINER: &str = "keyring.backends.chainer.ChainerBackend";

/// The largest configuration file that is read.
const CAP: usize = 256 * 1024;

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Choice {
    /// Nothing: whoever knows the service.
    None,
    /// An index backend, by its class.
    Index(&'static str),
    /// The store.
    Store,
    /// The backend that has nothing.
    NoStore,
    /// A backend of somebody else's, which only Python can load; and who chose it.
    Foreign { class: String, source: String },
}

impl Choice {
    /// Reads the choice, the most telling place first, as keyring does.
    pub(in crate::cli) fn read(system: &dyn System, line: &Line) -> Self {
        match &line.backend {
            Some(class) => Self::of(&class.to_string_lossy(), "the command line"),
            None => Self::without_option(system),
        }
    }

    /// The choice for a command line that makes none. A file that cannot be read makes none either, as keyring has it.
    pub(in crate::cli) fn without_option(system: &dyn System) -> Self {
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
        let class = ini.value("backend", "default-keyring").map(str::trim).filter(|class| !class.is_empty());
        class.map_or(Self::None, |class| Self::of(class, &path.display().to_string()))
    }

    fn of(class: &str, source: &str) -> Self {
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

/// keyring's configuration file.
pub(in crate::cli) fn configuration_file(system: &dyn System) -> Option<PathBuf> {
    Some(places::keyring_config(system)?.join("keyringrc.cfg"))
}
