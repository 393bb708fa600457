//! A profile.

use std::{borrow::Cow, collections::BTreeMap};

use super::dialect::{File, Values};
use crate::error::LONGEST_NAME;

/// A profile: the keys of both files, of which the credentials file has precedence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    name: String,
    config: Values,
    credentials: Values,
    /// The section that its key `services` names.
    services: Values,
}

impl Profile {
    /// A profile without a key.
    pub(super) fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Adds the values that a file has for it.
    pub(super) fn add(&mut self, values: Values, file: File) {
        match file {
            File::Config => self.config = values,
            File::Credentials => self.credentials = values,
        }
    }

    /// Chooses the section that its key `services` names from all of them.
    pub(super) fn choose_services(&mut self, all: &BTreeMap<String, Values>) {
        self.services = self.value("services").and_then(|name| all.get(name)).cloned().unwrap_or_default();
    }

    /// Its name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value of a key, by its name in lower case; `None` if it is missing or blank.
    #[must_use]
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.credentials.get(key).or_else(|| self.config.get(key))
    }

    /// Whether the value of a key is that of the credentials file.
    #[must_use]
    pub(crate) fn is_in_credentials(&self, key: &str) -> bool {
        self.credentials.get(key).is_some()
    }

    /// The address of a service (by its key in a `services` section), as the profile's `services` section has it.
    #[must_use]
    pub(crate) fn service_endpoint(&self, service: &str) -> Option<&str> {
        self.services.sub_property(service, "endpoint_url")
    }
}

/// The name of a profile as an argument of a command to run: in quotation marks if a shell would split it, and `NAME` if it is
/// too long to be shown, or a shell would run a part of it.
#[must_use]
pub(crate) fn argument(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&byte);
    let is_odd = |character: char| character.is_control() || "\"\\$`!".contains(character);
    if name.chars().count() > LONGEST_NAME || name.contains(is_odd) {
        Cow::Borrowed("NAME")
    } else if name.bytes().all(is_plain) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{name}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_command_is_one_argument_of_any_shell() {
        for (name, shown) in [
            ("corp", "corp"),
            ("team/a.b@c:d+1%", "team/a.b@c:d+1%"),
            ("my team", "\"my team\""),
            ("a;b", "\"a;b\""),
            ("été", "\"été\""),
            ("$(touch x)", "NAME"),
            ("a`b`", "NAME"),
            ("a\"b", "NAME"),
            ("a\\", "NAME"),
            ("a\u{1b}[2J", "NAME"),
            (&"a".repeat(10_000), "NAME"),
        ] {
            assert_eq!(argument(name), shown);
        }
    }
}
