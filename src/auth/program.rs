//! Programs that print a token: az, azd, chainctl and their like.

use std::{path::PathBuf, time::Duration};

use crate::{
    auth::access_token::{AccessToken, Malformed},
    error::{Error, HIDDEN, Kind, Result, quote, single_line},
    system::{
        System,
        process::{Command, Output},
    },
};

/// A program that prints a token on standard output. What it prints on standard error is for people, and may repeat secrets:
/// it is quoted [without](without_secrets) them, or not at all.
pub(crate) struct TokenProgram<'all> {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// How long one run may take: a sign-in that waits for a person never ends.
    pub(crate) limit: Duration,
    /// Variables set on top of the environment.
    pub(crate) variables: &'all [(&'static str, &'static str)],
    /// What to do if it fails.
    pub(crate) hint: &'all str,
}

impl TokenProgram<'_> {
    /// Runs it to its end, whatever its exit code.
    pub(crate) fn run(&self, system: &dyn System, arguments: &[&str]) -> Result<Output> {
        let command = Command::new(self.path.clone(), arguments, self.limit);
        system.run(&self.variables.iter().fold(command, |command, (name, value)| command.variable(name, *value)))
    }

    /// Runs it and returns what it printed. Any exit code but 0 is an error.
    pub(crate) fn output(&self, system: &dyn System, arguments: &[&str]) -> Result<Output> {
        let output = self.run(system, arguments)?;
        if output.is_success() { Ok(output) } else { Err(self.failure(&output)) }
    }

    /// Runs it and reads the token that is all of its output.
    pub(crate) fn token(&self, system: &dyn System, arguments: &[&str]) -> Result<AccessToken> {
        let output = self.output(system, arguments)?;
        AccessToken::parse(&*output.stdout).map_err(|malformed| self.malformed(malformed))
    }

    /// The error of a run that did not succeed.
    pub(crate) fn failure(&self, output: &Output) -> Error {
        let name = self.name;
        let message = match output.status {
            Some(status) => format!("{name} ended with status {status}"),
            None => format!("{name} was ended by a signal"),
        };
        Error::new(Kind::Process, message).with_hint(self.hint)
    }

    /// The error of output that holds no token: a banner or a warning around it must not become part of a password.
    pub(crate) fn malformed(&self, malformed: Malformed) -> Error {
        Error::new(Kind::Protocol, format!("{} printed {malformed}", self.name)).with_hint(self.hint)
    }
}

/// The minimum length of a token that contains a digit. User names, versions and most file names are shorter.
const SHORTEST_TOKEN: usize = 20;

/// The minimum length of a token without a digit. Names are shorter.
const SHORTEST_TOKEN_WITHOUT_DIGIT: usize = 40;

/// The ends of names whose value, in `name=value`, is a secret.
const SECRET_NAMES: [&str; 9] = ["secret", "password", "passwd", "pwd", "token", "assertion", "code", "key", "sig"];

/// A line of a program's standard error without anything that looks like a token, or like a URL that may hold one.
#[must_use]
pub(crate) fn without_secrets(line: &str) -> String {
    // Hidden before the quotation is cut, so that no part of a token is left.
    let line = single_line(line);
    let mut is_value = false;
    let words: Vec<_> = line
        .split(' ')
        .map(|word| {
            let shown = if is_value { HIDDEN.to_owned() } else { without_secret(word) };
            let lower = word.to_ascii_lowercase();
            is_value = lower.starts_with("--") && SECRET_NAMES.iter().any(|name| lower.ends_with(name));
            shown
        })
        .collect();
    quote(&words.join(" "), &[])
}

fn without_secret(word: &str) -> String {
    if word.contains("://") && word.contains(['@', '?']) {
        return HIDDEN.to_owned();
    }
    if let Some(end) = end_of_secret_name(word) {
        return format!("{}{HIDDEN}", &word[..end]);
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '~');
    let mut shown = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let (part, others) = rest.split_at(rest.find(|character| !is_part(character)).unwrap_or(rest.len()));
        match looks_like_token(part) {
            // The parts of a JSON Web Token.
            true if shown.ends_with("(hidden).") => drop(shown.pop()),
            true => shown.push_str(HIDDEN),
            false => shown.push_str(part),
        }
        let (between, others) = others.split_at(others.find(is_part).unwrap_or(others.len()));
        shown.push_str(between);
        rest = others;
    }
    shown
}

/// Where the value of a secret begins: in `name=value`, `name:value` or `"name":"value"`, anywhere in the word.
fn end_of_secret_name(word: &str) -> Option<usize> {
    let lower = word.to_ascii_lowercase();
    let ends = SECRET_NAMES.iter().flat_map(|name| lower.match_indices(name).map(|(start, name)| start + name.len()));
    ends.filter_map(|end| {
        let value = word[end..].trim_start_matches(['"', '\'']).strip_prefix(['=', ':'])?;
        (!value.is_empty()).then(|| word.len() - value.len())
    })
    .min()
}

/// Whether a word may be a token: the first part of a JSON Web Token, or random characters. The GUID of a tenant or an
/// application is not one.
fn looks_like_token(part: &str) -> bool {
    let is_guid = part.len() == 36 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let has_digit = part.bytes().any(|byte| byte.is_ascii_digit());
    let shortest = if has_digit { SHORTEST_TOKEN } else { SHORTEST_TOKEN_WITHOUT_DIGIT };
    !is_guid && (part.starts_with("eyJ") || part.len() >= shortest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fake::FakeSystem;

    fn token(fake: &FakeSystem) -> Result<AccessToken> {
        let path = PathBuf::from("/bin/tool");
        TokenProgram { name: "tool", path, limit: Duration::from_secs(9), variables: &[], hint: "log in" }
            .token(fake, &["print"])
    }

    #[test]
    fn the_token_is_all_of_standard_output() {
        let fake = FakeSystem::default().run("tool", &["print"], 0, " token\n", "noise");
        assert_eq!(token(&fake).unwrap().secret().expose(), "token");
        assert_eq!(fake.limits(), [Duration::from_secs(9)]);
    }

    #[test]
    fn failures_name_the_program_and_quote_nothing() {
        for (status, printed, message) in [
            (3, "x-secret", "tool ended with status 3; log in"),
            (0, "", "tool printed nothing; log in"),
            (0, "new version\nx-secret", "tool printed more than a token; log in"),
        ] {
            let error = token(&FakeSystem::default().run("tool", &["print"], status, printed, "x-secret")).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn words_that_look_like_tokens_are_hidden() {
        for (line, shown) in [
            ("bad eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2lnbmF0dXJl!", "bad (hidden).c2lnbmF0dXJl!"),
            ("1.AXoAabcdefghijklmnopqrstuv0123456789-x_y", "1.(hidden)"),
            ("pat abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst", "pat (hidden)"),
            ("client_secret=hunter2 Password=x", "client_secret=(hidden) Password=(hidden)"),
            ("a=b&client_secret=hunter2&c=d", "a=b&client_secret=(hidden)"),
            (r#"{"client_secret":"hunter2"}"#, r#"{"client_secret":(hidden)"#),
            ("az --password Hunter2 --tenant t", "az --password (hidden) --tenant t"),
            ("of abc8Q~Zk4xQ_w3Lm9aPq7Rt", "of (hidden)"),
            ("Error code: 400", "Error code: 400"),
            ("via http://ada:hunter2@proxy:8080 to https://a.example/?sig=x", "via (hidden) to (hidden)"),
            (
                "tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 of https://a.example/x",
                "tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 of https://a.example/x",
            ),
            (
                "'/home/ada/.tool/token_cache_of_users.json.lockfile' [Errno 13]",
                "'/home/ada/.tool/token_cache_of_users.json.lockfile' [Errno 13]",
            ),
            ("AuthenticationRequiredError host='a.example'", "AuthenticationRequiredError host='a.example'"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
    }

    proptest! {
        #[test]
        fn a_quotation_shows_no_token(before in "\\PC{0,20}", token in "[A-Za-z]{10}[0-9][A-Za-z0-9_-]{20,60}", after in "\\PC{0,20}") {
            let shown = without_secrets(&format!("{before} {token} {after}"));
            prop_assert!(!shown.contains(&token), "{}", shown);
        }
    }
}
