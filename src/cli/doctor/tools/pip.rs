//! Whether pip would ask.

use std::path::Path;

use super::{Finding, INSTALL, Machine, State, on_path::Knowledge};
use crate::{
    cli::{programs::beside::Beside, shown_path},
    error::Result,
    tools::{
        Index, configured,
        pip::{self, Pip},
        with_username,
    },
};

/// The first version of pip that runs `keyring` for a URL without a user name.
const ASKS_WITHOUT_USERNAME: (u32, u32) = (26, 2);

impl Machine<'_> {
    /// Whether pip would ask.
    pub(super) fn pip(&self, pip: &Pip) -> Result<Finding> {
        let Some((program, beside)) = self.installed(&["pip", "pip3"])? else {
            return Ok(Finding::new(State::Off, "pip", "is not on PATH"));
        };
        let Some(beside) = beside else {
            return self.without_python("pip", &program);
        };
        if let Some(finding) = self.pip_is_disabled(pip, &beside) {
            return Ok(finding);
        }
        let provider = pip.provider.as_ref().map_or("auto", |(provider, _)| provider.as_str());
        let imports = provider == "import" || (provider == "auto" && beside.keyring);
        if imports && beside.ringbearer {
            let what = format!("asks ringbearer in its environment ({})", shown_path(&beside.python));
            return self.if_imported(Finding::new(State::Good, "pip", what), &beside);
        }
        if imports {
            let what = if beside.keyring {
                "asks the keyring in its environment, which has no ringbearer"
            } else {
                "imports keyring, which is not installed"
            };
            return Ok(Finding::new(State::Bad, "pip", what).with_fix(beside.install_command(self.shell)));
        }
        self.pip_runs(pip, &program, &beside, provider)
    }

    /// A setting that keeps pip from asking.
    fn pip_is_disabled(&self, pip: &Pip, beside: &Beside) -> Option<Finding> {
        let bad = |what: String, fix: String| Some(Finding::new(State::Bad, "pip", what).with_fix(fix));
        let way = if beside.ringbearer { "import" } else { "subprocess" };
        let fix = self.shell.set(pip::PROVIDER_VARIABLE, way);
        if let Some(source) = &pip.unknown_provider {
            let is_variable = source == pip::PROVIDER_VARIABLE;
            let line = if is_variable { fix } else { format!("keyring-provider = {way} in {source}") };
            return bad(format!("ends with an error: {source} has an unknown keyring provider"), line);
        }
        if let Some((_, source)) = pip.provider.as_ref().filter(|(provider, _)| provider == "disabled") {
            return bad(format!("asks no keyring: disabled by {source}"), fix);
        }
        let mut indexes = self.served.iter().map(|(index, _, _)| configured(&pip.indexes, index));
        if let Some(index) = indexes.find(Index::has_password) {
            let (place, what) = (index.place(), "the index has a password in its URL");
            let fix = format!("remove the password from the URL{place}");
            return bad(format!("{what}{place}: no keyring is asked"), fix);
        }
        let is_auto = pip.provider.as_ref().is_none_or(|(provider, _)| provider == "auto");
        match &pip.no_input {
            Some(source) if is_auto => bad(format!("asks no keyring: {source} forbids prompts"), fix),
            _ => None,
        }
    }

    /// Whether the `keyring` that pip runs would answer: the first on PATH outside the folder of pip.
    fn pip_runs(&self, pip: &Pip, program: &Path, beside: &Beside, provider: &str) -> Result<Finding> {
        match self.keyrings.first(program.parent())? {
            Some((_, Knowledge::Ringbearer)) => {}
            Some((_, Knowledge::Unknown)) => {
                return Ok(Finding::new(State::Doubtful, "pip", "asks the keyring on PATH, which timed out"));
            }
            Some((_, Knowledge::Others)) | None => {
                let nobody = "no keyring on PATH outside its own folder has ringbearer";
                let (what, fix) = if provider == "subprocess" {
                    ("runs keyring", INSTALL.to_owned())
                } else {
                    ("has no ringbearer in its environment", beside.install_command(self.shell))
                };
                let what = format!("{what}, and {nobody}");
                return Ok(Finding::new(State::Bad, "pip", what).with_fix(fix));
            }
        }
        let nameless = self.served.iter().find(|(index, _, _)| configured(&pip.indexes, index).username().is_none());
        let is_old = beside.pip.is_some_and(|version| version < ASKS_WITHOUT_USERNAME);
        if let (true, Some((index, service, candidate))) = (is_old, nameless) {
            let url = service.url().map(|url| with_username(url, candidate.registry.username));
            let url = url.map_or_else(String::new, |url| url.to_string());
            let place = configured(&pip.indexes, index).place();
            let line = if place.is_empty() { format!("--index-url {url}") } else { url + &place };
            let what = "asks the keyring on PATH, but before 26.2 only if the URL has a user name";
            return Ok(Finding::new(State::Bad, "pip", what).with_fix(format!("{line}, or a newer pip")));
        }
        self.if_run(Finding::new(State::Good, "pip", "asks the keyring on PATH"), program.parent())
    }
}
