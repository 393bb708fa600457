//! The settings that make a tool ask for an index: printed, or written where they belong.
//!
//! - `recipes`: what each tool needs
//! - `edit`: putting lines into a file that somebody else wrote
//! - `difference`: what changes, shown

mod difference;
mod edit;
mod recipes;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use self::recipes::Recipe;
use super::{DONE, World, print, tools::with_username};
use crate::{
    error::{Error, Kind, Result},
    service::Service,
    system::io_message,
};

/// What the index is called unless a name is given.
const USUAL_NAME: &str = "private";

/// The largest file that is changed.
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
    /// The tools by their names.
    pub(super) const NAMES: [(&str, Self); 5] = [
        ("uv", Self::Uv),
        ("pip", Self::Pip),
        ("poetry", Self::Poetry),
        ("tox", Self::Tox),
        ("github-actions", Self::GithubActions),
    ];

    /// Whether a file is of another sort than it is set up in.
    fn is_strange_to(self, path: &Path) -> bool {
        let ends_in = |ends: &[&str]| {
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            ends.contains(&extension)
        };
        match self {
            // uv has a file of its own too, in which everything stands one level higher.
            Self::Uv | Self::Poetry => {
                ends_in(&["ini", "cfg", "conf"]) || path.file_name() == Some(OsStr::new("uv.toml"))
            }
            Self::Pip | Self::Tox => ends_in(&["toml"]),
            Self::GithubActions => ends_in(&["toml", "ini", "cfg", "conf"]),
        }
    }

    /// The tool of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool)
    }
}

/// Prints what a tool needs for an index, or writes it.
pub(super) fn run(
    world: &World<'_>,
    tool: Tool,
    url: &str,
    name: Option<&str>,
    file: Option<&OsStr>,
    write: bool,
) -> Result<u8> {
    let name = name.unwrap_or(USUAL_NAME);
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(Error::new(Kind::Usage, "the name of an index has letters, digits, `-`, `_` and `.`"));
    }
    let service = Service::parse(url);
    let candidate = world.memory.keyring.candidates(&service).next();
    let Some((candidate, url)) = candidate.zip(service.url()) else {
        return Err(Error::new(Kind::Usage, "this is no index that ringbearer serves over https")
            .with_hint("`ringbearer doctor URL` tells more"));
    };
    if url.as_str().contains(['"', '\'', '\\', '$', '{', '}']) {
        return Err(Error::new(
            Kind::Usage,
            "this URL has characters in it that settings files read as something else",
        )
        .with_hint("write the index's URL without them"));
    }
    let recipe = Recipe::new(tool, candidate.registry, url, &with_username(url, candidate.registry.username), name);
    let path = match file {
        Some(file) => PathBuf::from(file),
        None => recipe.file(world.system)?,
    };
    if write {
        return put(world, &recipe, &path);
    }
    print(world.console, &format!("# {}\n{}", super::shown(&path.display().to_string()), recipe.text()))?;
    world.console.eprint(&format!("\n{}\n", recipe.advice()));
    Ok(DONE)
}

/// Shows what changes in a file, and changes it.
fn put(world: &World<'_>, recipe: &Recipe<'_>, path: &Path) -> Result<u8> {
    let system = world.system;
    let name = super::shown(&path.display().to_string());
    let failed = |why: &str| Error::new(Kind::Storage, format!("{name} cannot be changed: {why}"));
    let target = system.destination(path).map_err(|error| failed(&io_message(&error)))?;
    let (before, stamp) = match system.snapshot(&target, CAP) {
        Ok(snapshot) => {
            let text = String::from_utf8(snapshot.content).map_err(|_| failed("it is not UTF-8"))?;
            (text, Some(snapshot.stamp))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (String::new(), None),
        Err(error) => return Err(failed(&io_message(&error))),
    };
    let by_hand = "put these lines in by hand: the same command without --write prints them";
    if recipe.tool().is_strange_to(path) {
        return Err(failed("it has another form than what is to be written").with_hint(by_hand));
    }
    let ends_windows_way = before.contains("\r\n");
    let mut after = recipe.put_into(&before.replace("\r\n", "\n")).map_err(|why| failed(&why).with_hint(by_hand))?;
    if ends_windows_way {
        after = after.replace('\n', "\r\n");
        if before.replace("\r\n", "").contains('\n') {
            return Err(failed("its lines end in two ways").with_hint(by_hand));
        }
    }
    if after == before {
        return print(world.console, &format!("{name}: has it all already\n"));
    }
    print(world.console, &difference::of(&name, &before, &after))?;
    if let (None, Some(folder)) = (&stamp, target.parent().filter(|folder| !folder.as_os_str().is_empty())) {
        system.create_directory(folder, false).map_err(|error| failed(&io_message(&error)))?;
    }
    match system.rewrite(&target, after.as_bytes(), stamp.as_ref()) {
        Ok(true) => {
            world.console.eprint(&format!("wrote {name}\n{}\n", recipe.advice()));
            Ok(DONE)
        }
        Ok(false) => Err(failed("another program has just written it").with_hint("try again")),
        Err(error) => Err(failed(&io_message(&error))),
    }
}
