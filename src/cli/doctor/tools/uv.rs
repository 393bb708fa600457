//! How uv would ask.

use super::{Finding, INSTALL, Machine, State, on_path::Knowledge};
use crate::{
    cli::tools::{
        Index, netrc, set_up,
        uv::{self, Uv},
        with_username,
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
                || "is not told to ask a keyring".to_owned(),
                |(_, source)| format!("is told by {source} not to ask a keyring"),
            );
            let fix = format!("export {}=subprocess", uv::PROVIDER_VARIABLE);
            return Ok(vec![Finding::new(State::Bad, "uv", says).with_fix(fix)]);
        }
        match self.keyrings.first(None)? {
            Some((_, Knowledge::Ringbearer)) => {}
            Some((_, Knowledge::Unknown)) => {
                let what = "asks the keyring on PATH, which did not answer in time";
                return Ok(vec![Finding::new(State::Doubtful, "uv", what)]);
            }
            Some((_, Knowledge::Others)) | None => {
                let what = "asks the keyring on PATH, which has no answer";
                return Ok(vec![Finding::new(State::Bad, "uv", what).with_fix(INSTALL)]);
            }
        }
        if self.served.is_empty() {
            let what = "asks the keyring on PATH for indexes with a user name";
            return Ok(vec![Finding::new(State::Good, "uv", what)]);
        }
        Ok(self.served.iter().map(|(index, service, candidate)| self.uv_for(uv, index, service, candidate)).collect())
    }

    /// Whether uv asks for one index. Without a user name it does not; by `authenticate = "always"` it does for the
    /// index, but not for files that lie under another path.
    fn uv_for(&self, uv: &Uv, named: &Index, service: &Service, candidate: &Candidate) -> Finding {
        let index = set_up(&uv.indexes, named);
        let label = index.name.as_deref().map_or_else(|| "the index".to_owned(), |name| format!("index {name}"));
        let bad = |what: String, fix: String| Finding::new(State::Bad, "uv", what).with_fix(fix);
        let given = |what: &str| {
            let variable = uv::variable(index.name.as_deref()?, what);
            self.system.setting(&variable).map(|value| (variable, value))
        };
        let username = given("USERNAME").map(|(_, name)| name).or_else(|| index.username());
        if index.has_password() {
            let what = format!("{label} has a password in its URL: no keyring is asked");
            return bad(what, "leave the password out of the URL".to_owned());
        }
        // A password of a variable counts with the user name of a variable, or where there is none.
        if let Some((variable, _)) = given("PASSWORD").filter(|_| given("USERNAME").is_some() || username.is_none()) {
            return bad(format!("{variable} is set: no keyring is asked for {label}"), format!("unset {variable}"));
        }
        if index.authenticate.as_deref() == Some("never") {
            let what = format!("{label} has `authenticate = \"never\"`: no keyring is asked");
            return bad(what, "take that line out".to_owned());
        }
        let entry = service.host().and_then(|host| netrc::entry(self.system, host));
        if let Some(entry) = entry.filter(|entry| username.is_none() || entry.login == username) {
            let what = format!("takes the password in {} for {label}, and asks no keyring", entry.path.display());
            let host = service.host().unwrap_or_default();
            return bad(what, format!("take the entry `machine {host}` (or `default`) out of it"));
        }
        if username.is_some() {
            return Finding::new(State::Good, "uv", format!("asks the keyring on PATH for {label}"));
        }
        let url = service.url().map(|url| with_username(url, candidate.registry.username));
        let line = url.map_or_else(String::new, |url| format!("url = \"{url}\""));
        let fix = match &index.name {
            Some(name) => {
                format!("{line}, or export {}={}", uv::variable(name, "USERNAME"), candidate.registry.username)
            }
            None => line,
        };
        if index.authenticate.as_deref() == Some("always") {
            let what = format!("asks for {label} itself, but not for files of a lock file under another path");
            return Finding::new(State::Doubtful, "uv", what).with_fix(fix);
        }
        bad(format!("{label}: does not ask, for it knows no user name"), fix)
    }
}
