//! How pip would ask.

use std::path::Path;

use super::{Finding, INSTALL, Machine, State, on_path::Knowledge};
use crate::{
    cli::tools::{
        beside::Beside,
        pip::{self, Pip},
        set_up, with_username,
    },
    error::Result,
};

/// The first pip that asks the program without a user name.
const ASKS_WITHOUT_USERNAME: (u32, u32) = (26, 2);

impl Machine<'_> {
    pub(super) fn pip(&self, pip: &Pip) -> Result<Finding> {
        let Some((program, beside)) = self.installed(&["pip", "pip3"])? else {
            return Ok(Finding::new(State::Off, "pip", "is not on PATH"));
        };
        let Some(beside) = beside else {
            let what = format!("{} does not say which Python it is for", program.display());
            return Ok(Finding::new(State::Doubtful, "pip", what));
        };
        if let Some(finding) = self.pip_is_told_not_to(pip, &beside) {
            return Ok(finding);
        }
        let provider = pip.provider.as_ref().map_or("auto", |(provider, _)| provider.as_str());
        let imports = provider == "import" || (provider == "auto" && beside.keyring);
        if imports && beside.ringbearer {
            let what = format!("asks ringbearer beside it ({})", beside.python.display());
            return Ok(Finding::new(State::Good, "pip", what));
        }
        if imports {
            let what = if beside.keyring {
                "asks the keyring beside it, which has no ringbearer"
            } else {
                "imports a keyring that is not there"
            };
            return Ok(Finding::new(State::Bad, "pip", what).with_fix(beside.installing_ringbearer()));
        }
        self.pip_runs(pip, &program, &beside, provider)
    }

    /// What keeps pip from asking at all.
    fn pip_is_told_not_to(&self, pip: &Pip, beside: &Beside) -> Option<Finding> {
        let bad = |what: String, fix: String| Some(Finding::new(State::Bad, "pip", what).with_fix(fix));
        let way = if beside.ringbearer { "import" } else { "subprocess" };
        let fix = format!("export {}={way}", pip::PROVIDER_VARIABLE);
        if let Some((_, source)) = pip.provider.as_ref().filter(|(provider, _)| provider == "disabled") {
            return bad(format!("is told to ask no keyring, by {source}"), fix);
        }
        let with_password = self.served.iter().any(|(index, _, _)| set_up(&pip.indexes, index).has_password());
        if with_password {
            let what = "the index has a password in its URL: no keyring is asked".to_owned();
            return bad(what, "leave the password out of the URL".to_owned());
        }
        let is_auto = pip.provider.as_ref().is_none_or(|(provider, _)| provider == "auto");
        match &pip.no_input {
            Some(source) if is_auto => {
                bad(format!("asks no keyring of its own accord where {source} forbids questions"), fix)
            }
            _ => None,
        }
    }

    /// Whether the program that pip runs would answer: the first on PATH that is not in pip's own folder.
    fn pip_runs(&self, pip: &Pip, program: &Path, beside: &Beside, provider: &str) -> Result<Finding> {
        match self.keyrings.first(program.parent())? {
            Some((_, Knowledge::Ringbearer)) => {}
            Some((_, Knowledge::Unknown)) => {
                return Ok(Finding::new(
                    State::Doubtful,
                    "pip",
                    "asks the keyring on PATH, which did not answer in time",
                ));
            }
            Some((_, Knowledge::Others)) | None => {
                let nobody = "no keyring on PATH outside its own folder knows ringbearer";
                let (what, fix) = if provider == "subprocess" {
                    ("is told to run a keyring", INSTALL.to_owned())
                } else {
                    ("has no ringbearer beside it", beside.installing_ringbearer())
                };
                let what = format!("{what}, and {nobody}");
                return Ok(Finding::new(State::Bad, "pip", what).with_fix(fix));
            }
        }
        let nameless = self.served.iter().find(|(index, _, _)| set_up(&pip.indexes, index).username().is_none());
        let is_old = beside.pip.is_some_and(|version| version < ASKS_WITHOUT_USERNAME);
        if let (true, Some((_, service, candidate))) = (is_old, nameless) {
            let url = service.url().map(|url| with_username(url, candidate.registry.username));
            let url = url.map_or_else(String::new, |url| url.to_string());
            let what = "asks the keyring on PATH, but up to 26.1 only if the URL has a user name";
            return Ok(Finding::new(State::Bad, "pip", what).with_fix(format!("--index-url {url}, or a newer pip")));
        }
        Ok(Finding::new(State::Good, "pip", "asks the keyring on PATH"))
    }
}
