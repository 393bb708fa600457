//! Whether uv would ask.

use super::{Finding, INSTALL, Machine, State, on_path::Knowledge};
use crate::{
    cli::{
        shown_path,
        tools::{
            Index, configured, netrc,
            uv::{self, Uv},
            with_username,
        },
    },
    error::Result,
    keyring::Candidate,
    service::Service,
};

impl Machine<'_> {
    pub(super) fn uv(&self, uv: &Uv) -> Result<Vec<Finding>> {
        if self.system.find_program("uv").is_none() {
            return Ok(vec![Finding::new(State::Off, "uv", "is not on PATH")]);
        }
        if uv.provider.as_ref().is_none_or(|(provider, _)| provider != "subprocess") {
            let says = uv.provider.as_ref().map_or_else(
                || "does not ask a keyring".to_owned(),
                |(_, source)| format!("does not ask a keyring: disabled by {source}"),
            );
            let fix = self.shell.set(uv::PROVIDER_VARIABLE, "subprocess");
            return Ok(vec![Finding::new(State::Bad, "uv", says).with_fix(fix)]);
        }
        match self.keyrings.first(None)? {
            Some((_, Knowledge::Ringbearer)) => {}
            Some((_, Knowledge::Unknown)) => {
                let what = "asks the keyring on PATH, which timed out";
                return Ok(vec![Finding::new(State::Doubtful, "uv", what)]);
            }
            Some((_, Knowledge::Others)) | None => {
                let what = "asks the keyring on PATH, which does not have ringbearer";
                return Ok(vec![Finding::new(State::Bad, "uv", what).with_fix(INSTALL)]);
            }
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

    /// Whether uv asks for one index. It does if the URL has a user name; with `authenticate = "always"` it asks for the index,
    /// but not for files under another path.
    fn uv_for(&self, uv: &Uv, named: &Index, service: &Service, candidate: &Candidate) -> Finding {
        let index = configured(&uv.indexes, named);
        let label = index.name.as_deref().map_or_else(|| "the index".to_owned(), |name| format!("index {name}"));
        let bad = |what: String, fix: String| Finding::new(State::Bad, "uv", what).with_fix(fix);
        let given = |what: &str| {
            let variable = uv::variable(index.name.as_deref()?, what);
            self.system.setting(&variable).map(|value| (variable, value))
        };
        let username = given("USERNAME").map(|(_, name)| name).or_else(|| index.username());
        if index.has_password() {
            let what = format!("{label} has a password in its URL: no keyring is asked");
            return bad(what, "remove the password from the URL".to_owned());
        }
        // A password variable counts together with a user name variable, or if there is no user name.
        if let Some((variable, _)) = given("PASSWORD").filter(|_| given("USERNAME").is_some() || username.is_none()) {
            return bad(format!("{variable} is set: no keyring is asked for {label}"), self.shell.unset(&variable));
        }
        if index.authenticate.as_deref() == Some("never") {
            let what = format!("{label} has `authenticate = \"never\"`: no keyring is asked");
            return bad(what, "remove that line".to_owned());
        }
        let entry = service.host().and_then(|host| netrc::entry(self.system, host));
        if let Some(entry) = entry.filter(|entry| username.is_none() || entry.login == username) {
            let what = format!("uses the password in {} for {label}, and asks no keyring", shown_path(&entry.path));
            let host = service.host().unwrap_or_default();
            return bad(what, format!("remove the entry `machine {host}` (or `default`)"));
        }
        if username.is_some() {
            return Finding::new(State::Good, "uv", format!("asks the keyring on PATH for {label}"));
        }
        let url = service.url().map(|url| with_username(url, candidate.registry.username));
        let line = url.map_or_else(String::new, |url| format!("url = \"{url}\""));
        let fix = match &index.name {
            Some(name) => {
                format!("{line}, or {}", self.shell.set(&uv::variable(name, "USERNAME"), candidate.registry.username))
            }
            None => line,
        };
        if index.authenticate.as_deref() == Some("always") {
            let what = format!("asks for {label}, but not for locked files under another path");
            return Finding::new(State::Doubtful, "uv", what).with_fix(fix);
        }
        bad(format!("does not ask for {label}: its URL has no user name"), fix)
    }
}
