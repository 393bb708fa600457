//! Programs that print a token: az, azd, chainctl and their like.

use std::{path::PathBuf, time::Duration};

use crate::{
    auth::access_token::{AccessToken, Malformed},
    error::{Error, Kind, Result},
    system::{
        System,
        process::{Command, Output},
    },
};

/// A program that prints a token on standard output. What it prints on standard error is for people, may repeat secrets
/// and is never quoted.
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

#[cfg(test)]
mod tests {
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
}
