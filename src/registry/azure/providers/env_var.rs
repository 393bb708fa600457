//! A token that was put into the environment, or into a file of the sort that containers mount.

use std::path::{Path, PathBuf};

use log::debug;

use super::{Feed, Grant};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        private_file,
    },
    error::Result,
    system::{Platform, System},
};

/// Names a file with the token (Docker's convention). Takes precedence over the variables.
const FILE_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE";

/// The token.
pub(crate) const TOKEN_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_TOKEN";

/// The token, by the name of artifacts-credprovider.
const OTHER_TOKEN_VARIABLE: &str = "VSS_NUGET_ACCESSTOKEN";

/// The files of BuildKit secrets with these names.
const MOUNTED: [&str; 2] = ["/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN", "/run/secrets/ado_token"];

/// The provider.
pub(crate) struct EnvVar;

/// The files that may hold the token.
pub(crate) fn files(system: &dyn System) -> impl Iterator<Item = PathBuf> {
    system.setting(FILE_VARIABLE).into_iter().map(PathBuf::from).chain(mounted(system).iter().map(PathBuf::from))
}

/// The files of BuildKit secrets. Windows has no such mounts, and there every user can create the directory, on the current
/// drive.
fn mounted(system: &dyn System) -> &'static [&'static str] {
    if system.platform() == Platform::Windows { &[] } else { &MOUNTED }
}

/// Where the token is, in the order of precedence.
enum Source {
    NamedFile(String),
    Variable(&'static str),
    Mounted(&'static str),
}

impl Source {
    fn find(system: &dyn System) -> Option<Self> {
        if let Some(path) = system.setting(FILE_VARIABLE) {
            return Some(Self::NamedFile(path));
        }
        let variable =
            [TOKEN_VARIABLE, OTHER_TOKEN_VARIABLE].into_iter().find(|name| system.secret_setting(name).is_some());
        // A directory that is closed to this user holds nothing for it. A file that cannot be read is an error.
        let is_there = |path: &&str| system.details(Path::new(path)).is_ok();
        let mounted = || mounted(system).iter().copied().find(is_there);
        variable.map(Self::Variable).or_else(|| mounted().map(Self::Mounted))
    }

    /// The variable or file, for messages.
    fn name(&self) -> &'static str {
        match self {
            Self::NamedFile(_) => FILE_VARIABLE,
            Self::Variable(name) | Self::Mounted(name) => name,
        }
    }
}

impl TokenProvider<Feed, Grant> for EnvVar {
    fn name(&self) -> &'static str {
        "env_var"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        Source::find(system).map_or(Origin::Found, |source| Origin::Explicit(source.name().into()))
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        // For the session token that a user's bearer is exchanged for. Tokens that are used unchanged are never
        // cached.
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, _feed: &Feed) -> Result<Attempt<Grant>> {
        let not_configured = || Ok(Attempt::not_configured(format!("no {TOKEN_VARIABLE}")));
        let Some(source) = Source::find(system) else { return not_configured() };
        let token = match &source {
            Source::NamedFile(path) => private_file::read_token(system, FILE_VARIABLE, path)?,
            Source::Mounted(path) => private_file::read_mounted_token(system, path)?,
            Source::Variable(name) => match AccessToken::from_variable(system, name)? {
                Some(token) => token,
                None => return not_configured(),
            },
        };
        debug!(step = "env_var", outcome = "found"; "the token in {}", source.name());
        Ok(Attempt::Token(Grant::of_unknown_sort(token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        service::Service,
        system::fake::{FakeSystem, absolute},
    };

    fn ask(system: &FakeSystem) -> Result<Option<String>> {
        let feed = Feed::from_service(&Service::parse("https://pkgs.dev.azure.com/contoso/")).unwrap();
        Ok(match EnvVar.token(system, &feed)? {
            Attempt::Token(Grant::Password { token, .. } | Grant::Bearer(token) | Grant::CachedBearer(token)) => {
                Some(token.secret().expose().to_owned())
            }
            Attempt::NotConfigured(_) => None,
        })
    }

    /// The paths of secrets that BuildKit mounts.
    const FIRST: &str = "/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN";
    const SECOND: &str = "/run/secrets/ado_token";

    #[test]
    fn the_sources_have_an_order() {
        let all = || {
            FakeSystem::default()
                .variable(FILE_VARIABLE, &absolute("/token"))
                .variable(TOKEN_VARIABLE, " variable\n")
                .variable(OTHER_TOKEN_VARIABLE, "other")
                .file(FIRST, "mounted")
                .file(SECOND, "mounted-too")
        };
        assert_eq!(ask(&all().file("/token", "file \n")).unwrap().as_deref(), Some("file"));
        let without_file = || all().variable(FILE_VARIABLE, "");
        assert_eq!(ask(&without_file()).unwrap().as_deref(), Some("variable"));
        assert_eq!(ask(&without_file().variable(TOKEN_VARIABLE, " ")).unwrap().as_deref(), Some("other"));
    }

    #[test]
    fn mounted_secrets_are_read_except_on_windows() {
        let mounted = |platform| FakeSystem::default().on(platform).file(SECOND, "mounted-too");
        for platform in [Platform::Linux, Platform::MacOs] {
            assert_eq!(ask(&mounted(platform)).unwrap().as_deref(), Some("mounted-too"));
            assert_eq!(files(&mounted(platform)).count(), 2);
        }
        assert_eq!(ask(&mounted(Platform::Windows)), Ok(None));
        assert_eq!(files(&mounted(Platform::Windows)).count(), 0);
    }

    #[test]
    fn nothing_set_is_a_skip_and_a_broken_source_hides_no_other() {
        assert_eq!(ask(&FakeSystem::default()), Ok(None));
        let file = || FakeSystem::default().variable(FILE_VARIABLE, &absolute("/token"));
        let both = || file().variable(TOKEN_VARIABLE, "variable");
        for fake in [both(), both().file("/token", " \n"), file().file("/token", "two words")] {
            let error = ask(&fake).unwrap_err();
            assert!(error.message().contains("token") && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn a_mounted_file_that_cannot_be_read_hides_no_other() {
        let linux = || FakeSystem::default().on(Platform::Linux);
        let closed = || linux().unreadable(FIRST).file(SECOND, "mounted-too");
        assert_eq!(ask(&closed()).unwrap().as_deref(), Some("mounted-too"));
        let fake = closed().file(FIRST, "mounted");
        let error = ask(&fake).unwrap_err();
        assert!(error.message().contains(FIRST), "{error}");
        assert_eq!(EnvVar.origin(&fake), Origin::Explicit(FIRST.into()));
        assert!(ask(&linux().file(SECOND, "two words")).unwrap_err().hint().is_some());
    }

    #[test]
    fn a_variable_that_is_not_utf8_is_an_error() {
        let fake =
            FakeSystem::default().variable(TOKEN_VARIABLE, "t\u{fffd}ken").variable(OTHER_TOKEN_VARIABLE, "other");
        let error = ask(&fake).unwrap_err();
        assert_eq!(error.message(), format!("{TOKEN_VARIABLE} holds something that is not a token"));
        assert_eq!(EnvVar.origin(&fake), Origin::Explicit(TOKEN_VARIABLE.into()));
    }
}
