//! The settings of each tool.

use std::path::PathBuf;

use url::Url;

use super::{Refusal, Tool, ini, toml::TomlEdit};
use crate::{
    error::{Error, Kind, Result},
    ini::Ini,
    registry::{JobLogin, Registry},
    system::System,
    tools::{pip, uv},
};

/// How to install the `keyring` that uv and pip run.
const KEYRING: &str = "it runs `keyring` on PATH: `uv tool install ringbearer-cli` installs it";

/// The settings of a tool for one index.
pub(super) struct Recipe<'all> {
    tool: Tool,
    registry: &'static Registry,
    url: String,
    /// The URL with the user name.
    named_url: String,
    name: &'all str,
}

impl<'all> Recipe<'all> {
    pub(super) fn new(tool: Tool, registry: &'static Registry, url: &Url, named_url: &Url, name: &'all str) -> Self {
        Self { tool, registry, url: url.to_string(), named_url: named_url.to_string(), name }
    }

    /// The tool.
    pub(super) fn tool(&self) -> Tool {
        self.tool
    }

    /// The default file.
    pub(super) fn file(&self, system: &dyn System) -> Result<PathBuf> {
        Ok(match self.tool {
            Tool::Uv | Tool::Poetry => PathBuf::from("pyproject.toml"),
            Tool::Tox => PathBuf::from("tox.ini"),
            Tool::GithubActions => [".github", "workflows", "private-index.yml"].iter().collect(),
            Tool::Pip => pip::user_file(system).ok_or_else(|| {
                let name = pip::file_name(system);
                Error::new(Kind::Configuration, format!("the home directory, which contains {name}, is unknown"))
                    .with_hint("name a file with --file")
            })?,
        })
    }

    /// The settings, as a new file.
    pub(super) fn text(&self) -> String {
        self.added_to("").unwrap_or_default()
    }

    /// What else is needed.
    pub(super) fn advice(&self) -> String {
        match self.tool {
            Tool::Uv | Tool::Pip => KEYRING.to_owned(),
            Tool::Poetry => {
                "Poetry needs ringbearer in its own environment: `pipx inject poetry ringbearer`".to_owned()
            }
            Tool::Tox => "tox installs ringbearer by `requires`, and its environments use it".to_owned(),
            Tool::GithubActions => {
                let values = self.registry.job_login.settings().iter().map(|(_, value)| *value);
                format!(
                    "the settings of the repository must define {}, and the index of the project must be named {}",
                    values.collect::<Vec<_>>().join(" and "),
                    self.name
                )
            }
        }
    }

    /// The text of a file with the settings added, unless it has them.
    pub(super) fn added_to(&self, before: &str) -> std::result::Result<String, Refusal> {
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
        let mut edit = TomlEdit::new(before, "uv")?;
        edit.set("keyring-provider", "subprocess")?;
        edit.add("index", &[("name", self.name), ("url", &self.named_url)])?;
        edit.finish()
    }

    /// <https://python-poetry.org/docs/repositories/#private-repository-example>
    fn for_poetry(&self, before: &str) -> std::result::Result<String, Refusal> {
        let mut edit = TomlEdit::new(before, "poetry")?;
        edit.add("source", &[("name", self.name), ("url", &self.url), ("priority", "primary")])?;
        edit.finish()
    }

    /// <https://pip.pypa.io/en/stable/topics/configuration/>
    fn for_pip(&self, before: &str) -> std::result::Result<String, Refusal> {
        let mut after = before.to_owned();
        for (key, wanted) in [("index-url", self.named_url.as_str()), ("keyring-provider", "subprocess")] {
            let ini = Ini::parse(&after);
            // pip treats underscores as hyphens, and `[install]` overrides `[global]`.
            let mut found = ini
                .entries()
                .filter(|(section, name, _)| ["global", "install"].contains(section) && name.replace('_', "-") == key);
            match found.next() {
                Some((_, _, value)) if value.trim() == wanted && found.next().is_none() => {}
                Some(_) => return Err(format!("it has another {key} already")),
                None => after = ini::set(&after, "global", key, wanted)?,
            }
        }
        Ok(after)
    }

    /// <https://tox.wiki/en/latest/config.html#set_env>
    fn for_tox(&self, before: &str) -> std::result::Result<String, Refusal> {
        let after = add_line(before, "tox", &["requires"], "ringbearer", |line| {
            let name = line.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').next();
            if name == Some("ringbearer") { Match::Same } else { Match::None }
        })?;
        let variable = "PIP_INDEX_URL";
        add_line(&after, "testenv", &["set_env", "setenv"], &format!("{variable} = {}", self.named_url), |line| {
            match line.split_once('=').filter(|(name, _)| name.trim() == variable) {
                Some((_, value)) if value.trim() == self.named_url => Match::Same,
                Some(_) => Match::Different,
                None => Match::None,
            }
        })
    }

    /// A workflow that installs the lock file of the project.
    fn for_github_actions(&self, before: &str) -> std::result::Result<String, Refusal> {
        let variable = uv::variable(self.name, "USERNAME");
        let settings = self.registry.job_login.settings();
        let has_identity = settings.iter().any(|(_, value)| value.contains("vars."));
        let permission = if has_identity { "\n  id-token: write # the job may ask for its identity token" } else { "" };
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| format!("\n          {name}: ${{{{ {value} }}}}")).collect();
        let settings = settings.concat();
        let (step, variables) = match self.registry.job_login {
            JobLogin::Variables(_) => (String::new(), settings),
            // It writes its file into the checkout, which checking out would remove.
            JobLogin::Action { uses, .. } => {
                (format!("\n      - uses: {uses}\n        with:{settings}"), String::new())
            }
        };
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
      - uses: actions/checkout@v7{step}
      - uses: astral-sh/setup-uv@v7
      - run: uv tool install ringbearer-cli
      - run: uv sync
        env:
          UV_KEYRING_PROVIDER: subprocess
          {variable}: {}{variables}
",
            self.registry.username,
        );
        if before.is_empty() || before == text { Ok(text) } else { Err("it exists already".to_owned()) }
    }
}

/// How an existing line relates to the wanted one.
enum Match {
    Same,
    /// It sets the same variable to another value.
    Different,
    None,
}

/// Adds a line to the value of a key, which may have several names, unless it is there.
fn add_line(
    before: &str,
    section: &str,
    names: &[&str],
    line: &str,
    compare: impl Fn(&str) -> Match,
) -> std::result::Result<String, Refusal> {
    let ini = Ini::parse(before);
    let there = ini.entries().find(|(place, key, _)| *place == section && names.contains(key));
    let Some((_, key, value)) = there else {
        return ini::set(before, section, names.first().copied().unwrap_or_default(), &format!("\n{line}"));
    };
    for there in value.lines().map(str::trim) {
        match compare(there) {
            Match::Same => return Ok(before.to_owned()),
            Match::Different => {
                return Err(format!("{key} has another {} already", line.split(' ').next().unwrap_or_default()));
            }
            Match::None => {}
        }
    }
    ini::add_line(before, section, key, line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        registry::ALL,
        system::{Platform, fake::FakeSystem},
    };

    #[test]
    fn the_file_of_pip_is_named_as_on_the_platform() {
        let url: Url = "https://index.example/simple/".parse().unwrap();
        let recipe = Recipe::new(Tool::Pip, ALL[0], &url, &url, "private");
        for (platform, name) in
            [(Platform::Windows, "pip.ini"), (Platform::MacOs, "pip.conf"), (Platform::Linux, "pip.conf")]
        {
            let error = recipe.file(&FakeSystem::default().on(platform)).unwrap_err();
            assert!(error.message().contains(&format!("contains {name},")), "{error}");
        }
    }
}
