//! A token that was put into the environment, or into a file of the sort that containers mount.

use std::path::{Path, PathBuf};

use log::debug;

use super::{
    Feed, Grant,
    endpoints::{Chosen, choose},
};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        private_file,
    },
    error::Result,
    service::Service,
    system::{Platform, System},
};

/// Names a file with the token (Docker's convention). Takes precedence over the variables.
const FILE_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE";

/// The token.
pub(crate) const TOKEN_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_TOKEN";

/// The token, by the names of artifacts-credprovider, the newer one first.
const OTHER_TOKEN_VARIABLES: [&str; 2] = ["ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN", "VSS_NUGET_ACCESSTOKEN"];

/// URL prefixes of the feeds that a token of artifacts-credprovider serves, separated by semicolons, the newer name first.
/// Without any it serves every feed.
const PREFIX_VARIABLES: [&str; 2] = ["ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES", "VSS_NUGET_URI_PREFIXES"];

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

/// The prefix of a feed's URL by which the token of artifacts-credprovider serves it, for the cache key: another feed of
/// the organisation may have another login. `None` if that token is not used, or serves every feed.
#[must_use]
pub(crate) fn matching_prefix(system: &dyn System, feed: &Feed) -> Option<String> {
    prefixes(system).and_then(|(_, prefixes)| best_prefix(prefixes, feed))
}

/// The first variable with prefixes, and its prefixes.
fn prefixes(system: &dyn System) -> Option<(&'static str, Vec<String>)> {
    let (name, value) = PREFIX_VARIABLES.into_iter().find_map(|name| Some((name, system.setting(name)?)))?;
    let prefixes = value.split(';').map(str::trim).filter(|prefix| !prefix.is_empty()).map(str::to_owned).collect();
    Some((name, prefixes))
}

/// The prefix that serves a feed: one that names its host alone, or an endpoint that contains it. Names of organisations,
/// projects and feeds are compared whole: `contoso` is no prefix of `contoso-evil`.
fn best_prefix(prefixes: Vec<String>, feed: &Feed) -> Option<String> {
    let mut services: Vec<_> = prefixes.into_iter().map(|prefix| (Service::parse(&prefix), prefix)).collect();
    let is_whole_host = |service: &Service| {
        service.is_https_on_default_port()
            && service.host() == feed.url().host_str()
            && service.url().is_some_and(|url| url.path() == "/")
    };
    if let Some(position) = services.iter().position(|(service, _)| is_whole_host(service)) {
        return Some(services.swap_remove(position).1);
    }
    // One token for all of them.
    let is_same = |_: &_, _: &_| true;
    match choose(services, |(service, _)| service, is_same, &feed.address()) {
        Chosen::One((_, prefix)) | Chosen::Several((_, prefix)) => Some(prefix),
        Chosen::None => None,
    }
}

/// Where the token is.
enum Source {
    NamedFile(String),
    Variable(&'static str),
    /// A variable whose token serves the feeds with these prefixes alone.
    Limited {
        token: &'static str,
        variable: &'static str,
        prefixes: Vec<String>,
    },
    Mounted(&'static str),
}

impl Source {
    /// The sources in order of precedence, up to the first that serves every feed.
    fn all(system: &dyn System) -> Vec<Self> {
        if let Some(path) = system.setting(FILE_VARIABLE) {
            return vec![Self::NamedFile(path)];
        }
        let is_set = |name: &&'static str| system.secret_setting(name).is_some();
        if is_set(&TOKEN_VARIABLE) {
            return vec![Self::Variable(TOKEN_VARIABLE)];
        }
        let mut sources = Vec::new();
        match (OTHER_TOKEN_VARIABLES.into_iter().find(is_set), prefixes(system)) {
            (Some(token), None) => return vec![Self::Variable(token)],
            (Some(token), Some((variable, prefixes))) => sources.push(Self::Limited { token, variable, prefixes }),
            (None, _) => {}
        }
        // A directory that is closed to this user holds nothing for it. A file that cannot be read is an error.
        let is_there = |path: &&str| system.details(Path::new(path)).is_ok();
        sources.extend(mounted(system).iter().copied().find(is_there).map(Self::Mounted));
        sources
    }

    /// Whether it serves a feed.
    fn serves(&self, feed: &Feed) -> bool {
        match self {
            Self::Limited { prefixes, .. } => best_prefix(prefixes.clone(), feed).is_some(),
            Self::NamedFile(_) | Self::Variable(_) | Self::Mounted(_) => true,
        }
    }

    /// The variable or file, for messages.
    fn name(&self) -> &'static str {
        match self {
            Self::NamedFile(_) => FILE_VARIABLE,
            Self::Variable(name) | Self::Mounted(name) | Self::Limited { token: name, .. } => name,
        }
    }
}

impl TokenProvider<Feed, Grant> for EnvVar {
    fn name(&self) -> &'static str {
        "env_var"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        match &Source::all(system)[..] {
            [] => Origin::Found,
            [only] => Origin::Explicit(only.name().into()),
            // Which of them serves depends on the feed.
            several => Origin::Explicit(several.iter().map(Source::name).collect::<Vec<_>>().join(" or ").into()),
        }
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        // For the session token that a user's bearer is exchanged for. Tokens that are used unchanged are never
        // cached.
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, feed: &Feed) -> Result<Attempt<Grant>> {
        let mut why = format!("no {TOKEN_VARIABLE}");
        for source in Source::all(system) {
            if let Source::Limited { token, variable, .. } = &source
                && !source.serves(feed)
            {
                why = format!("{variable} names no prefix of this feed, so {token} is not used");
                continue;
            }
            let token = match &source {
                Source::NamedFile(path) => private_file::read_token(system, FILE_VARIABLE, path)?,
                Source::Mounted(path) => private_file::read_mounted_token(system, path)?,
                Source::Variable(name) | Source::Limited { token: name, .. } => {
                    match AccessToken::from_variable(system, name)? {
                        Some(token) => token,
                        None => continue,
                    }
                }
            };
            debug!(step = "env_var", outcome = "found"; "the token in {}", source.name());
            return Ok(Attempt::Token(Grant::of_unknown_sort(token)));
        }
        Ok(Attempt::not_configured(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    fn ask(system: &FakeSystem) -> Result<Option<String>> {
        ask_for(system, "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/")
    }

    fn ask_for(system: &FakeSystem, service: &str) -> Result<Option<String>> {
        let feed = Feed::from_service(&Service::parse(service)).unwrap();
        Ok(match EnvVar.token(system, &feed)? {
            Attempt::Token(Grant::Password { token, .. } | Grant::Bearer(token) | Grant::CachedBearer(token)) => {
                Some(token.secret().expose().to_owned())
            }
            Attempt::Token(Grant::Identity(_)) | Attempt::NotConfigured(_) => None,
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
                .variable(OTHER_TOKEN_VARIABLES[1], "other")
                .file(FIRST, "mounted")
                .file(SECOND, "mounted-too")
        };
        assert_eq!(ask(&all().file("/token", "file \n")).unwrap().as_deref(), Some("file"));
        let without_file = || all().variable(FILE_VARIABLE, "");
        assert_eq!(ask(&without_file()).unwrap().as_deref(), Some("variable"));
        let without_own = || without_file().variable(TOKEN_VARIABLE, " ");
        assert_eq!(ask(&without_own()).unwrap().as_deref(), Some("other"));
        let newer = without_own().variable(OTHER_TOKEN_VARIABLES[0], "newer");
        assert_eq!(ask(&newer).unwrap().as_deref(), Some("newer"));
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
            FakeSystem::default().variable(TOKEN_VARIABLE, "t\u{fffd}ken").variable(OTHER_TOKEN_VARIABLES[1], "other");
        let error = ask(&fake).unwrap_err();
        assert_eq!(error.message(), format!("{TOKEN_VARIABLE} holds something that is not a token"));
        assert_eq!(EnvVar.origin(&fake), Origin::Explicit(TOKEN_VARIABLE.into()));
    }

    /// A token of artifacts-credprovider with these prefixes.
    fn limited(prefixes: &str) -> FakeSystem {
        FakeSystem::default()
            .variable(OTHER_TOKEN_VARIABLES[0], "limited")
            .variable(PREFIX_VARIABLES[0], prefixes)
            .variable(PREFIX_VARIABLES[1], "https://pkgs.dev.azure.com/fabrikam/")
    }

    #[test]
    fn prefixes_limit_a_token_to_whole_names() {
        let feed = "https://pkgs.dev.azure.com/contoso/shop/_packaging/feed/pypi/simple/";
        for (prefixes, service, expected) in [
            ("https://pkgs.dev.azure.com/contoso/", feed, true),
            ("https://pkgs.dev.azure.com/contoso", feed, true),
            ("HTTPS://PKGS.dev.azure.com/CONTOSO/Shop/", feed, true),
            ("https://pkgs.dev.azure.com/", feed, true),
            ("https://pkgs.dev.azure.com/contoso/shop/_packaging/feed/nuget/v3/index.json", feed, true),
            ("https://pkgs.dev.azure.com/fabrikam/; https://pkgs.dev.azure.com/contoso/;", feed, true),
            ("https://pkgs.dev.azure.com/contoso/", "https://pkgs.dev.azure.com/contoso-evil/_packaging/f/", false),
            ("https://pkgs.dev.azure.com/contoso", "https://pkgs.dev.azure.com/contoso-evil/_packaging/f/", false),
            ("https://pkgs.dev.azure.com/contoso/sho", feed, false),
            ("https://pkgs.dev.azure.com/contoso/shop/_packaging/fee", feed, false),
            ("https://pkgs.dev.azure.com/fabrikam/", feed, false),
            ("http://pkgs.dev.azure.com/contoso/", feed, false),
            ("https://pkgs.dev.azure.com:8443/contoso/", feed, false),
            ("https://pkgs.dev.azure.com.evil.example/", feed, false),
            ("https://pkgs.dev.azure.com/", "https://contoso.pkgs.visualstudio.com/_packaging/f/", false),
            ("https://contoso.pkgs.visualstudio.com/", feed, true),
            (
                "https://pkgs.dev.azure.com/contoso/My%20Shop",
                "https://pkgs.dev.azure.com/contoso/my shop/_packaging/f/",
                true,
            ),
            (
                "https://pkgs.dev.azure.com/contoso/_packaging/f",
                "https://pkgs.dev.azure.com/contoso/_packaging/f@Local/",
                true,
            ),
            (
                "https://pkgs.dev.azure.com/contoso/_packaging/f",
                "https://pkgs.dev.azure.com/contoso/_packaging/ff/",
                false,
            ),
            (";", feed, false),
        ] {
            let found = ask_for(&limited(prefixes), service).unwrap();
            assert_eq!(found.is_some(), expected, "{prefixes} {service}");
        }
    }

    #[test]
    fn blank_prefixes_and_those_of_the_older_name_count() {
        assert_eq!(ask(&limited(" ")), Ok(None));
        let older = limited(" ").variable(PREFIX_VARIABLES[1], "https://pkgs.dev.azure.com/contoso/");
        assert_eq!(ask(&older).unwrap().as_deref(), Some("limited"));
        let neither = limited(" ").variable(PREFIX_VARIABLES[1], " ");
        assert_eq!(ask(&neither).unwrap().as_deref(), Some("limited"));
    }

    #[test]
    fn a_token_that_is_not_used_hides_no_mounted_one() {
        let fake = limited("https://pkgs.dev.azure.com/fabrikam/").on(Platform::Linux);
        let feed = Feed::from_service(&Service::parse("https://pkgs.dev.azure.com/contoso/")).unwrap();
        let Ok(Attempt::NotConfigured(why)) = EnvVar.token(&fake, &feed) else { panic!("it is not used") };
        let [token, prefixes] = [OTHER_TOKEN_VARIABLES[0], PREFIX_VARIABLES[0]];
        assert_eq!(why, format!("{prefixes} names no prefix of this feed, so {token} is not used"));
        let both = fake.file(FIRST, "mounted");
        assert_eq!(ask(&both).unwrap().as_deref(), Some("mounted"));
        assert_eq!(EnvVar.origin(&both), Origin::Explicit(format!("{token} or {FIRST}").into()));
    }

    #[test]
    fn own_tokens_ignore_the_prefixes() {
        let fake = limited("https://pkgs.dev.azure.com/fabrikam/").variable(TOKEN_VARIABLE, "own");
        assert_eq!(ask(&fake).unwrap().as_deref(), Some("own"));
    }
}
