//! The format of a recorded case. `tests/cases/README.md` explains it to those who write one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use crate::{auth::jwt::token_of, system::fake::absolute};

/// The home directory of the user.
const HOME: &str = "/home/ada";

/// A case. Every key that is not listed here is an error, so that a typing error cannot pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows, in a sentence.
    about: String,
    /// The platform whose conventions apply; without it, that of the machine which runs the test.
    pub(super) platform: Option<PlatformName>,
    /// The services that are asked about, in turn, by one process.
    pub(super) service: Services,
    /// The user name with which the caller sends the password; without it, that of the credential.
    pub(super) username: Option<String>,
    /// What no error and no log line may hold.
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    /// Files, by their paths.
    #[serde(default)]
    pub(super) files: BTreeMap<String, File>,
    /// The programs on PATH that are not run.
    #[serde(default)]
    pub(super) installed: Vec<String>,
    /// The programs that are run, in their order.
    #[serde(default)]
    pub(super) programs: Vec<Program>,
    /// The requests that are sent, in their order, and their responses.
    #[serde(default)]
    pub(super) exchanges: Vec<Exchange>,
    /// What comes out.
    pub(super) outcome: Outcome,
    /// Further lookups of the same process.
    #[serde(default)]
    pub(super) next: Vec<Next>,
    /// Files at the end.
    #[serde(default)]
    pub(super) files_after: BTreeMap<String, FileAfter>,
}

/// A platform.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PlatformName {
    Linux,
    MacOs,
    Windows,
}

/// One service or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Services {
    One(String),
    Several(Vec<String>),
}

impl Services {
    /// All of them.
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(service) => std::slice::from_ref(service),
            Self::Several(services) => services,
        }
    }
}

/// A file.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum File {
    /// One that only its owner may read.
    Content(String),
    /// Any other.
    Detailed(DetailedFile),
}

/// A file with other permissions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetailedFile {
    /// Its content.
    #[serde(default)]
    pub(super) content: String,
    /// Its permission bits.
    pub(super) mode: Option<u32>,
    /// Whether the user may not read it.
    #[serde(default)]
    pub(super) unreadable: bool,
}

/// A run of a program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    /// Its name, without directory and extension.
    pub(super) name: String,
    /// Its arguments.
    #[serde(default)]
    pub(super) arguments: Vec<String>,
    /// Variables that are added to its environment, with their values; the value is empty for one that is not added.
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    /// The limit of the run, in seconds.
    pub(super) limit: Option<u64>,
    /// Whether it reaches that limit.
    #[serde(default)]
    pub(super) endless: bool,
    /// What it prints.
    #[serde(default)]
    pub(super) stdout: String,
    /// What it prints for people.
    #[serde(default)]
    pub(super) stderr: String,
    /// Its exit code.
    #[serde(default)]
    pub(super) status: i32,
}

/// A request and its response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// Method and URL, without the query: `POST https://a.example/token`.
    pub(super) request: String,
    /// How often it is sent in a row.
    #[serde(default = "once")]
    pub(super) times: usize,
    /// Parameters of the query with their values.
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    /// Headers with a part of their values.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// Headers that the request does not have.
    #[serde(default)]
    pub(super) without_headers: Vec<String>,
    /// Parts of the body.
    #[serde(default)]
    pub(super) body: Vec<String>,
    /// What the body does not hold.
    #[serde(default)]
    pub(super) without_body: Vec<String>,
    /// The file of certificate authorities that it trusts; empty for those of every other request.
    pub(super) ca_bundle: Option<String>,
    /// Whether it goes past every proxy.
    pub(super) direct: Option<bool>,
    /// The status of the response.
    #[serde(default = "ok")]
    pub(super) status: u16,
    /// The headers of the response.
    #[serde(default)]
    pub(super) response_headers: BTreeMap<String, String>,
    /// The body of the response.
    #[serde(default)]
    pub(super) response: String,
    /// There is no response.
    pub(super) fails: Option<Fails>,
}

fn once() -> usize {
    1
}

fn ok() -> u16 {
    200
}

/// How a request fails.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fails {
    /// The connection is lost.
    Transient,
    /// There is none.
    Lasting,
}

/// What a lookup returns.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    /// The user name of the credential.
    pub(super) username: Option<String>,
    /// Its password.
    pub(super) password: Option<String>,
    /// Whose it is, as the service writes it.
    pub(super) owner: Option<String>,
    /// When it expires, in seconds from the start of the case.
    pub(super) expires_in: Option<u64>,
    /// Whether there is no credential and no error.
    #[serde(default)]
    pub(super) nothing: bool,
    /// Whether the registry claims the service.
    #[serde(default = "yes")]
    pub(super) claimed: bool,
    /// Parts of the message of an error.
    pub(super) error: Option<Vec<String>>,
    /// Parts of its hint.
    #[serde(default)]
    pub(super) hint: Vec<String>,
    /// Its kind.
    pub(super) kind: Option<String>,
    /// Parts of the warnings in the log; without it, there are none.
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    /// How long it waits between requests, in seconds; without it, anything goes.
    pub(super) waited: Option<u64>,
}

fn yes() -> bool {
    true
}

/// A further lookup. What it leaves out is as before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Next {
    /// The time that passes before it, in seconds.
    #[serde(default)]
    pub(super) after: u64,
    /// Environment variables.
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    /// Files, by their paths.
    #[serde(default)]
    pub(super) files: BTreeMap<String, File>,
    /// What is asked about.
    pub(super) service: Option<Services>,
    /// What comes out.
    pub(super) outcome: Option<Outcome>,
}

/// A file at the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAfter {
    /// Parts of its content.
    #[serde(default)]
    pub(super) contains: Vec<String>,
    /// What it does not hold.
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    /// Whether there is no such file.
    #[serde(default)]
    pub(super) absent: bool,
}

impl Case {
    /// Reads a case. The error is for those who write it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let document: DocumentMut = text.parse().map_err(|error| format!("it is not TOML: {error}"))?;
        let case: Self = serde_json::from_value(value(document.as_item())?).map_err(|error| error.to_string())?;
        let sentence = case.about.trim();
        if sentence.is_empty() || sentence.contains('\n') || sentence.ends_with('.') {
            return Err("`about` is not one sentence without a full stop".to_owned());
        }
        Ok(case)
    }
}

/// An item of a TOML document as JSON, in which placeholders are replaced.
fn value(item: &Item) -> Result<Value, String> {
    if let Some(table) = item.as_table_like() {
        let members = table.iter().map(|(key, item)| Ok((key.to_owned(), value(item)?)));
        return Ok(Value::Object(members.collect::<Result<_, String>>()?));
    }
    if let Some(tables) = item.as_array_of_tables() {
        let tables = tables.iter().map(|table| value(&Item::Table(table.clone())));
        return Ok(Value::Array(tables.collect::<Result<_, _>>()?));
    }
    if let Some(array) = item.as_array() {
        let items = array.iter().map(|item| value(&Item::Value(item.clone())));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    let text = item.as_str().map(|text| expand(text).map(Value::from)).transpose()?;
    let other = || item.as_integer().map(Value::from).or_else(|| item.as_bool().map(Value::from));
    text.or_else(other).ok_or_else(|| format!("{item} is neither text nor a number"))
}

/// Replaces the placeholders of a text: `<file:/x>` with the path as this platform writes it, `<json:/x>` with that inside a
/// string of JSON, `<jwt:{..}>` with a JSON Web Token of these claims, `<times:3:x>` with `xxx`.
pub(super) fn expand(text: &str) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) =
        ["<file:", "<json:", "<jwt:", "<times:"].iter().filter_map(|opening| rest.find(opening)).min()
    {
        let (before, placeholder) = rest.split_at(start);
        let (placeholder, after) = placeholder[1..].split_once('>').ok_or("a placeholder has no end")?;
        expanded.push_str(before);
        match placeholder.split_once(':') {
            Some(("file", name)) => expanded.push_str(&path(name)),
            Some(("json", name)) => expanded.push_str(&path(name).replace('\\', "\\\\")),
            Some(("times", repeated)) => {
                let (count, text) = repeated.split_once(':').ok_or("a repetition has no text")?;
                let count: usize = count.parse().map_err(|error| format!("the number of a repetition: {error}"))?;
                expanded.push_str(&text.repeat(count));
            }
            Some((_, claims)) => {
                let claims = serde_json::from_str(claims).map_err(|error| format!("the claims of a token: {error}"))?;
                expanded.push_str(&token_of(&claims));
            }
            None => {}
        }
        rest = after;
    }
    Ok(expanded + rest)
}

/// A path as this platform writes it; `~` is the home directory.
pub(super) fn path(name: &str) -> String {
    absolute(&name.strip_prefix('~').map_or_else(|| name.to_owned(), |rest| format!("{HOME}{rest}")))
}
