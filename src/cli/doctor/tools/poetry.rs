//! Whether Poetry would ask.

use super::{Finding, Machine, State, organisation};
use crate::{
    cli::shown_path,
    error::Result,
    keyring::Candidate,
    service::Service,
    tools::{
        Index, is_same, is_true,
        poetry::{PasswordLocation, Poetry},
    },
};

/// Switches Poetry's use of keyring on and off.
const ENABLED_VARIABLE: &str = "POETRY_KEYRING_ENABLED";

impl Machine<'_> {
    /// Whether Poetry would ask, or has passwords of its own.
    pub(super) fn poetry(&self) -> Result<Vec<Finding>> {
        if self.system.find_program("poetry").is_some() {
            let poetry = Poetry::read(self.system);
            if let Some(finding) = self.poetry_is_disabled(&poetry) {
                return Ok(vec![finding]);
            }
            let served = self.served.iter();
            let own: Vec<_> =
                served.flat_map(|(_, service, candidate)| self.own_passwords(&poetry, service, candidate)).collect();
            if !own.is_empty() {
                return Ok(own);
            }
        }
        Ok(vec![self.beside("poetry")?])
    }

    fn poetry_is_disabled(&self, poetry: &Poetry) -> Option<Finding> {
        let off = |source: &str, fix: String| {
            Finding::new(State::Bad, "Poetry", format!("asks no keyring: disabled by {source}")).with_fix(fix)
        };
        if let Some(value) = self.system.setting(ENABLED_VARIABLE) {
            return (!is_true(&value)).then(|| off(ENABLED_VARIABLE, self.shell.unset(ENABLED_VARIABLE)));
        }
        let (_, path) = poetry.keyring_enabled().filter(|(is_enabled, _)| !is_enabled)?;
        let is_local = path.file_name().is_some_and(|name| name == "poetry.toml");
        let scope: &[&str] = if is_local { &["--local"] } else { &[] };
        let words = [&["config"], scope, &["keyring.enabled", "true"]].concat();
        Some(off(&shown_path(path), self.shell.command("poetry", &words)))
    }

    /// The passwords that Poetry uses for an index instead of asking a keyring.
    fn own_passwords(&self, poetry: &Poetry, service: &Service, candidate: &Candidate) -> Vec<Finding> {
        let bad = |what: String, fix: String| Finding::new(State::Bad, "Poetry", what).with_fix(fix);
        let has_user = |source: &&Index| source.username().is_some() || source.has_password();
        let is_index = |source: &&Index| is_same(&source.service(), service);
        if let Some(source) = poetry.sources.iter().filter(is_index).find(has_user) {
            let part = if source.has_password() { "password" } else { "user name" };
            let (name, place) = (source.name.as_deref().unwrap_or_default(), source.place());
            let what = format!("source {name} has a {part} in its URL{place}: no keyring is asked");
            let url = source.service().url().map_or_else(String::new, ToString::to_string);
            return vec![bad(what, source.with_url(&url))];
        }
        let shares = |other: &Service| {
            candidate.source.claims(self.system, other)
                && organisation(candidate, other) == organisation(candidate, service)
        };
        let names = poetry.sources_for(service, shares).into_iter().filter_map(|source| source.name.as_deref());
        let found = names.filter_map(|name| Some((name, poetry.password(self.system, name)?)));
        found
            .map(|(name, place)| match place {
                PasswordLocation::Variable(variable) => {
                    let what = format!("{variable} has a password for source {name}: no keyring is asked");
                    bad(what, self.shell.unset(&variable))
                }
                PasswordLocation::File(path) => {
                    let what = format!("{} has a password for source {name}: no keyring is asked", shown_path(&path));
                    bad(what, format!("remove the line `password` below [http-basic.{name}] in {}", shown_path(&path)))
                }
            })
            .collect()
    }
}
