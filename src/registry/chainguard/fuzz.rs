//! Properties that hold for any output and cache file of chainctl, and any answer of Chainguard's exchange. The
//! targets in `fuzz/` search for counterexamples; the tests here run the seeds.

use super::{AUDIENCE, ChainguardLibraries, TOKEN_USERNAME, cache_file, chainctl, is_for_libraries};
use crate::{
    auth::access_token::AccessToken,
    registry::CredentialSource,
    service::Service,
    system::{
        Clock,
        fake::{FakeSystem, absolute},
        fuzz::{check_error, leaks, responses},
    },
};

/// Long enough that no other text contains a part of it by chance.
const PROOF: &str = "Pq7madeup.proof-of_the_jobPq9";

/// Output or cache file of chainctl: the token is all of it, or its one line; an error repeats none of it.
///
/// # Panics
///
/// If that does not hold.
pub fn printed(printed: &[u8]) {
    let text = String::from_utf8_lossy(printed);
    match chainctl::token(printed) {
        Ok(token) => assert!(token.secret().expose() == text.trim()),
        Err(error) => check_silent(&error),
    }
    match chainctl::pull_token(printed) {
        Ok(found) => {
            assert!(
                AccessToken::parse(found.password.expose()).is_ok()
                    && !found.username.is_empty()
                    && found.username.lines().count() == 1
            );
            for (name, value) in [("Username:", found.username.as_str()), ("Password:", found.password.expose())] {
                let is_said = |line: &str| line.trim().strip_prefix(name).is_some_and(|said| said.trim() == value);
                assert_eq!(text.lines().filter(|line| is_said(line)).count(), 1);
            }
        }
        Err(error) => check_silent(&error),
    }
    let home = FakeSystem::default().home("/home/user").variable("LOCALAPPDATA", &absolute("/local"));
    let Some(path) = cache_file::path(&home) else { panic!("there is a home") };
    let place = path.to_string_lossy();
    home.write(&place, printed);
    match cache_file::usable(&home) {
        Ok(token) => {
            let Some(claims) = token.claims() else { panic!("it has no claims") };
            assert!(token.secret().expose() == text.trim() && is_for_libraries(&claims) == Some(true));
            assert!(claims.expires().is_some_and(|end| end > home.now()));
        }
        Err(why) => assert!(why.starts_with(&*place) && why.len() < place.len() + 60, "{why}"),
    }
}

/// The message is one of a fixed set, whatever was printed.
fn check_silent(error: &crate::error::Error) {
    let what = error.message().strip_prefix("chainctl printed ");
    let known = ["nothing", "more than a token", "something that is not a token", "no pull token"];
    assert!(what.is_some_and(|what| known.contains(&what)), "{error}");
}

/// The exchange of a job's token: it is sent to one URL, and the outcome is a token of one word or an error without
/// it.
///
/// # Panics
///
/// If that does not hold.
pub fn exchange(said: &[u8]) {
    let fake = FakeSystem::default()
        .variable("RINGBEARER_CHAINGUARD_IDENTITY", "0a/1b")
        .variable("RINGBEARER_CHAINGUARD_OIDC_TOKEN_FILE", &absolute("/run/token"))
        .file("/run/token", PROOF)
        .answers(responses(said));
    let outcome = ChainguardLibraries::default().get(&fake, &Service::parse(AUDIENCE));
    for request in fake.requests() {
        assert_eq!(request.url.as_str(), "https://issuer.enforce.dev/sts/exchange");
        assert!(!leaks(&String::from_utf8_lossy(&request.body), PROOF));
    }
    match outcome {
        Ok(found) => {
            let Some(found) = found else { panic!("it is claimed, and there is no answer") };
            assert!(AccessToken::parse(found.password.expose()).is_ok() && found.username == TOKEN_USERNAME);
            assert!(found.expires.is_none_or(|end| end > fake.now()));
        }
        Err(error) => check_error(&error, &[PROOF]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("chainctl") {
            printed(&seed);
        }
        for seed in seeds("chainguard_exchange") {
            exchange(&seed);
        }
    }

    #[test]
    fn the_seeds_lead_to_every_sort_of_token() {
        let seeds = seeds("chainctl");
        assert!(seeds.iter().any(|seed| chainctl::token(seed).is_ok()));
        assert!(seeds.iter().any(|seed| chainctl::pull_token(seed).is_ok()));
        let kept = |seed: &[u8]| {
            let fake = FakeSystem::default().home("/home/user").variable("LOCALAPPDATA", &absolute("/local"));
            fake.write(&cache_file::path(&fake).unwrap().to_string_lossy(), seed);
            cache_file::usable(&fake).is_ok()
        };
        assert!(seeds.iter().any(|seed| kept(seed)));
    }
}
