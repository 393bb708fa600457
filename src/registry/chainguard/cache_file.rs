//! The token that chainctl has cached on disk: reading it needs no process.

use std::{path::PathBuf, time::Duration};

use zeroize::Zeroizing;

use super::{AUDIENCE, Known, credential, is_for_libraries};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_key::is_there,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::Result,
    registry::Credential,
    system::{System, places},
};

/// The maximum size of the file in bytes.
const CAP: usize = 64 * 1024;

/// The minimum remaining lifetime of a token, so that an install can finish. Otherwise chainctl renews it.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The source.
pub(crate) struct CacheFile;

impl TokenProvider<Known, Credential> for CacheFile {
    fn name(&self) -> &'static str {
        "chainctl_cache"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    /// Never an error: chainctl repairs its own file when it runs.
    fn token(&self, _system: &dyn System, known: &Known) -> Result<Attempt<Credential>> {
        Ok(match &known.cached {
            Ok(token) => Attempt::Token(credential(token.clone())),
            Err(why) => Attempt::not_configured(why),
        })
    }
}

/// The token in the file, or why it does not serve.
pub(super) fn usable(system: &dyn System) -> std::result::Result<AccessToken, String> {
    let path = path(system).ok_or("no cache directory is known")?;
    let skip = |why: &str| format!("{} {why}", path.display());
    let content = system.read_file(&path, CAP).map(Zeroizing::new).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => skip("is not there"),
        _ => skip("cannot be read"),
    })?;
    let token = AccessToken::parse(&*content).map_err(|_| skip("holds no token"))?;
    let claims = token.claims().ok_or_else(|| skip("holds no token"))?;
    if is_for_libraries(&claims) != Some(true) {
        return Err(skip("is for another audience"));
    }
    match token.expires() {
        Some(end) if end > system.now() + MARGIN => Ok(token),
        Some(_) => Err(skip("has expired, or is about to")),
        None => Err(skip("does not say when it expires")),
    }
}

/// The file with chainctl's token for the libraries.
pub(super) fn path(system: &dyn System) -> Option<PathBuf> {
    Some(folder(system)?.join(AUDIENCE).join("oidc-token"))
}

/// The files that chainctl writes when a user logs in or out: the tokens for the libraries and for the console, which
/// it exchanges for others.
/// <https://pkg.go.dev/chainguard.dev/sdk/auth/token>
pub(super) fn login(system: &dyn System) -> Vec<PathBuf> {
    let Some(folder) = folder(system) else { return Vec::new() };
    let files = |audience: &str| ["oidc-token", "refresh-token"].map(|name| folder.join(audience).join(name));
    [files(AUDIENCE), files("https:--console-api.enforce.dev")].concat()
}

/// Where a token of chainctl's may be cached: another login changes the cache key if chainctl keeps its login here.
pub(super) fn cache_policy(system: &dyn System) -> CachePolicy {
    if login(system).iter().any(|path| is_there(system, path)) { CachePolicy::Session } else { CachePolicy::Waiters }
}

/// chainctl's directory below the cache directory. <https://pkg.go.dev/chainguard.dev/sdk/auth/token>
fn folder(system: &dyn System) -> Option<PathBuf> {
    Some(places::user_cache(system)?.join("chainguard"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        auth::jwt::token_of,
        system::fake::{FakeSystem, absolute},
    };

    fn skipped(content: &str) -> Option<String> {
        let home = FakeSystem::default().home("/home/user").variable("LOCALAPPDATA", &absolute("/local"));
        let place = path(&home).unwrap().display().to_string();
        let fake = home.file(&place, content);
        match CacheFile.token(&fake, &Known { cached: usable(&fake) }).unwrap() {
            Attempt::Token(found) => {
                assert_eq!(found.password.expose(), content.trim());
                None
            }
            Attempt::NotConfigured(why) => Some(why.replace(&place, "it")),
        }
    }

    fn of(audience: &Value, life: u64) -> String {
        token_of(&json!({"aud": audience, "exp": 1_795_305_600 + life}))
    }

    #[test]
    fn a_fresh_token_for_the_libraries_is_taken() {
        assert_eq!(skipped(&of(&json!(AUDIENCE), 3600)), None);
        assert_eq!(skipped(&format!("{}\n", of(&json!([AUDIENCE]), 301))), None);
    }

    #[test]
    fn every_other_file_is_passed_over_with_the_reason() {
        assert_eq!(skipped(&of(&json!(AUDIENCE), 300)).as_deref(), Some("it has expired, or is about to"));
        assert_eq!(skipped(&of(&json!("other"), 3600)).as_deref(), Some("it is for another audience"));
        assert_eq!(skipped(&token_of(&json!({"aud": AUDIENCE}))).as_deref(), Some("it does not say when it expires"));
        assert_eq!(skipped("").as_deref(), Some("it holds no token"));
        assert_eq!(skipped(&"x".repeat(CAP + 1)).as_deref(), Some("it cannot be read"));
    }

    #[test]
    fn the_cache_directory_is_the_one_that_go_takes() {
        let file = |cache: &str| Some(absolute(&format!("{cache}/chainguard/libraries.cgr.dev/oidc-token")).into());
        let at = |variable: &str, cache: &str| {
            path(&FakeSystem::default().home("/home/user").variable(variable, &absolute(cache)))
        };
        if cfg!(windows) {
            assert_eq!(at("LOCALAPPDATA", "/local"), file("/local"));
            assert_eq!(at("LOCALAPPDATA", "relative"), None);
        } else if cfg!(target_os = "macos") {
            assert_eq!(at("XDG_CACHE_HOME", "/cache"), file("/home/user/Library/Caches"));
        } else {
            assert_eq!(at("XDG_CACHE_HOME", "/cache"), file("/cache"));
            assert_eq!(at("XDG_CACHE_HOME", "relative"), file("/home/user/.cache"));
        }
        assert_eq!(path(&FakeSystem::default()), None);
    }

    proptest! {
        #[test]
        fn any_content_is_a_token_or_skipped(content in "\\PC{0,200}") {
            skipped(&content);
        }
    }
}
