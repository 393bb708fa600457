//! Upload URLs in the settings of twine and uv that are index URLs.

use super::{Finding, Machine, State, twine::pypirc};
use crate::{
    cli::{World, shown_path},
    tools::{Index, uv::Uv, with_username},
};

/// The name of the findings.
pub(super) const NAME: &str = "uploads";

/// A variable of twine and one of uv.
const VARIABLES: [&str; 2] = ["TWINE_REPOSITORY_URL", "UV_PUBLISH_URL"];

impl Machine<'_> {
    /// A failure for each URL that takes no uploads, with the one that does.
    pub(super) fn uploads(&self, world: &World<'_>, uv: &Uv) -> Vec<Finding> {
        let variables = VARIABLES.iter().filter_map(|name| {
            let index = Index::in_variable(&self.system.setting(name)?, None, name);
            corrected(world, &index, |url| self.shell.set(name, url))
        });
        let twine = self.repositories();
        let twine = twine.iter().filter_map(|index| corrected(world, index, |url| format!("repository = {url}")));
        let uv = uv.uploads.iter();
        let uv = uv.filter_map(|index| corrected(world, index, |url| format!("publish-url = \"{url}\"")));
        variables.chain(twine).chain(uv).collect()
    }

    /// The repositories of twine.
    fn repositories(&self) -> Vec<Index> {
        let Some((path, ini)) = pypirc(self.system) else { return Vec::new() };
        let repositories = ini.sections().filter_map(|section| Some((section, ini.value(section, "repository")?)));
        repositories
            .map(|(section, url)| {
                Index::in_file(url, None, &format!("{}, [{section}],", shown_path(&path)), "repository")
            })
            .collect()
    }
}

/// The failure of uploads to an index, with the line to write for the right URL.
fn corrected(world: &World<'_>, index: &Index, line: impl Fn(&str) -> String) -> Option<Finding> {
    let service = index.service();
    let candidate = world.memory.keyring.candidates(world.system, &service).next()?;
    let url = candidate.source.upload_url(&service)?;
    let url = index.username().map_or_else(|| url.clone(), |name| with_username(&url, &name));
    let source = index.source.as_deref().unwrap_or_default();
    let what = format!("{source} names the URL for installing, which takes no uploads");
    Some(Finding::new(State::Bad, NAME, what).with_fix(line(url.as_str())))
}
