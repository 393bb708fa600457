//! Whether pixi would ask. It asks as uv does, for indexes with a user name.

use super::{Finding, Machine, State};
use crate::{
    error::Result,
    keyring::Candidate,
    service::Service,
    tools::{Index, is_same, pixi::Pixi, with_username},
};

impl Machine<'_> {
    /// Whether pixi would ask; nothing if it is not on PATH.
    pub(super) fn pixi(&self, pixi: &Pixi) -> Result<Vec<Finding>> {
        if self.system.find_program("pixi").is_none() {
            return Ok(Vec::new());
        }
        match &pixi.provider {
            Some((provider, _)) if provider == "subprocess" => {}
            Some((_, source)) => {
                let what = format!("does not ask a keyring: disabled by {source}");
                let fix = format!("keyring-provider = \"subprocess\" below [pypi-config] in {source}");
                return Ok(vec![bad(what, fix)]);
            }
            None => {
                let words = ["config", "set", "--global", "pypi-config.keyring-provider", "subprocess"];
                return Ok(vec![bad("does not ask a keyring".to_owned(), self.shell.command("pixi", &words))]);
            }
        }
        if let Some(finding) = self.without_keyring("pixi")? {
            return Ok(vec![finding]);
        }
        let mut findings = Vec::new();
        for (named, service, candidate) in &self.served {
            if let Some(index) = pixi.indexes.iter().find(|index| is_same(&index.service(), &named.service())) {
                findings.push(self.pixi_for(pixi, index, service, candidate));
            }
        }
        if findings.is_empty() {
            let what = "asks the keyring on PATH for indexes with a user name";
            findings.push(Finding::new(State::Good, "pixi", what));
        }
        let asks =
            |finding: Finding| if finding.state == State::Good { self.if_run(finding, None) } else { Ok(finding) };
        findings.into_iter().map(asks).collect()
    }

    /// Whether pixi asks for one index.
    fn pixi_for(&self, pixi: &Pixi, index: &Index, service: &Service, candidate: &Candidate) -> Finding {
        let place = index.place();
        if index.has_password() {
            let what = format!("the index has a password in its URL{place}: no keyring is asked");
            return bad(what, format!("remove the password from the URL{place}"));
        }
        if index.username().is_none() {
            let url = service.url().map(|url| with_username(url, candidate.registry.username));
            let line = url.map_or_else(String::new, |url| index.with_url(url.as_str()));
            return bad(format!("does not ask for the index: its URL{place} has no user name"), line);
        }
        let good = || Finding::new(State::Good, "pixi", format!("asks the keyring on PATH for the index{place}"));
        self.shared_host("pixi", &pixi.indexes, index, service, candidate).unwrap_or_else(good)
    }
}

fn bad(what: String, fix: String) -> Finding {
    Finding::new(State::Bad, "pixi", what).with_fix(fix)
}
