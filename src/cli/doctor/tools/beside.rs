//! Whether the tools that import keyring would ask: they do if ringbearer is in their environment.

use std::path::PathBuf;

use super::{Finding, Machine, State};
use crate::{
    cli::tools::{CAP, is_true, toml_file},
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
                return Ok(Finding::new(State::Bad, "twine", what).with_fix(format!("unset {variable}")));
            }
            if let Some(path) = self.pypirc() {
                let what = format!("{} has a password for it: no keyring is asked", path.display());
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
                let realm = |service: &Service| Some(candidate.source.cache_key(self.system, service)?.realm);
                candidate.source.claims(&repository)
                    && repository.host() == service.host()
                    && realm(&repository) == realm(service)
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
            let file = places::user_config(self.system).map(|folder| folder.join("pypoetry").join("config.toml"));
            let in_file = |path: &PathBuf| {
                let document = toml_file::read(self.system, path);
                document.and_then(|document| document.get("keyring")?.get("enabled")?.as_bool()) == Some(false)
            };
            match (self.system.setting(variable), file) {
                (Some(value), _) if !is_true(&value) => return Ok(off(variable, format!("unset {variable}"))),
                (None, Some(path)) if in_file(&path) => {
                    let fix = "poetry config keyring.enabled true".to_owned();
                    return Ok(off(&path.display().to_string(), fix));
                }
                _ => {}
            }
        }
        self.beside("poetry")
    }

    /// Whether ringbearer is in the environment of a tool.
    pub(super) fn beside(&self, tool: &str) -> Result<Finding> {
        let name = if tool == "poetry" { "Poetry" } else { tool };
        Ok(match self.installed(&[tool])? {
            None => Finding::new(State::Off, name, "is not on PATH"),
            Some((program, None)) => {
                let what = format!("{} names no Python interpreter", program.display());
                Finding::new(State::Doubtful, name, what)
            }
            Some((_, Some(beside))) if beside.ringbearer => Finding::new(
                State::Good,
                name,
                format!("has ringbearer in its environment ({})", beside.python.display()),
            ),
            Some((_, Some(beside))) => {
                let python = beside.python.display().to_string();
                let fix = if python.contains("pipx") {
                    format!("pipx inject {tool} ringbearer")
                } else if python.contains("/uv/tools/") {
                    format!("uv tool install {tool} --with ringbearer")
                } else {
                    beside.install_command()
                };
                Finding::new(State::Bad, name, "has no ringbearer in its environment").with_fix(fix)
            }
        })
    }
}
