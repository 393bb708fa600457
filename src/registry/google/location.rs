//! Where a credential file is, and what names it: errors say so, and which command signs in again.

use std::path::PathBuf;

use crate::{
    auth::private_file,
    error::{Error, Kind},
};

/// Where a credential file is, and why it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Its path.
    pub(super) path: PathBuf,
    /// What names it.
    pub(super) named_by: NamedBy,
}

/// What names a credential file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// An environment variable.
    Variable(&'static str),
    /// The usual path of `gcloud auth application-default login`.
    ApplicationDefault,
    /// The usual path of `gcloud auth login`.
    Gcloud,
}

impl Location {
    /// The error for a file that cannot be used. `why` is a clause about the file, such as "is not valid JSON", and holds
    /// nothing of its secrets.
    #[must_use]
    pub(super) fn broken(&self, why: &str) -> Error {
        let path = self.path.display().to_string();
        match self.named_by {
            NamedBy::Variable(variable) => private_file::broken(variable, &path, why),
            NamedBy::ApplicationDefault | NamedBy::Gcloud => {
                Error::new(Kind::Configuration, format!("{path} {why}")).with_hint(self.sign_in())
            }
        }
    }

    /// The error for a file whose content is refused for a reason that does not name the file.
    #[must_use]
    pub(super) fn refused(&self, reason: &Error) -> Error {
        self.broken(&format!("is refused: {}", reason.message()))
    }

    /// The command that renews a person's login. gcloud keeps two logins, and each command renews one of them.
    /// <https://cloud.google.com/docs/authentication/gcloud>
    #[must_use]
    pub(super) fn login_command(&self) -> &'static str {
        match self.named_by {
            NamedBy::Variable(_) | NamedBy::ApplicationDefault => "gcloud auth application-default login",
            NamedBy::Gcloud => "gcloud auth login",
        }
    }

    /// The hint to sign in again.
    #[must_use]
    pub(super) fn sign_in(&self) -> String {
        let run = format!("run `{}`", self.login_command());
        match self.named_by {
            // The command writes the file at the usual path.
            NamedBy::Variable(variable) => format!("{run}, and unset {variable} if it names another file"),
            NamedBy::ApplicationDefault | NamedBy::Gcloud => run,
        }
    }

    /// The hint to use gcloud's own login instead of the file.
    #[must_use]
    pub(super) fn gcloud_login(&self) -> String {
        let run = "run `gcloud auth login`";
        match self.named_by {
            NamedBy::Variable(variable) => format!("{run}, and unset {variable}"),
            NamedBy::ApplicationDefault | NamedBy::Gcloud => run.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file_and_the_command_of_its_login() {
        for (named_by, broken, sign_in) in [
            (
                NamedBy::Variable("VARIABLE"),
                "VARIABLE names /x, which is not valid JSON; correct or unset VARIABLE",
                "run `gcloud auth application-default login`, and unset VARIABLE if it names another file",
            ),
            (
                NamedBy::ApplicationDefault,
                "/x is not valid JSON; run `gcloud auth application-default login`",
                "run `gcloud auth application-default login`",
            ),
            (NamedBy::Gcloud, "/x is not valid JSON; run `gcloud auth login`", "run `gcloud auth login`"),
        ] {
            let location = Location { path: "/x".into(), named_by };
            assert_eq!(location.broken("is not valid JSON").to_string(), broken);
            assert_eq!(location.sign_in(), sign_in);
        }
    }
}
