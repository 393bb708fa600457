//! Properties that hold for any configuration of gcloud and anything that it prints. The target in `fuzz/` searches for
//! counterexamples; the tests here run the seeds.

use std::path::{Component, Path};

use zeroize::Zeroizing;

use crate::{
    auth::access_token::AccessToken,
    error::Kind,
    registry::google::gcloud::{configuration, program},
    system::{
        Platform,
        fake::{FakeSystem, absolute},
        fuzz::{check_error, leaks, split_at_marker},
        process::Output,
    },
};

/// Separates the parts of a text: the name of the active configuration, its properties, what gcloud prints on standard
/// output, and on standard error.
const SEPARATOR: &[u8] = b"\n--\n";

/// The directory of the configuration.
const DIRECTORY: &str = "/home/ada/gcloud";

/// Long enough that no other text contains a part of it by chance.
const SECRET: &str = "Gq7madeup0token0of0gcloud0Gq9";

/// The configuration of gcloud and its output: no path is outside its directory, a token is one word of the output, and an
/// error repeats neither standard output nor a token on standard error.
///
/// # Panics
///
/// If that does not hold.
pub fn google_gcloud(text: &[u8]) {
    let mut parts = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (part, more) = split_at_marker(text, SEPARATOR);
        parts.push(part);
        rest = more.filter(|_| parts.len() < 4);
    }
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    check_configuration(part(0), part(1));
    check_output(part(2));
    check_failure(part(3));
}

fn check_configuration(active: &[u8], properties: &[u8]) {
    let system = FakeSystem::default().on(Platform::Linux).variable("CLOUDSDK_CONFIG", &absolute(DIRECTORY));
    system.write(&format!("{DIRECTORY}/active_config"), active);
    let name = String::from_utf8_lossy(active);
    let name = Some(name.trim()).filter(|name| !name.is_empty() && !name.contains('/')).unwrap_or("default");
    system.write(&format!("{DIRECTORY}/configurations/config_{name}"), properties);
    let directory = absolute(DIRECTORY);
    for path in configuration::files(&system).into_iter().chain(configuration::login_files(&system)) {
        let below = path.strip_prefix(&directory);
        assert!(below.is_ok_and(is_below), "{}", path.display());
    }
    let read = configuration::Configuration::read(&system);
    for account in [read.account(), read.impersonated()].into_iter().flatten() {
        assert!(!account.is_empty() && account.trim() == account, "{account:?}");
    }
    assert!(!read.is_opaque() || read.reason().is_some(), "{read:?}");
    assert!(read.login(&system).is_none_or(|path| path.iter().count() == Path::new(&directory).iter().count() + 3));
}

/// Whether a path goes down at each step.
fn is_below(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_))) && path.iter().count() <= 3
}

fn check_output(printed: &[u8]) {
    let system = FakeSystem::default();
    let text = String::from_utf8_lossy(printed);
    match program::read_printed(&system, &output(0, printed, b"")) {
        Ok(token) => {
            assert!(AccessToken::parse(token.secret().expose()).is_ok_and(|again| again.secret() == token.secret()));
            assert!(token.expires().is_some() && text.trim().starts_with('{') && text.trim().ends_with('}'));
        }
        Err(error) => {
            let known = [
                "nothing",
                "more than a token",
                "something that is not a token",
                "a token with an end that is not a time",
            ];
            let what = error.message().strip_prefix("gcloud printed ");
            assert!(what.is_some_and(|what| known.contains(&what)) && error.kind() == Kind::Protocol, "{error}");
        }
    }
}

fn check_failure(said: &[u8]) {
    let text = String::from_utf8_lossy(said);
    let known = leaks(&text, SECRET);
    let said = format!("{text}\nERROR: {text} {SECRET}");
    for impersonated in [None, Some("builder@p.example")] {
        let error = program::explain_printed(&output(1, b"", said.as_bytes()), impersonated);
        check_error(&error, if known { &[] } else { &[SECRET] });
        assert!(error.message().chars().count() < 200 && error.hint().is_some(), "{error}");
    }
}

fn output(status: i32, stdout: &[u8], stderr: &[u8]) -> Output {
    let bytes = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
    Output { status: Some(status), stdout: bytes(stdout), stderr: bytes(stderr) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::{seed, seeds};

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("google_gcloud") {
            google_gcloud(&seed);
        }
    }

    #[test]
    fn the_seeds_lead_to_tokens_and_logins() {
        let parts = |name: &str| -> Vec<Vec<u8>> {
            let text = String::from_utf8(seed("google_gcloud", name)).unwrap();
            text.split("\n--\n").map(|part| part.as_bytes().to_vec()).collect()
        };
        assert!(program::read_printed(&FakeSystem::default(), &output(0, &parts("usual")[2], b"")).is_ok());
        assert!(program::read_printed(&FakeSystem::default(), &output(0, &parts("banner")[2], b"")).is_err());
    }

    proptest! {
        #[test]
        fn no_account_leaves_the_directory(account in "[.a/:\\\\@ \u{7}\u{e9}]{0,12}|\\PC{0,12}") {
            google_gcloud(format!("default\n--\n[core]\naccount = {account}\n").as_bytes());
        }

        #[test]
        fn no_name_leaves_the_directory(name in "[.a-c/\\\\-]{0,8}|\\PC{0,8}") {
            google_gcloud(format!("{name}\n--\n[core]\naccount = ada\n").as_bytes());
        }

        #[test]
        fn any_output_is_one_token_or_an_error(before in "\\PC{0,4}", token in "\\PC{0,9}", expiry in "null|\"\\PC{0,9}\"|\"2026-11-22T0[0-9]:00:00Z\"", after in "[\\PC\n]{0,4}") {
            let document = format!("{before}{{\"credential\":{{\"access_token\":\"{token}\",\"token_expiry\":{expiry}}}}}{after}");
            google_gcloud(format!("\n--\n\n--\n{document}").as_bytes());
        }

        #[test]
        fn no_token_on_standard_error_is_quoted(said in "(ERROR: |\\(gcloud|reauth|token|=|:|--|\"| |\n|\\PC){0,12}") {
            google_gcloud(format!("\n--\n\n--\n\n--\n{said}").as_bytes());
        }
    }
}
