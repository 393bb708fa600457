//! Whether the tools that import keyring would ask: they do if ringbearer is in their environment.

use std::{ffi::OsStr, path::Path};

use super::{Finding, Machine, State};
use crate::{
    cli::{
        programs::shim::{self, Target},
        shown_path,
    },
    error::Result,
};

impl Machine<'_> {
    /// Whether ringbearer is in the environment of a tool.
    pub(super) fn beside(&self, tool: &str) -> Result<Finding> {
        let name = if tool == "poetry" { "Poetry" } else { tool };
        Ok(match self.installed(&[tool])? {
            None => Finding::new(State::Off, name, "is not on PATH"),
            Some((program, None)) => self.without_python(name, &program)?,
            Some((_, Some(beside))) if beside.ringbearer => {
                let what = format!("has ringbearer in its environment ({})", shown_path(&beside.python));
                self.if_imported(Finding::new(State::Good, name, what), &beside)?
            }
            Some((_, Some(beside))) => {
                let folders: Vec<_> = beside.python.iter().map(OsStr::to_string_lossy).collect();
                let fix = if folders.iter().any(|folder| folder.contains("pipx")) {
                    format!("pipx inject {tool} ringbearer")
                } else if folders.windows(2).any(|pair| pair == ["uv", "tools"]) {
                    format!("uv tool install {tool} --with ringbearer")
                } else {
                    beside.install_command(self.shell)
                };
                Finding::new(State::Bad, name, "has no ringbearer in its environment").with_fix(fix)
            }
        })
    }

    /// A program whose environment is unknown.
    pub(super) fn without_python(&self, name: &str, program: &Path) -> Result<Finding> {
        let (shown, file) = (shown_path(program), program.file_name().unwrap_or_default().to_string_lossy());
        Ok(match shim::target(self.system, program)? {
            Target::Missing => {
                let what = format!("{shown} is a shim of pyenv, and the selected Python version does not have {file}");
                Finding::new(State::Doubtful, name, what).with_fix(self.shell.command("pyenv", &["which", &file]))
            }
            Target::Unknown => {
                Finding::new(State::Doubtful, name, format!("{shown} is a shim of pyenv, which timed out"))
            }
            Target::Program(_) => Finding::new(State::Doubtful, name, format!("{shown} names no Python interpreter")),
        })
    }
}
