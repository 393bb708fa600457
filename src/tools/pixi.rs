//! The settings of pixi, which installs from package indexes with uv's library.
//! <https://pixi.prefix.dev/latest/reference/pixi_configuration/>

use std::path::{Path, PathBuf};

use toml_edit::{Item, TableLike};

use super::{
    Index,
    toml_file::{read, text, texts},
};
use crate::{
    shown::shown_path,
    system::{Platform, System, places},
};

/// The settings of pixi.
#[derive(Debug, Default)]
pub(crate) struct Pixi {
    /// How it asks a keyring, and the file that says so.
    pub(crate) provider: Option<(String, String)>,
    /// The indexes of the project in the working directory: there are no others.
    pub(crate) indexes: Vec<Index>,
}

impl Pixi {
    /// Reads the files of the machine, the user and the project in the working directory.
    pub(crate) fn read(system: &dyn System) -> Self {
        let project = system.working_directory().and_then(|directory| {
            let found = directory.ancestors().find_map(|folder| Some((folder.to_owned(), manifest(system, folder)?)));
            found.map(|(folder, (path, settings))| (folder, path, settings))
        });
        let provider =
            files(system, project.as_ref().map(|(folder, _, _)| folder.as_path())).into_iter().find_map(|path| {
                let document = read(system, &path)?;
                let provider = document.get("pypi-config")?.get("keyring-provider")?.as_str()?.to_owned();
                Some((provider, shown_path(&path)))
            });
        let mut pixi = Self { provider, indexes: Vec::new() };
        if let Some((_, path, settings)) = project {
            let source = shown_path(&path);
            let features = settings.get("feature").and_then(Item::as_table_like).into_iter();
            let features = features.flat_map(TableLike::iter).map(|(_, feature)| feature);
            for table in [&settings].into_iter().chain(features) {
                if let Some(options) = table.get("pypi-options").and_then(Item::as_table_like) {
                    pixi.add(options, &source);
                }
            }
        }
        pixi
    }

    fn add(&mut self, options: &dyn TableLike, source: &str) {
        let urls = text(options, "index-url").map(|url| (url, "index-url")).into_iter();
        let urls = urls.chain(texts(options, "extra-index-urls").map(|url| (url, "extra-index-urls")));
        self.indexes.extend(urls.map(|(url, key)| Index::in_file(url, None, source, key)));
    }
}

/// The manifest of a project, and its settings: a whole `pixi.toml`, or `tool.pixi` of a `pyproject.toml`.
fn manifest(system: &dyn System, folder: &Path) -> Option<(PathBuf, Item)> {
    let path = folder.join("pixi.toml");
    if let Some(settings) = read(system, &path) {
        return Some((path, settings));
    }
    let path = folder.join("pyproject.toml");
    let settings = read(system, &path)?.get_mut("tool")?.get_mut("pixi").map(std::mem::take)?;
    settings.is_table_like().then_some((path, settings))
}

/// The files that pixi reads, by precedence.
fn files(system: &dyn System, project: Option<&Path>) -> Vec<PathBuf> {
    let home = system.setting("PIXI_HOME").map(PathBuf::from);
    let own = places::home(system).map(|home| home.join(".pixi"));
    let machine = match system.platform() {
        Platform::Windows => places::program_data(system),
        Platform::MacOs | Platform::Linux => PathBuf::from("/etc"),
    };
    let shared = [places::native_config(system), places::user_config(system), places::default_config(system)];
    let shared = shared.into_iter().flatten().chain([machine]).map(|folder| folder.join("pixi"));
    let folders = project.map(|folder| folder.join(".pixi")).into_iter().chain(home).chain(own).chain(shared);
    folders.map(|folder| folder.join("config.toml")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    #[test]
    fn pixi_prefers_the_file_that_is_nearest_to_the_project() {
        let at = |path: &str| PathBuf::from(absolute(path));
        let system = FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"));
        let system = system.variable("PIXI_HOME", &absolute("/pixi"));
        let mut found = files(&system, Some(&at("/work/shop")));
        found.dedup();
        let expected = [
            at("/work/shop/.pixi/config.toml"),
            at("/pixi/config.toml"),
            at("/home/ada/.pixi/config.toml"),
            at("/home/ada/.config/pixi/config.toml"),
            PathBuf::from("/etc").join("pixi").join("config.toml"),
        ];
        assert_eq!(found, expected);
        let windows = FakeSystem::default().on(Platform::Windows).variable("APPDATA", &absolute("/roaming"));
        let windows = windows.variable("PROGRAMDATA", &absolute("/data"));
        assert_eq!(files(&windows, None), [at("/roaming/pixi/config.toml"), at("/data/pixi/config.toml")]);
    }

    #[test]
    fn pixi_asks_as_its_most_important_file_says() {
        let text = |provider: &str| format!("[pypi-config]\nkeyring-provider = \"{provider}\"\n");
        let system = FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"));
        let system = system.file("/home/ada/.config/pixi/config.toml", &text("subprocess"));
        assert_eq!(Pixi::read(&system).provider.map(|(provider, _)| provider).as_deref(), Some("subprocess"));
        let system = system.file("/home/ada/.pixi/config.toml", &text("disabled"));
        assert_eq!(Pixi::read(&system).provider.map(|(provider, _)| provider).as_deref(), Some("disabled"));
    }
}
