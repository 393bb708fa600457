//! Whether twine would ask.

use std::path::PathBuf;

use super::{Finding, Machine, State, organisation};
use crate::{
    cli::shown_path,
    error::Result,
    ini::Ini,
    service::Service,
    system::{System, places},
    tools::CAP,
};

impl Machine<'_> {
    /// Whether twine would ask, or has a password of its own.
    pub(super) fn twine(&self) -> Result<Finding> {
        let variable = "TWINE_PASSWORD";
        if self.system.find_program("twine").is_some() {
            if self.system.setting(variable).is_some() {
                let what = format!("{variable} is set: no keyring is asked");
                return Ok(Finding::new(State::Bad, "twine", what).with_fix(self.shell.unset(variable)));
            }
            if let Some(path) = self.file_with_password() {
                let what = format!("{} has a password for it: no keyring is asked", shown_path(&path));
                return Ok(Finding::new(State::Bad, "twine", what).with_fix("remove the line `password`"));
            }
        }
        self.beside("twine")
    }

    /// The file with the repositories of twine, if one of them has a password for an examined organisation.
    fn file_with_password(&self) -> Option<PathBuf> {
        let (path, ini) = pypirc(self.system)?;
        let has_password = |section: &str| {
            let Some(repository) = ini.value(section, "repository").map(Service::parse) else { return false };
            let is_in_question = self.served.iter().any(|(_, service, candidate)| {
                candidate.source.claims(self.system, &repository)
                    && repository.host() == service.host()
                    && organisation(candidate, &repository) == organisation(candidate, service)
            });
            is_in_question && ini.value(section, "password").is_some()
        };
        let listed = ini.value("distutils", "index-servers").unwrap_or_default();
        listed.split_whitespace().any(has_password).then_some(path)
    }
}

/// The file with the repositories of twine, and its content.
pub(super) fn pypirc(system: &dyn System) -> Option<(PathBuf, Ini)> {
    let path = places::home(system)?.join(".pypirc");
    let content = system.read_file(&path, CAP).ok()?;
    Some((path, Ini::parse(&String::from_utf8_lossy(&content))))
}
