//! Environment variables.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::FakeSystem;
use crate::system::Env;

pub(super) type Environment = BTreeMap<String, String>;

impl FakeSystem {
    /// Sets an environment variable. A value with U+FFFD stands for one that is not UTF-8.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Env for FakeSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.contains(char::REPLACEMENT_CHARACTER)).cloned()
    }

    fn raw_variable(&self, name: &str) -> Option<OsString> {
        self.environment.get(name).map(OsString::from)
    }

    fn working_directory(&self) -> Option<PathBuf> {
        None
    }
}
