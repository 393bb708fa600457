//! The sections of keyring's configuration file that keyrings.codeartifact reads, with additions.
//! <https://github.com/jmkeyes/keyrings.codeartifact/blob/v2.1.2/README.md>
//!
//! - `[codeartifact domain="D" account="A" region="R" name="REPOSITORY"]`, with any of these qualifiers: for what they match
//! - `[codeartifact]`: for everything else, and for keys that those leave out
//!
//! Values are not interpolated, and ` #` or ` ;` begins a comment.

use std::{
    io,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::domain::Domain;
use crate::{
    auth::{private_file, warning},
    aws::{key_document::KeyDocument, keys::Keys, sts::Role},
    error::{Error, Kind, Result, truncate},
    ini::Ini,
    secret::Secret,
    system::{System, http::CaBundle, io_message, places},
};

/// The name of the file.
const FILE: &str = "keyringrc.cfg";

/// The maximum size of the file in bytes.
const CAP: usize = 256 * 1024;

/// The first word of every heading.
const NAME: &str = "codeartifact";

const KEY_ID: &str = "aws_access_key_id";
const SECRET_KEY: &str = "aws_secret_access_key";
const SESSION_TOKEN: &str = "aws_session_token";
const PROFILE: &str = "profile_name";

/// The key that names a file of certificate authorities.
const VERIFY: &str = "verify";

/// The longest heading that messages show, in characters.
const LONGEST_HEADING: usize = 60;

/// What the sections for a domain say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// The profile to sign in with.
    pub(super) profile: Option<String>,
    /// An access key to sign in with. It has precedence over the profile.
    pub(super) keys: Option<Keys>,
    /// The role to assume with those, or with whatever other source serves.
    pub(super) role: Option<Role>,
    /// `token_duration` as it is written.
    pub(super) token_duration: Option<String>,
    /// The certificate authorities for AWS's services.
    pub(super) ca_bundle: Option<CaBundle>,
}

/// The path of the file.
pub(super) fn path(system: &dyn System) -> Option<PathBuf> {
    Some(places::keyring_config(system)?.join(FILE))
}

impl Section {
    /// Reads the sections that fit a domain: the one with the most qualifiers, of which all must match, and the first of
    /// several; what it leaves out is from the plain one. Without a file, or without such sections, everything is left out.
    ///
    /// An access key, a profile and a role are not mixed: a section with a key or a profile gets no key, profile or role from
    /// the plain one, and a section with a role gets no other role.
    pub(super) fn read(system: &dyn System, domain: &Domain) -> Result<Self> {
        let Some(path) = path(system) else { return Ok(Self::default()) };
        let Some(content) = content(system, &path)? else { return Ok(Self::default()) };
        let ini = Ini::parse(&Zeroizing::new(String::from_utf8_lossy(&content).into_owned()));
        let parts = Part::matching(&ini, domain);
        if parts.is_empty() {
            return Ok(Self::default());
        }
        private_file::refuse_writable_by_all(system, &path)?;
        let mut section = Self::default();
        for part in &parts {
            if section.keys.is_none() && section.profile.is_none() {
                // The role of this part goes with the key or profile of a part before it only if that has none of its own.
                section.role = section.role.take().map_or_else(|| part.role(), |role| Ok(Some(role)))?;
                section.keys = part.keys()?;
                section.profile = part.value(PROFILE)?.map(str::to_owned);
            }
            if section.token_duration.is_none() {
                section.token_duration = part.value("token_duration")?.map(str::to_owned);
            }
        }
        let verify = parts.iter().find_map(|part| part.value(VERIFY).map(|value| Some((part, value?))).transpose());
        if let Some((part, value)) = verify.transpose()? {
            section.ca_bundle = part.ca_bundle(system, value)?;
        }
        Ok(section)
    }

    /// The fields that decide who signs in and where, secrets included, for the cache key.
    pub(super) fn fingerprint(&self) -> Zeroizing<Vec<u8>> {
        let keys = self.keys.as_ref();
        let role = self.role.as_ref();
        let fields = [
            self.profile.as_deref(),
            keys.map(|keys| keys.access_key_id.as_str()),
            keys.map(|keys| keys.secret_access_key.expose()),
            keys.and_then(|keys| Some(keys.session_token.as_ref()?.expose())),
            role.map(|role| role.arn.as_str()),
            role.and_then(|role| role.session_name.as_deref()),
            role.and_then(|role| role.external_id.as_deref()),
            self.ca_bundle.as_ref().and_then(|bundle| bundle.path.to_str()),
        ];
        let mut text = Zeroizing::new(Vec::with_capacity(fields.iter().flatten().map(|text| text.len() + 1).sum()));
        for field in fields {
            // A value has no line end.
            text.extend_from_slice(field.unwrap_or_default().as_bytes());
            text.push(b'\n');
        }
        text
    }
}

/// The content of the file; `None` if it is missing.
fn content(system: &dyn System, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match system.read_file(path, CAP) {
        Ok(content) => Ok(Some(Zeroizing::new(content))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => {
            let message = format!("{} cannot be read: {}", path.display(), io_message(&error));
            Err(Error::new(Kind::Configuration, message).with_hint("correct its permissions").with_source(&error))
        }
    }
}

/// One section.
struct Part<'file> {
    ini: &'file Ini,
    heading: &'file str,
}

impl<'file> Part<'file> {
    /// The most specific section that matches, then the plain one.
    fn matching(ini: &'file Ini, domain: &Domain) -> Vec<Self> {
        let mut best: Option<(usize, &str)> = None;
        let mut plain = None;
        for heading in ini.sections() {
            let Some(text) = qualifiers_in(heading) else { continue };
            let Some(qualifiers) = read_qualifiers(text) else {
                let what = format!("[{}] of {FILE} is left out", truncate(heading, LONGEST_HEADING));
                let hint = "its qualifiers are domain, account, region and name, each as KEY=\"VALUE\"";
                warning::once(&Error::new(Kind::Configuration, what).with_hint(hint).warning());
                continue;
            };
            if qualifiers.is_empty() {
                plain = plain.or(Some(heading));
            } else if qualifiers.iter().all(|qualifier| qualifier.matches(domain))
                && best.is_none_or(|(count, _)| qualifiers.len() > count)
            {
                best = Some((qualifiers.len(), heading));
            }
        }
        best.map(|(_, heading)| heading).into_iter().chain(plain).map(|heading| Self { ini, heading }).collect()
    }

    /// The value of a key without its comment; `None` if it is missing or blank.
    fn value(&self, key: &str) -> Result<Option<&'file str>> {
        let Some(value) = self.ini.value(self.heading, key) else { return Ok(None) };
        // What follows may be another key, with a secret, that is indented by mistake.
        if value.contains('\n') {
            return Err(self.wrong(&format!("{key} has several lines"), "indent every key alike"));
        }
        Ok(Some(without_comment(value)).filter(|value| !value.is_empty()))
    }

    fn keys(&self) -> Result<Option<Keys>> {
        let session_token = self.value(SESSION_TOKEN)?;
        let half = |given: &str, missing: &str| {
            let hint = format!("add {missing}, or remove {given}");
            Err(self.wrong(&format!("{given} is set without {missing}"), &hint))
        };
        match (self.value(KEY_ID)?, self.value(SECRET_KEY)?) {
            (Some(id), Some(secret)) => {
                let document = KeyDocument {
                    access_key_id: Some(id.to_owned()),
                    secret_access_key: Some(Secret::new(secret.to_owned())),
                    session_token: session_token.map(|token| Secret::new(token.to_owned())),
                    expiration: None,
                };
                let malformed = || self.wrong("the access key is malformed", "write it as AWS shows it");
                document.keys().map(Some).ok_or_else(malformed)
            }
            (Some(_), None) => half(KEY_ID, SECRET_KEY),
            (None, Some(_)) => half(SECRET_KEY, KEY_ID),
            (None, None) if session_token.is_some() => half(SESSION_TOKEN, KEY_ID),
            (None, None) => Ok(None),
        }
    }

    fn role(&self) -> Result<Option<Role>> {
        let text = |key| self.value(key).map(|value| value.map(str::to_owned));
        let Some(arn) = text("role_arn")? else { return Ok(None) };
        let (session_name, external_id) = (text("role_session_name")?, text("external_id")?);
        Ok(Some(Role { arn, session_name, external_id, ..Role::default() }))
    }

    /// The file that `verify` names, by the words of keyrings.codeartifact. It never turns verification off.
    fn ca_bundle(&self, system: &dyn System, value: &str) -> Result<Option<CaBundle>> {
        let is_one_of = |words: [&str; 4]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
        if is_one_of(["1", "yes", "on", "true"]) {
            return Ok(None);
        }
        if is_one_of(["0", "no", "off", "false"]) {
            let error = self.wrong(
                &format!("{VERIFY} = {value} is ignored, certificates are always verified"),
                "name the file of your certificate authorities in AWS_CA_BUNDLE",
            );
            warning::once(&error.warning());
            return Ok(None);
        }
        let path = places::named(system, value.trim_matches('"')).ok_or_else(|| {
            let what = format!("{VERIFY} is neither true nor the absolute path of a file");
            self.wrong(&what, "name the file of certificate authorities by its absolute path")
        })?;
        Ok(Some(CaBundle { named_by: VERIFY, path }))
    }

    fn wrong(&self, what: &str, hint: &str) -> Error {
        let heading = truncate(self.heading, LONGEST_HEADING);
        Error::new(Kind::Configuration, format!("{what}, in [{heading}] of {FILE}")).with_hint(hint)
    }
}

/// What a domain or repository must be for a section to count.
#[derive(Debug, PartialEq, Eq)]
enum Qualifier<'heading> {
    Domain(&'heading str),
    Account(&'heading str),
    Region(&'heading str),
    Repository(&'heading str),
}

impl Qualifier<'_> {
    fn matches(&self, domain: &Domain) -> bool {
        match *self {
            Self::Domain(name) => domain.name == name,
            Self::Account(account) => domain.owner == account,
            Self::Region(region) => domain.region.name() == region,
            Self::Repository(name) => domain.repository.as_deref() == Some(name),
        }
    }
}

/// What follows the first word of a heading, if that is ours.
fn qualifiers_in(heading: &str) -> Option<&str> {
    let rest = heading.trim_start().strip_prefix(NAME)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// Reads `KEY=VALUE` pairs, whose values may have single or double quotes; `None` for any other text.
fn read_qualifiers(text: &str) -> Option<Vec<Qualifier<'_>>> {
    let mut qualifiers = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => after[1..].split_once(quote)?,
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return None;
        }
        qualifiers.push(match key.to_ascii_lowercase().as_str() {
            "domain" => Qualifier::Domain(value),
            "account" => Qualifier::Account(value),
            "region" => Qualifier::Region(value),
            "name" => Qualifier::Repository(value),
            _ => return None,
        });
        rest = after.trim_start();
    }
    Some(qualifiers)
}

/// A value up to a `#` or `;` at its beginning or after white space.
fn without_comment(value: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| value[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let end = value.match_indices(['#', ';']).find(begins).map_or(value.len(), |(at, _)| at);
    value[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        service::Service,
        system::fake::{FakeSystem, absolute},
    };

    const INDEX: &str = "https://contoso-012345678901.d.codeartifact.eu-west-1.amazonaws.com/pypi/plugins/simple/";

    fn machine(text: &str) -> FakeSystem {
        let system = FakeSystem::default().home("/home/ada");
        let path = path(&system).unwrap();
        system.file(path.to_str().unwrap(), text)
    }

    fn read_on(system: &FakeSystem) -> Result<Section> {
        Section::read(system, &Domain::of(&Service::parse(INDEX)).unwrap())
    }

    fn read(text: &str) -> Section {
        read_on(&machine(text)).unwrap()
    }

    fn profile(text: &str) -> Option<String> {
        read(text).profile
    }

    #[test]
    fn the_most_specific_section_that_matches_wins() {
        for (text, expected) in [
            ("[codeartifact]\nprofile_name = a\n", Some("a")),
            ("[codeartifact domain=\"contoso\"]\nprofile_name = a\n", Some("a")),
            ("[codeartifact domain='contoso']\nprofile_name = a\n", Some("a")),
            ("[codeartifact domain=contoso]\nprofile_name = a\n", Some("a")),
            ("[codeartifact  name=plugins\tRegion=\"eu-west-1\" ]  # here\nprofile_name = a\n", Some("a")),
            ("[codeartifact account=012345678901]\nprofile_name = a\n", Some("a")),
            ("[codeartifact account=12345678901]\nprofile_name = a\n", None),
            ("[codeartifact domain=\"\"]\nprofile_name = a\n", None),
            ("[codeartifact name=other]\nprofile_name = a\n[codeartifact]\nprofile_name = b\n", Some("b")),
            ("[codeartifact domain=contoso name=other]\nprofile_name = a\n", None),
            (
                "[codeartifact]\nprofile_name = a\n[codeartifact region=eu-west-1]\nprofile_name = b\n\
                 [codeartifact region=eu-west-1 domain=contoso]\nprofile_name = c\n\
                 [codeartifact name=plugins domain=contoso]\nprofile_name = d\n",
                Some("c"),
            ),
            ("[codeartifacts]\nprofile_name = a\n[CodeArtifact]\nprofile_name = b\n", None),
            ("[backend]\ndefault-keyring = x\n", None),
            ("", None),
        ] {
            assert_eq!(profile(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_heading_with_other_qualifiers_matches_nothing() {
        for heading in
            ["repo=plugins", "domain", "domain=\"contoso", "domain=\"contoso\"name=plugins", "=contoso", "x y=z"]
        {
            assert_eq!(profile(&format!("[codeartifact {heading}]\nprofile_name = a\n")), None, "{heading}");
        }
    }

    #[test]
    fn a_missing_file_says_nothing() {
        assert_eq!(read_on(&FakeSystem::default().home("/home/ada")), Ok(Section::default()));
        assert_eq!(read_on(&FakeSystem::default()), Ok(Section::default()));
    }

    #[test]
    fn the_plain_section_fills_in_but_mixes_no_identities() {
        const PLAIN: &str =
            "[codeartifact]\ntoken_duration = 900\nprofile_name = plain\nrole_arn = arn:plain\nexternal_id = x\n";
        for (own, profile, key, role) in [
            ("", Some("plain"), None, Some("arn:plain")),
            ("token_duration = 1800", Some("plain"), None, Some("arn:plain")),
            ("profile_name = own", Some("own"), None, None),
            ("aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x", None, Some("AKIDEXAMPLE"), None),
            ("role_arn = arn:own", Some("plain"), None, Some("arn:own")),
            ("profile_name = own\nrole_arn = arn:own", Some("own"), None, Some("arn:own")),
        ] {
            let section = read(&format!("{PLAIN}[codeartifact domain=contoso]\n{own}\n"));
            let found_key = section.keys.as_ref().map(|keys| keys.access_key_id.as_str());
            let role_arn = section.role.as_ref().map(|role| role.arn.as_str());
            assert_eq!((section.profile.as_deref(), found_key, role_arn), (profile, key, role), "{own}");
            let external_id = section.role.and_then(|role| role.external_id);
            assert_eq!(external_id.is_some(), role == Some("arn:plain"), "{own}");
            let duration = if own.starts_with("token") { "1800" } else { "900" };
            assert_eq!(section.token_duration.as_deref(), Some(duration), "{own}");
        }
    }

    #[test]
    fn values_are_not_interpolated_and_end_at_a_comment() {
        let section = read(
            "[codeartifact]\nprofile_name = a%(b)s%%#c ; d\ntoken_duration = ; none\naws_access_key_id: AKIDEXAMPLE # e\n\
             AWS_SECRET_ACCESS_KEY = a/b+c#d\naws_session_token = x==\nunknown = 1\nverify = yes\n",
        );
        assert_eq!((section.profile.as_deref(), section.token_duration), (Some("a%(b)s%%#c"), None));
        let keys = section.keys.unwrap();
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose()), ("AKIDEXAMPLE", "a/b+c#d"));
        assert_eq!((keys.session_token.unwrap().expose(), section.ca_bundle), ("x==", None));
    }

    #[test]
    fn a_malformed_key_is_an_error_that_quotes_nothing() {
        for (id, secret, token) in [
            ("AKID/EXAMPLE", "x-secret", "y"),
            ("AKIDÉ", "x-secret", "y"),
            ("AKIDEXAMPLE", "x-secret two", "y"),
            ("AKIDEXAMPLE", "x-secret", "y\u{7f}"),
            ("AKIDEXAMPLE\r", "x-secret\u{1b}[2J", "y"),
        ] {
            let text = format!("{KEY_ID} = {id}\n{SECRET_KEY} = {secret}\n{SESSION_TOKEN} = {token}");
            let error = read_on(&machine(&format!("[codeartifact]\n{text}\n"))).unwrap_err();
            let message = "the access key is malformed, in [codeartifact] of keyringrc.cfg; write it as AWS shows it";
            assert_eq!((error.kind(), &*error.to_string()), (Kind::Configuration, message), "{text}");
        }
    }

    #[test]
    fn half_a_key_is_an_error_that_names_section_and_key() {
        for (text, given, missing) in [
            ("aws_access_key_id = AKIDEXAMPLE", KEY_ID, SECRET_KEY),
            ("aws_secret_access_key = x-secret", SECRET_KEY, KEY_ID),
            ("aws_session_token = x-secret", SESSION_TOKEN, KEY_ID),
            ("aws_access_key_id =\naws_secret_access_key = x-secret", SECRET_KEY, KEY_ID),
        ] {
            let error = read_on(&machine(&format!("[codeartifact domain=contoso]\n{text}\n"))).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert_eq!(
                error.message(),
                format!("{given} is set without {missing}, in [codeartifact domain=contoso] of keyringrc.cfg")
            );
        }
    }

    #[test]
    fn a_secret_on_an_indented_line_is_not_shown() {
        let text = "[codeartifact]\nprofile_name = a\n  aws_secret_access_key = x-secret\n";
        let error = read_on(&machine(text)).unwrap_err();
        assert!(
            error.message().starts_with("profile_name has several lines") && !error.to_string().contains("x-secret")
        );
    }

    #[test]
    fn verify_names_a_file_and_never_turns_verification_off() {
        let verify = |value: &str| {
            let system = machine(&format!("[codeartifact]\nverify = {value}\n"));
            read_on(&system).map(|section| section.ca_bundle.map(|bundle| bundle.path))
        };
        for word in ["1", "yes", "ON", "true", "0", "No", "off", "FALSE"] {
            assert_eq!(verify(word), Ok(None), "{word}");
        }
        let path = absolute("/etc/ca.pem");
        let expected = PathBuf::from(&path);
        assert_eq!(verify(&path), Ok(Some(expected.clone())));
        assert_eq!(verify(&format!("\"{path}\"")), Ok(Some(expected)));
        assert_eq!(verify("~/ca.pem"), Ok(Some(PathBuf::from(absolute("/home/ada")).join("ca.pem"))));
        for wrong in ["ca.pem", "maybe", "~eve/ca.pem"] {
            assert_eq!(verify(wrong).unwrap_err().kind(), Kind::Configuration, "{wrong}");
        }
    }

    #[test]
    fn a_file_that_every_user_may_write_is_an_error() {
        let system = machine("[codeartifact]\nprofile_name = a\n");
        let file = path(&system).unwrap().to_str().unwrap().to_owned();
        let error = read_on(&system.mode(&file, 0o666)).unwrap_err();
        assert_eq!(error.message(), format!("every user of this machine may write {file}"));
        let other = machine("[backend]\nx = 1\n").mode(&file, 0o666);
        assert_eq!(read_on(&other), Ok(Section::default()), "nothing in it is for CodeArtifact");
        assert!(read_on(&machine("").unreadable(&file)).unwrap_err().message().contains("cannot be read"));
    }

    #[test]
    fn fingerprints_differ_with_content_and_not_with_headings() {
        let of = |text: &str| read(text).fingerprint();
        let key = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key =";
        let all = [
            of(""),
            of("[codeartifact]\nprofile_name = a\n"),
            of("[codeartifact]\nrole_arn = a\n"),
            of("[codeartifact]\nrole_arn = a\nexternal_id = b\n"),
            of("[codeartifact]\nrole_arn = a\nrole_session_name = b\n"),
            of(&format!("[codeartifact]\n{key} x\n")),
            of(&format!("[codeartifact]\n{key} y\n")),
            of(&format!("[codeartifact]\n{key} x\naws_session_token = y\n")),
            of("[codeartifact]\nverify = ~/ca.pem\n"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| one != other), "{index}");
        }
        assert_eq!(all[1], of("[codeartifact name=plugins]\nprofile_name = a\n"));
    }
}
