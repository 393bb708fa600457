//! The dialect of INI that AWS's programs write: sections with a kind and a name, comments at the end of a line, and
//! sub-properties.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use crate::ini::Ini;

/// One of the two files: their headings differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// `~/.aws/config`.
    Config,
    /// `~/.aws/credentials`.
    Credentials,
}

/// A heading that means something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heading {
    /// `[default]` and `[profile NAME]`, in the credentials file `[NAME]`.
    Profile(String),
    /// `[sso-session NAME]`.
    SsoSession(String),
    /// `[services NAME]`.
    Services(String),
}

/// The values of a section by the names of their keys, in lower case.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Values(BTreeMap<String, Zeroizing<String>>);

/// A value may be a secret, and a key of a broken file as well.
impl fmt::Debug for Values {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Values({})", self.0.len())
    }
}

impl Values {
    /// The value of a key, without surrounding white space; `None` if it is missing or blank.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        Some(self.0.get(key)?.trim()).filter(|value| !value.is_empty())
    }

    /// The value of a sub-property: a line `key = value` that is indented below a key without a value of its own.
    pub(super) fn sub_property(&self, key: &str, name: &str) -> Option<&str> {
        let lines = self.0.get(key)?.strip_prefix('\n')?.lines();
        let mut properties = lines.filter_map(|line| line.split_once('='));
        let value = properties.rfind(|(key, _)| key.trim().eq_ignore_ascii_case(name))?.1.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// Reads the sections of a file. Those that occur more than once are merged, and the last value of a key counts, as in
/// AWS's specification. Lines that mean nothing are skipped, since other programs own the file.
pub(super) fn parse(text: &str, file: File) -> BTreeMap<Heading, Values> {
    let ini = Ini::parse(text);
    let default = Heading::Profile("default".to_owned());
    let is_default = |raw: &str| raw.trim() == "default" && file == File::Config;
    let is_replaced = ini.sections().any(|raw| !is_default(raw) && heading(raw, file).as_ref() == Some(&default));
    // `[profile default]` replaces `[default]` instead of being merged with it.
    let heading = |raw: &str| heading(raw, file).filter(|_| !(is_default(raw) && is_replaced));
    let mut sections: BTreeMap<Heading, Values> = BTreeMap::new();
    for heading in ini.sections().filter_map(heading) {
        sections.entry(heading).or_default();
    }
    for (raw, key, value) in ini.entries() {
        if let Some(heading) = heading(raw) {
            sections.entry(heading).or_default().0.insert(key.to_owned(), without_comments(value));
        }
    }
    sections
}

/// What the text between the brackets of a heading means.
fn heading(raw: &str, file: File) -> Option<Heading> {
    let raw = raw.trim();
    let parts = raw.split_once(char::is_whitespace).map(|(kind, name)| (kind, without_quotes(name.trim_start())));
    let heading = match (file, parts) {
        (File::Config, Some(("profile", name))) => Heading::Profile(name),
        (File::Config, Some(("sso-session", name))) => Heading::SsoSession(name),
        (File::Config, Some(("services", name))) => Heading::Services(name),
        (File::Config, None) if raw == "default" => Heading::Profile(raw.to_owned()),
        // AWS's programs take the prefix for a mistake there, and so do not know the profile.
        (File::Config, _) | (File::Credentials, Some(("profile", _))) => return None,
        (File::Credentials, _) => Heading::Profile(without_quotes(raw)),
    };
    let (Heading::Profile(name) | Heading::SsoSession(name) | Heading::Services(name)) = &heading;
    (!name.is_empty()).then_some(heading)
}

/// A name without the quotation marks around it, which the AWS CLI writes if it contains blanks.
fn without_quotes(name: &str) -> String {
    let inner = ['"', '\''].into_iter().find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote));
    inner.unwrap_or(name).trim().to_owned()
}

/// A value without the comments at the ends of its lines.
fn without_comments(value: &str) -> Zeroizing<String> {
    let mut cleaned = Zeroizing::new(String::with_capacity(value.len()));
    for (number, line) in value.split('\n').enumerate() {
        if number > 0 {
            cleaned.push('\n');
        }
        cleaned.push_str(without_comment(line));
    }
    cleaned
}

/// A line up to the comment: `#` or `;` after a blank, or at the beginning.
fn without_comment(line: &str) -> &str {
    let mut marks = line.match_indices(['#', ';']).map(|(start, _)| &line[..start]);
    marks.find(|before| before.chars().next_back().is_none_or(char::is_whitespace)).unwrap_or(line).trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile(name: &str) -> Heading {
        Heading::Profile(name.to_owned())
    }

    #[test]
    fn a_heading_has_a_kind_and_a_name() {
        let config = |name| (File::Config, name);
        let credentials = |name| (File::Credentials, name);
        for ((file, raw), meant) in [
            (config("default"), Some(profile("default"))),
            (config(" default\t"), Some(profile("default"))),
            (config("profile corp"), Some(profile("corp"))),
            (config("profile\t corp "), Some(profile("corp"))),
            (config("profile \"my team\""), Some(profile("my team"))),
            (config("profile 'my team'"), Some(profile("my team"))),
            (config("profile my team"), Some(profile("my team"))),
            (config("profile \"\""), None),
            (config("sso-session corp"), Some(Heading::SsoSession("corp".to_owned()))),
            (config("services local"), Some(Heading::Services("local".to_owned()))),
            (config("corp"), None),
            (config("profile"), None),
            (config("profiles corp"), None),
            (config("plugins corp"), None),
            (config(""), None),
            (credentials("corp"), Some(profile("corp"))),
            (credentials("my team"), Some(profile("my team"))),
            (credentials("\"my team\""), Some(profile("my team"))),
            (credentials("default"), Some(profile("default"))),
            (credentials("profile corp"), None),
            (credentials(" "), None),
        ] {
            assert_eq!(heading(raw, file), meant, "{raw:?}");
        }
    }

    #[test]
    fn values_are_read_as_the_specification_has_it() {
        for (text, value) in [
            ("key = a", Some("a")),
            ("KEY=a", Some("a")),
            ("key: a", Some("a")),
            ("\tkey\t=\ta\t", Some("a")),
            ("key = a\r\nother = b\r\n", Some("a")),
            ("key = a # comment", Some("a")),
            ("key = a\t; comment", Some("a")),
            ("key = a#b;c", Some("a#b;c")),
            ("key = # comment", None),
            ("# key = b\n; key = c\nkey = a", Some("a")),
            ("  # key = b\nkey = a", Some("a")),
            ("key = a\n  b # comment\n\tc", Some("a\nb\nc")),
            ("key = b\nkey = a", Some("a")),
            ("key = b\n[other]\nkey = c\n[profile corp] # again\nkey = a", Some("a")),
            ("key = https://ada.example/start#/", Some("https://ada.example/start#/")),
            ("key =", None),
            ("key", None),
            ("other = a", None),
        ] {
            let sections = parse(&format!("\u{feff}[profile corp] ; comment\n{text}"), File::Config);
            assert_eq!(sections[&profile("corp")].get("key"), value, "{text:?}");
        }
    }

    #[test]
    fn sub_properties_are_indented_below_their_key() {
        let text = "[services local]\ncodeartifact =\n  Endpoint_URL = https://a.example # local\n  other = b\nsts=\n\tendpoint_url=https://b.example\nsso = https://c.example\n endpoint_url = https://d.example\n";
        let sections = parse(text, File::Config);
        let services = &sections[&Heading::Services("local".to_owned())];
        for (key, value) in [
            ("codeartifact", Some("https://a.example")),
            ("sts", Some("https://b.example")),
            ("sso", None),
            ("signin", None),
        ] {
            assert_eq!(services.sub_property(key, "endpoint_url"), value, "{key}");
        }
    }

    #[test]
    fn a_profile_named_default_replaces_the_default_section() {
        let text = "[profile default]\nregion = a\n[default]\nregion = b\noutput = c\n";
        for (file, values) in [(File::Config, (Some("a"), None)), (File::Credentials, (Some("b"), Some("c")))] {
            let sections = parse(text, file);
            let default = &sections[&profile("default")];
            assert_eq!((default.get("region"), default.get("output")), values, "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn a_written_value_is_read_back(name in "[a-z][a-z \\-]{0,9}[a-z]", key in "[a-z_]{1,12}", value in "[a-zA-Z0-9/+=:.\\-]([a-zA-Z0-9/+=:. #;\\-]{0,30}[a-z])?") {
            prop_assume!(!value.contains(" #") && !value.contains(" ;"));
            let sections = parse(&format!("[profile \"{name}\"]\n{key} = {value}\n"), File::Config);
            prop_assert_eq!(sections[&profile(&name)].get(&key), Some(value.as_str()));
        }
    }
}
