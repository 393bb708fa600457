//! Whether the tools that import keyring would ask: they do if ringbearer is in their environment.

use std::{ffi::OsStr, path::PathBuf};

use super::{Finding, Machine, State};
use crate::{
    cli::{
        shown_path,
        tools::{CAP, is_true, toml_file},
    },
    error::Result,
    ini::Ini,
    service::Service,
    system::places,
};

impl Machine<'_> {
    pub(super) fn twine(&self) -> Result<Finding> {
        let variable = "TWINE_PASSWORD";
        if self.system.find_program("twine").is_some() {
            if self.system.setting(variable).is_some() {
                let what = format!("{variable} is set: no keyring is asked");
                return Ok(Finding::new(State::Bad, "twine", what).with_fix(self.shell.unset(variable)));
            }
            if let Some(path) = self.pypirc() {
                let what = format!("{} has a password for it: no keyring is asked", shown_path(&path));
                return Ok(Finding::new(State::Bad, "twine", what).with_fix("remove the line `password`"));
            }
        }
        self.beside("twine")
    }

    /// The file with the repositories of twine, if one of them has a password for an examined organisation.
    fn pypirc(&self) -> Option<PathBuf> {
        let path = places::home(self.system)?.join(".pypirc");
        let content = self.system.read_file(&path, CAP).ok()?;
        let ini = Ini::parse(&String::from_utf8_lossy(&content));
        let has_password = |section: &str| {
            let Some(repository) = ini.value(section, "repository").map(Service::parse) else { return false };
            let is_in_question = self.served.iter().any(|(_, service, candidate)| {
                let place = |service: &Service| candidate.source.place(service).to_ascii_lowercase();
                candidate.source.claims(self.system, &repository)
                    && repository.host() == service.host()
                    && place(&repository) == place(service)
            });
            is_in_question && ini.value(section, "password").is_some()
        };
        let listed = ini.value("distutils", "index-servers").unwrap_or_default();
        listed.split_whitespace().any(has_password).then_some(path)
    }

    pub(super) fn poetry(&self) -> Result<Finding> {
        let off = |source: &str, fix: String| {
            Finding::new(State::Bad, "Poetry", format!("asks no keyring: disabled by {source}")).with_fix(fix)
        };
        if self.system.find_program("poetry").is_some() {
            let variable = "POETRY_KEYRING_ENABLED";
            let file = self.poetry_folder().map(|folder| folder.join("config.toml"));
            let in_file = |path: &PathBuf| {
                let document = toml_file::read(self.system, path);
                document.and_then(|document| document.get("keyring")?.get("enabled")?.as_bool()) == Some(false)
            };
            match (self.system.setting(variable), file) {
                (Some(value), _) if !is_true(&value) => return Ok(off(variable, self.shell.unset(variable))),
                (None, Some(path)) if in_file(&path) => {
                    let fix = "poetry config keyring.enabled true".to_owned();
                    return Ok(off(&shown_path(&path), fix));
                }
                _ => {}
            }
        }
        self.beside("poetry")
    }

    /// <https://python-poetry.org/docs/configuration/#config-directory>
    fn poetry_folder(&self) -> Option<PathBuf> {
        let named = self.system.setting("POETRY_CONFIG_DIR").map(PathBuf::from);
        named.or_else(|| Some(places::native_config(self.system)?.join("pypoetry")))
    }

    /// Whether ringbearer is in the environment of a tool.
    pub(super) fn beside(&self, tool: &str) -> Result<Finding> {
        let name = if tool == "poetry" { "Poetry" } else { tool };
        Ok(match self.installed(&[tool])? {
            None => Finding::new(State::Off, name, "is not on PATH"),
            Some((program, None)) => {
                let what = format!("{} names no Python interpreter", shown_path(&program));
                Finding::new(State::Doubtful, name, what)
            }
            Some((_, Some(beside))) if beside.ringbearer => {
                let what = format!("has ringbearer in its environment ({})", shown_path(&beside.python));
                self.if_imported(Finding::new(State::Good, name, what), &beside)?
            }
            Some((_, Some(beside))) => {
                let folders: Vec<_> = beside.python.iter().map(OsStr::to_string_lossy).collect();
                let fix = if folders.iter().any(|folder| folder.contains("pipx")) {
                    format!("pipx inject {tool} ringbearer")
                } else if folders.windows(2).any(|pair| pair == ["uv", "tools"]) {
                    format!("uv tool install {tool} --with ringbearer")
                } else {
                    beside.install_command(self.shell)
                };
                Finding::new(State::Bad, name, "has no ringbearer in its environment").with_fix(fix)
            }
        })
    }
}
