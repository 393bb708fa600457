//! Recorded cases: what a registry does with an environment, files, programs and responses, as data in `tests/cases/`.

mod case;
mod play;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use self::{case::Case, play::play};
use crate::{
    auth::cache_policy::CachePolicy,
    error::{Error, Kind, Result},
    registry::{ALL, Credential, CredentialSource, Registry},
    secret::Secret,
    service::Service,
    system::{Env, System, http::Request, process::Command, retry},
};

/// There are at least so many, so that a folder which is not found cannot pass.
const LEAST: usize = 600;

#[test]
fn every_recorded_case_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("cases");
    let (mut count, mut differing) = (0, Vec::new());
    for folder in entries(&root).0 {
        let id = folder.file_name().unwrap().to_string_lossy().into_owned();
        let registry = ALL.iter().find(|registry| registry.id == id);
        let registry = registry.unwrap_or_else(|| panic!("tests/cases/{id}: there is no such registry"));
        for file in files(&folder) {
            count += 1;
            let differences = Case::read(&text(&file)).map_or_else(|error| vec![error], |case| play(registry, &case));
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            differing.extend(differences.into_iter().map(|difference| format!("{name}: {difference}")));
        }
    }
    assert!(differing.is_empty(), "cases that do not hold:\n{}", differing.join("\n"));
    assert!(count >= LEAST, "there are only {count} cases");
}

/// The files in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut all) = entries(folder);
    all.extend(folders.iter().flat_map(|folder| files(folder)));
    all
}

/// The folders in a folder, and the files.
#[expect(clippy::disallowed_methods, reason = "the cases are files of this project")]
fn entries(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().partition(|path| path.is_dir())
}

#[expect(clippy::disallowed_methods, reason = "the cases are files of this project")]
fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

/// Asks one host for a password, with the word in a variable.
struct Greeter;

static GREETER: Registry = Registry::stub("greeter", 1.0, || Box::new(Greeter));

const URL: &str = "https://greeter.example/password";

impl CredentialSource for Greeter {
    fn claims(&self, _: &dyn Env, service: &Service) -> bool {
        service.host() == Some("index.example")
    }

    fn check_username(&self, _: &Service, username: &str) -> Result<()> {
        if username == "ada" { Ok(()) } else { Err(Error::new(Kind::Configuration, "the user name is ada")) }
    }

    fn get(&self, system: &dyn System, _: &Service) -> Result<Option<Credential>> {
        let Some(word) = system.setting("WORD") else { return Ok(None) };
        if let Some(program) = system.find_program("greeter") {
            system.run(&Command::new(program, &[], Duration::from_secs(9)).variable("TONE", "calm"))?;
        }
        let request = Request::get(url::Url::parse(URL).unwrap()).header("Word", &word);
        let response = retry::send(system, &request)?;
        if !response.is_success() {
            log::warn!("{} was refused", response.status);
            return Err(Error::new(Kind::Rejected, format!("{word} is refused")).with_hint("say `please`"));
        }
        let password = Secret::from_utf8_trimmed(&response.body);
        let password = password.ok_or_else(|| Error::new(Kind::Protocol, "there is no password"))?;
        Ok(Some(Credential {
            username: "ada".to_owned(),
            password,
            expires: None,
            owner: Some("ada".to_owned()),
            cache_policy: CachePolicy::Never,
        }))
    }
}

/// What differs in a case of the greeter. `lines` follow a case that holds.
fn differences(before: &str, lines: &str) -> Vec<String> {
    let text =
        format!("about = \"A word\"\nservice = \"index.example\"\n{before}\n[variables]\nWORD = \"x-word\"\n{lines}");
    Case::read(&text).map_or_else(|error| vec![error], |case| play(&GREETER, &case))
}

const RUN: &str = "[[programs]]\nname = \"greeter\"\n";
const GREETING: &str = "[[exchanges]]\nrequest = \"GET https://greeter.example/password\"\nheaders.Word = \"x-w\"\n";
const SERVED: &str = "response = \"x-p\"\n[outcome]\nusername = \"ada\"\npassword = \"x-p\"\n";
const REFUSED: &str = "status = 403\n[outcome]\nwarnings = [\"403\"]\n";

#[test]
fn a_case_that_holds_has_no_differences() {
    for lines in [
        format!("{GREETING}{SERVED}"),
        format!("{}owner = \"ada\"", format!("{GREETING}{SERVED}").replace("x-w\"", "<times:1:x>-w\"")),
        format!("{RUN}variables = {{ TONE = \"calm\", OTHER = \"\" }}\nlimit = 9\n{GREETING}{SERVED}"),
        format!("{GREETING}times = 2\n{SERVED}[[next]]\nafter = 60"),
        format!("{GREETING}fails = \"transient\"\n{GREETING}{SERVED}"),
        format!("{GREETING}{REFUSED}error = [\"x-word\"]\nhint = [\"`please`\"]\nkind = \"Rejected\""),
        format!("{GREETING}{SERVED}[[next]]\nvariables.WORD = \"\"\noutcome.nothing = true"),
    ] {
        assert_eq!(differences("", &lines), Vec::<String>::new(), "{lines}");
    }
}

#[test]
fn every_difference_from_a_case_is_found() {
    let served = format!("{GREETING}{SERVED}");
    let refused = format!("{GREETING}{REFUSED}");
    for (before, lines, expected) in [
        ("mistyped = 1", served.clone(), "unknown field `mistyped`"),
        ("", format!("{served}mistyped = 1"), "unknown field `mistyped`"),
        ("", served.replace("headers", "header"), "unknown field `header`"),
        ("about = 1", served.clone(), "not TOML"),
        ("", served.replace("\"x-p\"\n[", "\"other\"\n["), "password Some(\"other\")"),
        ("", served.replace("x-w", "y-w"), "header Word is"),
        ("", served.replace("GET", "POST"), "assertion"),
        ("", served.replace("password\"\nh", "other\"\nh"), "assertion"),
        ("", format!("{GREETING}{served}"), "not requested"),
        ("", served.replace("response = \"x-p\"", "query.a = \"1\""), "the query has a = []"),
        ("", served.replace("response", "body = [\"a\"]\nresponse"), "no \"a\" in the body"),
        ("", served.replace("response", "without_headers = [\"word\"]\nresponse"), "it has a header word"),
        ("", served.replace("response", "ca_bundle = \"/a\"\nresponse"), "it trusts \"\""),
        ("", served.replace("response", "direct = true\nresponse"), "direct = false"),
        ("", format!("{served}[[programs]]\nname = \"a\""), "not run"),
        ("", format!("{RUN}variables.TONE = \"loud\"\n{served}"), "greeter: TONE is \"calm\""),
        ("", format!("{RUN}limit = 1\n{served}"), "greeter: its limit is 9s"),
        ("", format!("{RUN}endless = true\n[outcome]\nnothing = true"), "failed: greeter did not end in time"),
        ("installed = [\"greeter\"]", served.clone(), "unexpected process: greeter"),
        ("username = \"grace\"", "[outcome]\nnothing = true".to_owned(), "failed: the user name is ada"),
        ("", served.replace("x-w\"", "<times:2:x>-w\""), "header Word is"),
        ("", format!("{served}owner = \"grace\""), "it is Some(\"ada\")'s"),
        ("", format!("{served}expires_in = 1"), "it expires in None"),
        ("", format!("{served}waited = 1"), "waited for 0"),
        ("", format!("{served}warnings = [\"a\"]"), "no warning with \"a\""),
        ("", format!("{served}[files_after]\n\"/a\" = {{}}"), "/a: absent = true"),
        ("", format!("{served}[[next]]\nservice = \"a.example\""), "a.example: claimed = false"),
        ("", "[outcome]\nnothing = true".to_owned(), "unexpected request"),
        ("", format!("{refused}error = [\"other\"]"), "no \"other\" in: x-word is refused"),
        ("", format!("{refused}error = []\nhint = [\"thanks\"]"), "no \"thanks\" in:"),
        ("", format!("{refused}error = []\nkind = \"Network\""), "of kind Rejected"),
        ("", refused.replace("warnings = [\"403\"]", "error = []"), "warned: 403"),
        ("", format!("{refused}nothing = true"), "failed: x-word is refused"),
        ("secrets = [\"x-word\"]", format!("{refused}error = []"), "\"x-word\" is shown"),
    ] {
        let found = differences(before, &lines);
        assert!(found.iter().any(|difference| difference.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn a_path_can_stand_in_a_document_of_json() {
    let document = case::expand("[\"<json:/srv/config>\", \"<json:~>\"]").unwrap();
    let paths: Vec<String> = serde_json::from_str(&document).unwrap();
    assert_eq!(paths, [case::path("/srv/config"), case::path("~")]);
}
