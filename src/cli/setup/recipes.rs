//! What each tool needs, to ask for an index.

use std::path::PathBuf;

use url::Url;

use super::{
    Tool,
    edit::{Refusal, add_to_ini, at_end, checked_toml, into_table, set_ini, toml},
};
use crate::{
    cli::tools::pip,
    error::{Error, Kind, Result},
    ini::Ini,
    registry::Registry,
    system::System,
};

/// What puts a keyring on PATH.
const KEYRING: &str = "`uv tool install ringbearer-cli` puts the keyring on PATH that it asks";

/// What a tool needs for one index.
pub(super) struct Recipe<'all> {
    tool: Tool,
    registry: &'static Registry,
    /// The index's URL, and the same with the user name.
    url: String,
    named_url: String,
    name: &'all str,
}

impl<'all> Recipe<'all> {
    pub(super) fn new(tool: Tool, registry: &'static Registry, url: &Url, named_url: &Url, name: &'all str) -> Self {
        Self { tool, registry, url: url.to_string(), named_url: named_url.to_string(), name }
    }

    /// Whom it is for.
    pub(super) fn tool(&self) -> Tool {
        self.tool
    }

    /// The file where it belongs, unless the user names another.
    pub(super) fn file(&self, system: &dyn System) -> Result<PathBuf> {
        Ok(match self.tool {
            Tool::Uv | Tool::Poetry => PathBuf::from("pyproject.toml"),
            Tool::Tox => PathBuf::from("tox.ini"),
            Tool::GithubActions => [".github", "workflows", "private-index.yml"].iter().collect(),
            Tool::Pip => pip::user_file(system).ok_or_else(|| {
                Error::new(Kind::Configuration, "the home directory is not known, where pip.conf is")
                    .with_hint("name a file with --file")
            })?,
        })
    }

    /// All of it, as a file of its own would have it.
    pub(super) fn text(&self) -> String {
        self.put_into("").unwrap_or_default()
    }

    /// What else there is to do.
    pub(super) fn advice(&self) -> String {
        match self.tool {
            Tool::Uv | Tool::Pip => KEYRING.to_owned(),
            Tool::Poetry => "`pipx inject poetry ringbearer` puts ringbearer beside Poetry, where it asks".to_owned(),
            Tool::Tox => "tox gets ringbearer by `requires`, and its environments ask through it".to_owned(),
            Tool::GithubActions => {
                let values = self.registry.job_settings.iter().map(|(_, value)| *value);
                format!(
                    "the repository's settings must have {}; the project's index must be named {}",
                    values.collect::<Vec<_>>().join(" and "),
                    self.name
                )
            }
        }
    }

    /// A file with all that it needs, where it does not have it already.
    pub(super) fn put_into(&self, before: &str) -> std::result::Result<String, Refusal> {
        match self.tool {
            Tool::Uv => self.for_uv(before),
            Tool::Pip => self.for_pip(before),
            Tool::Poetry => self.for_poetry(before),
            Tool::Tox => self.for_tox(before),
            Tool::GithubActions => self.for_github_actions(before),
        }
    }

    /// <https://docs.astral.sh/uv/concepts/indexes/>
    fn for_uv(&self, before: &str) -> std::result::Result<String, Refusal> {
        let document = toml(before)?;
        let uv = document.table("tool").and_then(|tool| tool.table("uv"));
        let mut after = before.to_owned();
        match uv.and_then(|uv| uv.text("keyring-provider")) {
            Some("subprocess") => {}
            Some(other) => return Err(format!("it has keyring-provider = \"{other}\" already")),
            None => after = into_table(&after, "tool.uv", "keyring-provider = \"subprocess\""),
        }
        for index in uv.into_iter().flat_map(|uv| uv.tables("index")) {
            if index.text("url") == Some(&self.named_url) {
                return checked_toml(before, after);
            }
            if index.text("name") == Some(self.name) {
                return Err(format!("it has an index named {} already; choose another with --name", self.name));
            }
        }
        let block = format!("[[tool.uv.index]]\nname = \"{}\"\nurl = \"{}\"\n", self.name, self.named_url);
        checked_toml(before, at_end(&after, &block))
    }

    /// <https://python-poetry.org/docs/repositories/#private-repository-example>
    fn for_poetry(&self, before: &str) -> std::result::Result<String, Refusal> {
        let document = toml(before)?;
        let poetry = document.table("tool").and_then(|tool| tool.table("poetry"));
        for source in poetry.into_iter().flat_map(|poetry| poetry.tables("source")) {
            if source.text("url") == Some(&self.url) {
                return Ok(before.to_owned());
            }
            if source.text("name") == Some(self.name) {
                return Err(format!("it has a source named {} already; choose another with --name", self.name));
            }
        }
        let block = format!(
            "[[tool.poetry.source]]\nname = \"{}\"\nurl = \"{}\"\npriority = \"primary\"\n",
            self.name, self.url
        );
        checked_toml(before, at_end(before, &block))
    }

    /// <https://pip.pypa.io/en/stable/topics/configuration/>
    fn for_pip(&self, before: &str) -> std::result::Result<String, Refusal> {
        let mut after = before.to_owned();
        for (key, wanted) in [("index-url", self.named_url.as_str()), ("keyring-provider", "subprocess")] {
            let ini = Ini::parse(&after);
            // pip reads an underscore as a hyphen, and what is for `install` alone comes first there.
            let mut there = ini
                .entries()
                .filter(|(section, name, _)| ["global", "install"].contains(section) && name.replace('_', "-") == key);
            match there.next() {
                Some((_, _, value)) if value.trim() == wanted && there.next().is_none() => {}
                Some(_) => return Err(format!("it has another {key} already")),
                None => after = set_ini(&after, "global", key, wanted)?,
            }
        }
        Ok(after)
    }

    /// <https://tox.wiki/en/latest/config.html#set_env>
    fn for_tox(&self, before: &str) -> std::result::Result<String, Refusal> {
        let after = add_line(before, "tox", &["requires"], "ringbearer", |line| {
            let name = line.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').next();
            if name == Some("ringbearer") { Same::AsWanted } else { Same::No }
        })?;
        let variable = "PIP_INDEX_URL";
        add_line(&after, "testenv", &["set_env", "setenv"], &format!("{variable} = {}", self.named_url), |line| {
            match line.split_once('=').filter(|(name, _)| name.trim() == variable) {
                Some((_, value)) if value.trim() == self.named_url => Same::AsWanted,
                Some(_) => Same::Otherwise,
                None => Same::No,
            }
        })
    }

    /// A workflow that installs what the project has in its lock file.
    fn for_github_actions(&self, before: &str) -> std::result::Result<String, Refusal> {
        let variable = crate::cli::tools::uv::variable(self.name, "USERNAME");
        let settings = self.registry.job_settings;
        let has_identity = settings.iter().any(|(_, value)| value.contains("vars."));
        let permission = if has_identity { "\n  id-token: write # the job may ask for its identity token" } else { "" };
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| format!("\n          {name}: ${{{{ {value} }}}}")).collect();
        let text = format!(
            "\
name: private index
on: [push]
permissions:
  contents: read{permission}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - uses: astral-sh/setup-uv@v7
      - run: uv tool install ringbearer-cli
      - run: uv sync
        env:
          UV_KEYRING_PROVIDER: subprocess
          {variable}: {}{}
",
            self.registry.username,
            settings.concat()
        );
        if before.is_empty() || before == text { Ok(text) } else { Err("it is there already".to_owned()) }
    }
}

/// What a line of a value is to the one that is wanted.
enum Same {
    AsWanted,
    Otherwise,
    No,
}

/// A tox.ini whose key, by any of its names, has a line in its value.
fn add_line(
    before: &str,
    section: &str,
    names: &[&str],
    line: &str,
    is_same: impl Fn(&str) -> Same,
) -> std::result::Result<String, Refusal> {
    let ini = Ini::parse(before);
    let there = ini.entries().find(|(place, key, _)| *place == section && names.contains(key));
    let Some((_, key, value)) = there else {
        return set_ini(before, section, names.first().copied().unwrap_or_default(), &format!("\n{line}"));
    };
    for there in value.lines().map(str::trim) {
        match is_same(there) {
            Same::AsWanted => return Ok(before.to_owned()),
            Same::Otherwise => {
                return Err(format!("{key} has another {} already", line.split(' ').next().unwrap_or_default()));
            }
            Same::No => {}
        }
    }
    add_to_ini(before, section, key, line)
}
