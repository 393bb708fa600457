//! Environment variables.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::{FakeSystem, absolute};
use crate::system::{Env, Platform};

pub(super) type Environment = BTreeMap<String, String>;

impl FakeSystem {
    /// Chooses the platform whose conventions apply. Paths keep the syntax of the platform that runs the test.
    pub(crate) fn on(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// Sets an environment variable. A value with U+FFFD stands for one that is not UTF-8.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the working directory.
    pub(crate) fn in_directory(mut self, path: &str) -> Self {
        self.working_directory = Some(absolute(path).into());
        self
    }
}

impl Env for FakeSystem {
    fn platform(&self) -> Platform {
        self.platform
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.contains(char::REPLACEMENT_CHARACTER)).cloned()
    }

    fn raw_variable(&self, name: &str) -> Option<OsString> {
        self.environment.get(name).map(OsString::from)
    }

    fn variables_with_prefix(&self, prefix: &str) -> Vec<String> {
        self.environment.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    fn working_directory(&self) -> Option<PathBuf> {
        self.working_directory.clone()
    }
}
