//! Environment variables.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::FakeSystem;
use crate::system::Env;

pub(super) type Environment = BTreeMap<String, String>;

impl FakeSystem {
    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Env for FakeSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn working_directory(&self) -> Option<PathBuf> {
        None
    }
}
