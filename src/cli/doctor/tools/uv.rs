//! Whether uv would ask.

use super::{Finding, INSTALL, Machine, State, on_path::Knowledge};
use crate::{
    cli::shown_path,
    error::Result,
    keyring::Candidate,
    service::Service,
    tools::{
        Index, configured, netrc,
        uv::{self, Uv},
        uv_credentials, with_username,
    },
};

impl Machine<'_> {
    /// Whether uv would ask, and the variables that it ignores.
    pub(super) fn uv(&self, uv: &Uv) -> Result<Vec<Finding>> {
        if self.system.find_program("uv").is_none() {
            return Ok(vec![Finding::new(State::Off, "uv", "is not on PATH")]);
        }
        Ok(self.uv_indexes(uv)?.into_iter().chain(self.uv_tokens(uv)).collect())
    }

    /// Whether uv asks for each index.
    fn uv_indexes(&self, uv: &Uv) -> Result<Vec<Finding>> {
        if uv.provider.as_ref().is_none_or(|(provider, _)| provider != "subprocess") {
            let set = self.shell.set(uv::PROVIDER_VARIABLE, "subprocess");
            let (says, fix) = match &uv.provider {
                None => ("does not ask a keyring".to_owned(), set),
                Some((value, source)) if value == "disabled" => {
                    (format!("does not ask a keyring: disabled by {source}"), set)
                }
                // The value is not quoted: a secret may be in the wrong place. A variable does not help against a file.
                Some((_, source)) => {
                    let line = format!("keyring-provider = \"subprocess\" in {source}");
                    let fix = if source == uv::PROVIDER_VARIABLE { set } else { line };
                    (format!("ends with an error: {source} has an unknown keyring provider"), fix)
                }
            };
            return Ok(vec![Finding::new(State::Bad, "uv", says).with_fix(fix)]);
        }
        if let Some(finding) = self.without_keyring("uv")? {
            return Ok(vec![finding]);
        }
        if self.served.is_empty() {
            let what = "asks the keyring on PATH for indexes with a user name";
            return Ok(vec![self.if_run(Finding::new(State::Good, "uv", what), None)?]);
        }
        let found = self.served.iter().map(|(index, service, candidate)| {
            let finding = self.uv_for(uv, index, service, candidate);
            if finding.state == State::Good { self.if_run(finding, None) } else { Ok(finding) }
        });
        found.collect()
    }

    /// Why a tool gets no answer from the `keyring` on PATH; `None` if it does.
    pub(super) fn without_keyring(&self, tool: &str) -> Result<Option<Finding>> {
        Ok(match self.keyrings.first(None)? {
            Some((_, Knowledge::Ringbearer)) => None,
            Some((_, Knowledge::Unknown)) => {
                Some(Finding::new(State::Doubtful, tool, "asks the keyring on PATH, which timed out"))
            }
            Some((_, Knowledge::Others)) | None => {
                let what = "asks the keyring on PATH, which does not have ringbearer";
                Some(Finding::new(State::Bad, tool, what).with_fix(INSTALL))
            }
        })
    }

    /// Variables that look like settings of uv but are not: Dependabot sets `UV_INDEX_URL_TOKEN_`, for instance.
    fn uv_tokens<'all>(&'all self, uv: &'all Uv) -> impl Iterator<Item = Finding> + 'all {
        let names = self.system.variables_with_prefix("UV_INDEX_").into_iter();
        let names = names.filter(|name| name.ends_with("_TOKEN") || name.starts_with("UV_INDEX_URL_TOKEN_"));
        names.map(|variable| {
            let fix = self.served.iter().find_map(|(index, _, candidate)| {
                let name = &configured(&uv.indexes, index).name?;
                let username = || self.shell.set(&uv::variable(name, "USERNAME"), candidate.registry.username);
                (uv::variable(name, "TOKEN") == variable).then(username)
            });
            let fix = fix.unwrap_or_else(|| "uv reads UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD".to_owned());
            Finding::new(State::Doubtful, "uv", format!("{variable} means nothing to uv")).with_fix(fix)
        })
    }

    /// Whether uv asks for one index. It does if the URL has a user name; with `authenticate = "always"` it asks for the index,
    /// but not for files under another path.
    fn uv_for(&self, uv: &Uv, named: &Index, service: &Service, candidate: &Candidate) -> Finding {
        let index = configured(&uv.indexes, named);
        let (label, place) = (index.label(), index.place());
        let bad = |what: String, fix: String| Finding::new(State::Bad, "uv", what).with_fix(fix);
        let given = |what: &str| {
            let variable = uv::variable(index.name.as_deref()?, what);
            self.system.setting(&variable).map(|value| (variable, value))
        };
        let username = given("USERNAME").map(|(_, name)| name).or_else(|| index.username());
        if index.has_password() {
            let what = format!("{label} has a password in its URL{place}: no keyring is asked");
            return bad(what, format!("remove the password from the URL{place}"));
        }
        // A password variable counts together with a user name variable, or if there is no user name.
        if let Some((variable, _)) = given("PASSWORD").filter(|_| given("USERNAME").is_some() || username.is_none()) {
            return bad(format!("{variable} is set: no keyring is asked for {label}"), self.shell.unset(&variable));
        }
        if index.authenticate.as_deref() == Some("never") {
            let what = format!("{label} has `authenticate = \"never\"`{place}: no keyring is asked");
            return bad(what, "remove that line".to_owned());
        }
        let entry = service.host().and_then(|host| netrc::entry(self.system, host));
        if let Some(entry) = entry.filter(|entry| username.is_none() || entry.login == username) {
            let what = format!("uses the password in {} for {label}, and asks no keyring", shown_path(&entry.path));
            let host = service.host().unwrap_or_default();
            return bad(what, format!("remove the entry `machine {host}` (or `default`)"));
        }
        if let Some(entry) = uv_credentials::entry(self.system, service, username.as_deref()) {
            let path = shown_path(&entry.path);
            let what = format!("uses the password of `uv auth login` in {path} for {label}, and asks no keyring");
            let logout = |name| ["auth", "logout", entry.service.as_str(), "--username", name];
            let fix = match &entry.username {
                Some(name) => self.shell.command("uv", &logout(name)),
                None => format!("remove the entry of {} from {path}", entry.service),
            };
            return bad(what, fix);
        }
        let is_always = index.authenticate.as_deref() == Some("always");
        let shares = if username.is_some() || is_always {
            self.shared_host("uv", &uv.indexes, &index, service, candidate)
        } else {
            None
        };
        if let Some(finding) = shares {
            return finding;
        }
        if username.is_some() {
            return Finding::new(State::Good, "uv", format!("asks the keyring on PATH for {label}"));
        }
        let url = service.url().map(|url| with_username(url, candidate.registry.username));
        let line = url.map_or_else(String::new, |url| index.with_url(url.as_str()));
        let fix = match &index.name {
            Some(name) => {
                format!("{line}, or {}", self.shell.set(&uv::variable(name, "USERNAME"), candidate.registry.username))
            }
            None => line,
        };
        if is_always {
            let what = format!("asks for {label}, but not for locked files under another path");
            return Finding::new(State::Doubtful, "uv", what).with_fix(fix);
        }
        bad(format!("does not ask for {label}: its URL{place} has no user name"), fix)
    }
}
