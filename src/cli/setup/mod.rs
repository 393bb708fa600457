//! The settings with which a tool asks for the credential of an index: printed, or written to a file.
//!
//! - `recipes`: the settings of each tool
//! - `ini`, `toml`: edits of existing files
//! - `difference`: the change, as it is shown

mod difference;
mod ini;
mod recipes;
mod toml;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use self::recipes::Recipe;
use super::{DONE, World, print, shown_path};
use crate::{
    error::{Error, Kind, Result},
    keyring::Candidate,
    service::Service,
    system::io_message,
    tools::with_username,
};

/// Why a file is not changed, in a clause.
type Refusal = String;

/// A file in which the settings would have to go into an existing line.
const UNSUITABLE: &str = "no line can be added to it in this form";

/// The name of the index, unless one is given.
const DEFAULT_NAME: &str = "private";

/// The maximum size of a file to change, in bytes.
const CAP: usize = 4 * 1024 * 1024;

/// A tool that can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// uv.
    Uv,
    /// pip.
    Pip,
    /// Poetry.
    Poetry,
    /// tox.
    Tox,
    /// A workflow of GitHub Actions.
    GithubActions,
}

impl Tool {
    /// The tools by name.
    pub(super) const NAMES: [(&str, Self); 5] = [
        ("uv", Self::Uv),
        ("pip", Self::Pip),
        ("poetry", Self::Poetry),
        ("tox", Self::Tox),
        ("github-actions", Self::GithubActions),
    ];

    /// Whether the tool has settings of another form in this file.
    fn has_other_form(self, path: &Path) -> bool {
        let ends_in = |ends: &[&str]| {
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            ends.contains(&extension)
        };
        match self {
            // In uv.toml, the settings are not below `tool.uv`.
            Self::Uv | Self::Poetry => {
                ends_in(&["ini", "cfg", "conf"]) || path.file_name() == Some(OsStr::new("uv.toml"))
            }
            Self::Pip | Self::Tox => ends_in(&["toml"]),
            Self::GithubActions => ends_in(&["toml", "ini", "cfg", "conf"]),
        }
    }

    /// The tool with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
    }
}

/// Prints the settings for an index, or writes them.
pub(super) fn run(
    world: &World<'_>,
    tool: Tool,
    url: &str,
    name: Option<&str>,
    file: Option<&OsStr>,
    write: bool,
) -> Result<u8> {
    let name = name.unwrap_or(DEFAULT_NAME);
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(Error::new(Kind::Usage, "the name of an index consists of letters, digits, `-`, `_` and `.`"));
    }
    let service = Service::parse(url);
    let candidates: Vec<_> = world.memory.keyring.candidates(world.system, &service).collect();
    // Of registries that share the host, the one that is set up here.
    let is_configured = |candidate: &&&Candidate| candidate.source.is_configured(world.system);
    let candidate = candidates.iter().find(is_configured).or(candidates.last()).copied();
    let Some((candidate, url)) = candidate.zip(service.url()) else {
        return Err(Error::new(Kind::Usage, "no index that ringbearer serves over https has this URL")
            .with_hint("see `ringbearer doctor URL`"));
    };
    if url.as_str().contains(['"', '\'', '\\', '$', '{', '}']) {
        return Err(Error::new(Kind::Usage, "this URL has characters with a special meaning in settings files")
            .with_hint("percent-encode them"));
    }
    let recipe = Recipe::new(tool, candidate.registry, url, &with_username(url, candidate.registry.username), name);
    let path = match file {
        Some(file) => PathBuf::from(file),
        None => recipe.file(world.system)?,
    };
    if write {
        return write_file(world, &recipe, &path);
    }
    print(world.console, &format!("# {}\n{}", shown_path(&path), recipe.text()))?;
    world.console.eprint(&format!("\n{}\n", recipe.advice()));
    Ok(DONE)
}

/// Shows the change to a file, and writes it.
fn write_file(world: &World<'_>, recipe: &Recipe<'_>, path: &Path) -> Result<u8> {
    let system = world.system;
    let name = shown_path(path);
    let failed = |why: &str| Error::new(Kind::Storage, format!("{name} cannot be changed: {why}"));
    let target = system.write_destination(path).map_err(|error| failed(&io_message(&error)))?;
    let (before, stamp) = match system.snapshot(&target, CAP) {
        Ok(snapshot) => {
            let text = String::from_utf8(snapshot.content).map_err(|_| failed("it is not UTF-8"))?;
            (text, Some(snapshot.stamp))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (String::new(), None),
        Err(error) => return Err(failed(&io_message(&error))),
    };
    let by_hand = "add the lines by hand: the command without --write prints them";
    if recipe.tool().has_other_form(path) {
        return Err(failed("the tool reads other settings from a file of this name").with_hint(by_hand));
    }
    let has_windows_line_ends = before.contains("\r\n");
    let mut after = recipe.added_to(&before.replace("\r\n", "\n")).map_err(|why| failed(&why).with_hint(by_hand))?;
    if has_windows_line_ends {
        after = after.replace('\n', "\r\n");
        if before.replace("\r\n", "").contains('\n') {
            return Err(failed("it mixes two kinds of line ends").with_hint(by_hand));
        }
    }
    if after == before {
        return print(world.console, &format!("{name}: nothing to change\n"));
    }
    print(world.console, &difference::additions(&name, &before, &after))?;
    if let (None, Some(folder)) = (&stamp, target.parent().filter(|folder| !folder.as_os_str().is_empty())) {
        system.create_directory(folder, false).map_err(|error| failed(&io_message(&error)))?;
    }
    match system.rewrite(&target, after.as_bytes(), stamp.as_ref()) {
        Ok(true) => {
            world.console.eprint(&format!("wrote {name}\n{}\n", recipe.advice()));
            Ok(DONE)
        }
        Ok(false) => Err(failed("another program is writing it").with_hint("try again")),
        Err(error) => Err(failed(&io_message(&error))),
    }
}
