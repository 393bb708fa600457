//! The settings of Poetry (<https://python-poetry.org/docs/configuration/>) and their precedence
//! (<https://github.com/python-poetry/poetry/blob/2.5.1/src/poetry/utils/authenticator.py>).

use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
};

use toml_edit::Item;
use url::Url;

use super::{
    Index,
    toml_file::{read, tables, text},
};
use crate::{
    service::Service,
    shown::shown_path,
    system::{System, places},
};

/// The settings of Poetry.
pub(crate) struct Poetry {
    /// The files by precedence: that of the project in the working directory, and those of the user.
    files: Vec<(PathBuf, Item)>,
    /// The repositories and the sources of the project, in Poetry's order.
    pub(crate) sources: Vec<Index>,
}

/// Where a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PasswordLocation {
    /// A variable.
    Variable(String),
    /// A file.
    File(PathBuf),
}

impl Poetry {
    /// Reads variables, and the files of the user and of the project in the working directory.
    pub(crate) fn read(system: &dyn System) -> Self {
        // Poetry takes the nearest `pyproject.toml`, whatever is in it.
        let is_file = |path: &PathBuf| system.details(path).is_ok_and(|found| found.is_file || found.is_link);
        let directory = system.working_directory();
        let project = directory
            .and_then(|directory| directory.ancestors().map(|folder| folder.join("pyproject.toml")).find(is_file));
        Self::with_project(system, project)
    }

    /// Reads variables and the files of the user.
    pub(crate) fn read_of_user(system: &dyn System) -> Self {
        Self::with_project(system, None)
    }

    fn with_project(system: &dyn System, project: Option<PathBuf>) -> Self {
        let local = project.as_ref().map(|path| path.with_file_name("poetry.toml"));
        let own =
            folder(system).into_iter().flat_map(|folder| ["auth.toml", "config.toml"].map(|name| folder.join(name)));
        let files = local.into_iter().chain(own);
        let files: Vec<_> = files.filter_map(|path| Some((path.clone(), read(system, &path)?))).collect();
        let mut poetry = Self { files, sources: Vec::new() };
        poetry.add_repositories(system);
        if let Some(path) = project {
            poetry.add_sources(system, &path);
        }
        poetry
    }

    /// The repositories of the variables or, without any, those of the files.
    fn add_repositories(&mut self, system: &dyn System) {
        for variable in system.variables_with_prefix("POETRY_REPOSITORIES_") {
            let name = variable.strip_prefix("POETRY_REPOSITORIES_").and_then(|name| name.strip_suffix("_URL"));
            if let Some((name, url)) = name.zip(system.setting(&variable)) {
                let name = name.to_ascii_lowercase().replace('_', "-");
                self.sources.push(Index::in_variable(&url, Some(&name), &variable));
            }
        }
        if !self.sources.is_empty() {
            return;
        }
        for (path, document) in self.files.iter().rev() {
            let repositories = document.get("repositories").and_then(Item::as_table_like);
            for (name, repository) in repositories.into_iter().flat_map(|repositories| repositories.iter()) {
                if let Some(url) = repository.as_table_like().and_then(|repository| text(repository, "url")) {
                    put(&mut self.sources, Index::in_file(url, Some(name), &shown_path(path), "url"));
                }
            }
        }
    }

    fn add_sources(&mut self, system: &dyn System, path: &Path) {
        let document = read(system, path);
        let poetry = document.as_ref().and_then(|document| document.get("tool")?.get("poetry")?.as_table_like());
        for source in poetry.into_iter().flat_map(|poetry| tables(poetry, "source")) {
            if let Some((name, url)) = text(source, "name").zip(text(source, "url")) {
                put(&mut self.sources, Index::in_file(url, Some(name), &shown_path(path), "url"));
            }
        }
    }

    /// The value of `keyring.enabled`, and the file that sets it.
    pub(crate) fn keyring_enabled(&self) -> Option<(bool, &Path)> {
        self.files
            .iter()
            .find_map(|(path, document)| Some((document.get("keyring")?.get("enabled")?.as_bool()?, path.as_path())))
    }

    /// Where the password of a source is. An empty password counts as none, and hides those of lower precedence.
    pub(crate) fn password(&self, system: &dyn System, name: &str) -> Option<PasswordLocation> {
        let variable = format!("POETRY_HTTP_BASIC_{}_PASSWORD", name.to_ascii_uppercase().replace('-', "_"));
        if let Some(value) = system.raw_variable(&variable) {
            return Some(PasswordLocation::Variable(variable)).filter(|_| !value.is_empty());
        }
        let (path, password) = self
            .files
            .iter()
            .find_map(|(path, document)| Some((path, document.get("http-basic")?.get(name)?.get("password")?)))?;
        (password.as_str() != Some("")).then(|| PasswordLocation::File(path.clone()))
    }

    /// The sources whose passwords Poetry uses for an index: the one that shares most of the path, for its pages, and the
    /// first one in `group`, for files under other paths.
    pub(crate) fn sources_for(&self, index: &Service, group: impl Fn(&Service) -> bool) -> Vec<&Index> {
        let Some(url) = index.url() else { return Vec::new() };
        // Poetry compares hosts together with the user name in the URL.
        let plain = self.sources.iter().filter(|source| source.username().is_none() && !source.has_password());
        let sources = plain.filter_map(|source| Some((source, source.service().url()?.clone())));
        let on_host: Vec<_> = sources.filter(|(_, other)| other.origin() == url.origin()).collect();
        let nearest = on_host.iter().min_by_key(|(_, other)| Reverse(nearness(other, url)));
        let first = on_host.iter().find(|(source, _)| group(&source.service()));
        let mut found: Vec<_> = nearest.into_iter().chain(first).map(|(source, _)| *source).collect();
        found.dedup();
        found
    }
}

/// Adds a source, or replaces the one of the same name.
fn put(sources: &mut Vec<Index>, source: Index) {
    match sources.iter_mut().find(|known| known.name == source.name) {
        Some(known) => *known = source,
        None => sources.push(source),
    }
}

/// The number of path segments that two URLs share, and whether the first has no others.
fn nearness(source: &Url, url: &Url) -> (usize, bool) {
    let segments = |url: &Url| {
        let segments = url.path().split('/').filter(|segment| !segment.is_empty());
        segments.map(str::to_owned).collect::<Vec<_>>()
    };
    let (own, other) = (segments(source), segments(url));
    let shared = own.iter().zip(&other).take_while(|(own, other)| own == other).count();
    (shared, shared == own.len())
}

/// The directory of the user's files. A relative path counts as unset.
/// <https://python-poetry.org/docs/configuration/#config-directory>
fn folder(system: &dyn System) -> Option<PathBuf> {
    let named = system.setting("POETRY_CONFIG_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(places::native_config(system)?.join("pypoetry")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const INDEX: &str = "https://pkgs.example/contoso/_packaging/tools/simple/";

    fn with(files: &[(&str, &str)]) -> FakeSystem {
        let system = FakeSystem::default().variable("POETRY_CONFIG_DIR", &absolute("/poetry"));
        files.iter().fold(system, |system, (name, text)| system.file(&format!("/poetry/{name}"), text))
    }

    fn place(system: &FakeSystem) -> Option<String> {
        Poetry::read(system).password(system, "my-repo").map(|place| match place {
            PasswordLocation::Variable(name) => name,
            PasswordLocation::File(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
        })
    }

    #[test]
    fn the_most_important_place_decides_on_a_password_of_poetry() {
        let password = |text: &str| format!("[http-basic.my-repo]\nusername = \"ada\"\npassword = \"{text}\"\n");
        let config = ("config.toml", &*password("p"));
        assert_eq!(place(&with(&[])), None);
        assert_eq!(place(&with(&[config])).as_deref(), Some("config.toml"));
        assert_eq!(place(&with(&[config, ("auth.toml", &password("q"))])).as_deref(), Some("auth.toml"));
        assert_eq!(place(&with(&[config, ("auth.toml", &password(""))])), None);
        assert_eq!(place(&with(&[("auth.toml", "[http-basic.my-repo]\nusername = \"ada\"\n")])), None);
        assert_eq!(place(&with(&[("auth.toml", "[http-basic.other]\npassword = \"p\"\n")])), None);
        let variable = "POETRY_HTTP_BASIC_MY_REPO_PASSWORD";
        assert_eq!(place(&with(&[config]).variable(variable, "p")).as_deref(), Some(variable));
        assert_eq!(place(&with(&[config]).variable(variable, "")), None);
    }

    fn sources(system: &FakeSystem, group: &str) -> Vec<String> {
        let poetry = Poetry::read(system);
        let is_in_group = |service: &Service| service.url().is_some_and(|url| url.path().starts_with(group));
        let found = poetry.sources_for(&Service::parse(INDEX), is_in_group);
        found.into_iter().filter_map(|source| source.name.clone()).collect()
    }

    #[test]
    fn poetry_takes_the_password_of_the_nearest_source() {
        let repository = |name: &str, url: &str| format!("[repositories.{name}]\nurl = \"{url}\"\n");
        let fabrikam = repository("fabrikam", "https://pkgs.example/fabrikam/_packaging/tools/simple/");
        let upload = repository("upload", "https://pkgs.example/contoso/_packaging/tools/upload");
        let index = repository("index", INDEX.trim_end_matches('/'));
        let other = repository("other", "https://other.example/contoso/_packaging/tools/simple/");
        let system = with(&[("config.toml", &[&*other, &fabrikam, &index].concat())]);
        assert_eq!(sources(&system, "/contoso/"), ["index"]);
        let system = with(&[("config.toml", &[&*upload, &index].concat())]);
        assert_eq!(sources(&system, "/contoso/"), ["index", "upload"]);
        assert!(sources(&with(&[("config.toml", &other)]), "/contoso/").is_empty());
        // Variables replace the files.
        let system = with(&[("config.toml", &index)]).variable("POETRY_REPOSITORIES_MY_INDEX_URL", INDEX);
        assert_eq!(sources(&system, "/contoso/"), ["my-index"]);
    }
}
