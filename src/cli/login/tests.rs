//! The commands with registries that sign in without a network.

use std::time::Duration;

use super::*;
use crate::{
    auth::cache_policy::CachePolicy,
    cli::{Command, parse, run as run_command},
    keyring::{Keyring, memory::Memory},
    registry::{
        Credential, CredentialSource, Registry,
        sign_in::{Method, SignIn, Step},
    },
    secret::Secret,
    service::Service,
    system::{
        Clock, Env, SharedMemory, System,
        fake::{FakeSystem, absolute, console::FakeConsole},
    },
};

const URL: &str = "https://pkgs.contoso.example/simple/";

/// A registry of one host, and what its sign-in does.
struct Stub {
    host: &'static str,
    sign_in: Option<Scripted>,
}

/// Shows its steps. The account of its login tells what was wanted.
struct Scripted {
    steps: &'static [Step<'static>],
    outcome: fn() -> Result<()>,
    logins: fn() -> Vec<Login>,
    is_kept: bool,
}

impl CredentialSource for Stub {
    fn claims(&self, _: &dyn Env, service: &Service) -> bool {
        service.host() == Some(self.host)
    }

    fn get(&self, _: &dyn System, _: &Service) -> Result<Option<Credential>> {
        Ok(None)
    }

    fn sign_in(&self) -> Option<&dyn SignIn> {
        self.sign_in.as_ref().map(|scripted| -> &dyn SignIn { scripted })
    }
}

impl SignIn for Scripted {
    fn sign_in(&self, system: &dyn System, wanted: &Wanted<'_>, show: &mut dyn FnMut(&Step<'_>)) -> Result<SignedIn> {
        assert!(wanted.must_be_kept);
        self.steps.iter().for_each(show);
        (self.outcome)()?;
        let Wanted { service, method, tenant, account, is_fresh, .. } = wanted;
        let wanted = format!("{} {method:?} {tenant:?} {account:?} {is_fresh}", service.url().unwrap());
        let kept_in = self.is_kept.then(|| "the store".to_owned());
        let credential = Credential {
            username: "user".to_owned(),
            password: Secret::new("hunter2".to_owned()),
            expires: None,
            owner: None,
            cache_policy: CachePolicy::Never,
        };
        let login = Login { account: wanted, kept_in, signed_in: system.now(), ..login("", "") };
        Ok(SignedIn { login, credential })
    }

    fn never_prompts(&self, _: &dyn System) -> Option<String> {
        None
    }

    fn has_approved(&self, _: &dyn System, _: &Service) -> bool {
        false
    }

    fn logins(&self, _: &dyn System) -> Result<Vec<Login>> {
        Ok((self.logins)())
    }

    fn sign_out(&self, _: &dyn System, account: Option<&str>) -> Result<Vec<Login>> {
        let is_meant = |login: &Login| account.is_none_or(|account| account == login.account);
        Ok((self.logins)().into_iter().filter(is_meant).collect())
    }
}

fn login(account: &str, organisation: &str) -> Login {
    Login {
        account: account.to_owned(),
        organisations: vec![organisation.to_owned()],
        kept_in: Some("the store".to_owned()),
        signed_in: FakeSystem::default().now() - Duration::from_secs(3 * 3600),
        life: "it ends after 90 days without use".to_owned(),
    }
}

fn two() -> Vec<Login> {
    vec![login("ada@contoso.example", "contoso"), Login { kept_in: None, ..login("alice\u{1b}@b.example", "fabrikam") }]
}

const fn waits(seconds: u64) -> Step<'static> {
    Step::Waits { remaining: Duration::from_secs(seconds) }
}

const IN_A_BROWSER: &[Step<'_>] = &[
    Step::Begins { index: "", organisation: "contoso", tenant: "t" },
    Step::Browser { url: "https://login.example/?a\u{1b}b", port: 40123, is_opened: true },
    waits(65),
];

const WITH_A_CODE: &[Step<'_>] = &[
    Step::Begins { index: "", organisation: "contoso\u{1b}", tenant: "t" },
    Step::Browser { url: "https://login.example/?a=1", port: 40123, is_opened: false },
    waits(900),
    waits(900),
    waits(899),
    Step::Code { url: "https://login.example/device", code: "ABCD\u{202e}-EFGH", expires_in: Duration::from_secs(900) },
    waits(5),
];

const WORKING: Scripted = Scripted { steps: IN_A_BROWSER, outcome: || Ok(()), logins: two, is_kept: true };

static SILENT: Registry =
    Registry::stub("silent", 3.0, || Box::new(Stub { host: "pkgs.silent.example", sign_in: None }));
static GOOD: Registry =
    Registry::stub("good", 2.0, || Box::new(Stub { host: "pkgs.contoso.example", sign_in: Some(WORKING) }));
static CODE: Registry = Registry::stub("code", 1.0, || {
    let sign_in = Scripted { steps: WITH_A_CODE, logins: Vec::new, is_kept: false, ..WORKING };
    Box::new(Stub { host: "pkgs.code.example", sign_in: Some(sign_in) })
});
static CANCELLED: Registry = Registry::stub("cancelled", 1.0, || {
    let outcome = || Err(Error::new(Kind::Cancelled, "cancelled"));
    let sign_in = Scripted { outcome, logins: Vec::new, ..WORKING };
    Box::new(Stub { host: "pkgs.cancelled.example", sign_in: Some(sign_in) })
});

/// Runs a command line. Returns the exit code or the error, and what it printed.
fn call(system: &FakeSystem, console: &FakeConsole, line: &str) -> (Result<u8>, String, String) {
    call_with(&[&SILENT, &GOOD, &CODE, &CANCELLED], system, console, line)
}

fn call_with(
    registries: &[&'static Registry],
    system: &FakeSystem,
    console: &FakeConsole,
    line: &str,
) -> (Result<u8>, String, String) {
    let memory = Memory { keyring: Keyring::of(registries), ..Memory::default() };
    let command = parse(line.split_whitespace().map(Into::into).collect()).unwrap();
    let world = World { system, console, memory: &memory };
    let outcome = run_command(&world, &command, None).map(|ending| match ending {
        crate::cli::Ending::Code(code) => code,
        crate::cli::Ending::Exec(_) => panic!("it runs a program"),
    });
    (outcome, console.stdout(), console.stderr())
}

#[test]
fn options_reach_the_sign_in() {
    for (line, wanted) in [
        ("", "None None None false"),
        ("--browser", "Some(Browser) None None false"),
        ("--device-code --fresh", "Some(DeviceCode) None None true"),
        ("--tenant t --account ada", r#"None Some("t") Some("ada") false"#),
    ] {
        let (code, stdout, _) = call(&FakeSystem::default(), &FakeConsole::default(), &format!("login {URL} {line}"));
        assert_eq!(code, Ok(DONE));
        let expected =
            format!("signed in to contoso as {URL} {wanted}\nkept in the store; it ends after 90 days without use\n");
        assert_eq!(stdout.replace("\\\"", "\""), expected);
    }
}

#[test]
fn a_terminal_shows_the_page_and_a_countdown() {
    let (code, _, stderr) = call(&FakeSystem::default(), &FakeConsole::terminal(), &format!("login {URL}"));
    assert_eq!(code, Ok(DONE));
    let expected = "Sign in to contoso (good)\n\nA browser opens. If it does not, open this page:\n\n  \
                    https://login.example/?a\\u{1b}b\n\n\
                    \r\u{1b}[K1:05 left (Ctrl-C cancels)\r\u{1b}[K";
    assert_eq!(stderr, expected);
}

#[test]
fn the_countdown_is_removed_before_other_text() {
    let (code, stdout, stderr) =
        call(&FakeSystem::default(), &FakeConsole::terminal(), "login https://pkgs.code.example/");
    assert_eq!(code, Ok(DONE));
    let expected = "Sign in to contoso\\u{1b} (code)\n\n\
                    No browser could be started. Open this page in one on this machine:\n\n  https://login.example/?a=1\n\nIf the browser is on another machine, first run there:\n\n  \
                    ssh -L 40123:localhost:40123 HOST\n\n\
                    \r\u{1b}[K15:00 left (Ctrl-C cancels)\r\u{1b}[K14:59 left (Ctrl-C cancels)\r\u{1b}[K\
                    Open this page in any browser:\n\n  https://login.example/device\n\nand enter the code:\n\n  \
                    ABCD\\u{202e}-EFGH\n\n\r\u{1b}[K0:05 left (Ctrl-C cancels)\r\u{1b}[K";
    assert_eq!(stderr, expected);
    assert!(stdout.ends_with("\nnot kept: no lookup uses this login\n"), "{stdout}");
}

#[test]
fn a_log_file_gets_plain_lines_once() {
    let (_, _, stderr) = call(&FakeSystem::default(), &FakeConsole::default(), "login https://pkgs.code.example/");
    assert!(!stderr.contains(['\r', '\u{1b}']) && !stderr.contains(" left"), "{stderr}");
    assert!(stderr.ends_with("\n\nThe code expires in 15 minutes.\n"), "{stderr}");
}

#[test]
fn a_cancelled_sign_in_removes_the_countdown() {
    let (outcome, stdout, stderr) =
        call(&FakeSystem::default(), &FakeConsole::terminal(), "login https://pkgs.cancelled.example/");
    assert_eq!((outcome.unwrap_err().kind(), stdout), (Kind::Cancelled, String::new()));
    assert!(stderr.ends_with("(Ctrl-C cancels)\r\u{1b}[K"), "{stderr:?}");
}

#[test]
fn json_has_an_object_for_each_step() {
    for console in [FakeConsole::default(), FakeConsole::terminal()] {
        let line = "login https://pkgs.code.example/ --json";
        let (code, stdout, stderr) = call(&FakeSystem::default(), &console, line);
        assert_eq!((code, stderr), (Ok(DONE), String::new()));
        assert!(stdout.is_ascii());
        let events: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [browser, code, signed_in] = &events[..] else { panic!("{stdout}") };
        let expected = json!({
            "event": "browser", "url": "https://login.example/?a=1", "port": 40123, "opened": false,
        });
        assert_eq!(*browser, expected);
        let expected = json!({
            "event": "code", "url": "https://login.example/device", "code": "ABCD\u{202e}-EFGH", "expires_in": 900,
        });
        assert_eq!(*code, expected);
        let expected = json!({
            "event": "signed-in", "account": "https://pkgs.code.example/ None None None false",
            "organisations": [""], "kept_in": null, "life": "it ends after 90 days without use",
        });
        assert_eq!(*signed_in, expected);
    }
}

#[test]
fn a_url_that_nobody_can_sign_in_for_is_an_error() {
    for (url, message) in [
        ("https://other.example/", "other.example is not an index that ringbearer serves over https"),
        ("https://", "this is not an index that ringbearer serves over https"),
        ("https://pkgs.silent.example/", "silent has no sign-in for `ringbearer login`"),
    ] {
        let (outcome, ..) = call(&FakeSystem::default(), &FakeConsole::default(), &format!("login {url}"));
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Configuration, message));
        assert!(error.hint().unwrap().contains("`ringbearer doctor URL`"));
    }
}

#[test]
fn without_a_url_the_first_index_of_the_settings_counts() {
    let file = absolute("/work/uv.toml");
    let others = "https://pkgs.silent.example/ https://other.example/";
    let system = || FakeSystem::default().variable("UV_INDEX", others).variable("UV_CONFIG_FILE", &file);
    let with_index = system().file(
        "/work/uv.toml",
        &format!("[[index]]\nname = \"corp\"\nurl = \"{}\"\n", { URL.replace("//", "//ada:hunter2@") }),
    );
    let (code, stdout, stderr) = call(&with_index, &FakeConsole::default(), "login");
    assert_eq!(code, Ok(DONE));
    assert!(stdout.contains(URL) && !stderr.contains("hunter2"), "{stderr}");
    let said = stderr.lines().next().unwrap();
    let expected = format!("ringbearer: signing in for {URL} in ");
    assert!(said.starts_with(&expected) && said.ends_with("uv.toml"), "{said}");
    let (outcome, ..) = call(&system(), &FakeConsole::default(), "login");
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.hint()), (Kind::Usage, Some("ringbearer login URL")));
}

#[test]
fn every_tool_may_name_the_index() {
    for (variable, value) in [
        ("PIP_INDEX_URL", URL.to_owned()),
        ("UV_DEFAULT_INDEX", URL.to_owned()),
        ("POETRY_REPOSITORIES_CORP_URL", URL.to_owned()),
    ] {
        let system = FakeSystem::default().variable(variable, &value);
        let (code, _, stderr) = call(&system, &FakeConsole::default(), "login --json");
        assert_eq!(code, Ok(DONE));
        assert_eq!(stderr, format!("ringbearer: signing in for {URL} in {variable}\n"));
    }
}

#[test]
fn the_list_has_a_line_for_each_login() {
    let (code, stdout, stderr) = call(&FakeSystem::default(), &FakeConsole::default(), "login --list");
    assert_eq!((code, &*stderr), (Ok(DONE), ""));
    let expected = "\
ada@contoso.example    contoso   kept in the store  signed in 3 hours ago  it ends after 90 days without use
alice\\u{1b}@b.example  fabrikam  not kept           signed in 3 hours ago  it ends after 90 days without use
";
    assert_eq!(stdout, expected);
    let (_, stdout, _) = call(&FakeSystem::default(), &FakeConsole::default(), "login --list --json");
    assert!(stdout.is_ascii());
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let expected = json!({
        "account": "ada@contoso.example", "organisations": ["contoso"], "kept_in": "the store",
        "signed_in": "2026-11-21T21:00:00Z", "life": "it ends after 90 days without use",
    });
    assert_eq!((list.as_array().unwrap().len(), &list[0]), (2, &expected));
}

#[test]
fn nobody_is_signed_in_where_there_is_no_login() {
    for line in ["login --list", "logout"] {
        let (code, stdout, stderr) =
            call_with(&[&SILENT, &CODE], &FakeSystem::default(), &FakeConsole::default(), line);
        assert_eq!((code, &*stdout, &*stderr), (Ok(DONE), "", "ringbearer: nobody is signed in\n"), "{line}");
    }
    let (_, stdout, stderr) =
        call_with(&[&CODE], &FakeSystem::default(), &FakeConsole::default(), "login --list --json");
    assert_eq!((&*stdout, &*stderr), ("[]\n", ""));
}

/// Shares a token of a registry, as the session cache does.
fn share_token(system: &FakeSystem, registry: &str) {
    let now = system.now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let record = json!({
        "registry": registry, "realm": "contoso", "created": now, "until": now + Duration::from_secs(3600),
        "username": "user", "password": "hunter2", "expires": null, "owner": null, "login": "",
    });
    let name = format!("ringbearer:token:{registry}");
    system.share(&name, record.to_string().as_bytes(), Duration::from_secs(3600)).unwrap();
}

#[test]
fn logout_removes_the_cached_tokens_of_its_registry() {
    let system = FakeSystem::default();
    share_token(&system, "good");
    share_token(&system, "silent");
    let (code, stdout, stderr) = call(&system, &FakeConsole::default(), "logout");
    assert_eq!((code, &*stderr), (Ok(DONE), ""));
    let expected = "\
forgot the login of ada@contoso.example, kept in the store
forgot the login of alice\\u{1b}@b.example, not kept
removed 1 cached token of good
";
    assert_eq!(stdout, expected);
    let left: Vec<_> = token::all(&system).unwrap().into_iter().map(|token| token.registry).collect();
    assert_eq!(left, ["silent"]);
}

#[test]
fn logout_removes_what_a_login_that_was_not_kept_has_left() {
    let system = FakeSystem::default();
    share_token(&system, CODE.id);
    let (code, stdout, stderr) = call_with(&[&CODE], &system, &FakeConsole::default(), "logout");
    assert_eq!((code, &*stderr), (Ok(DONE), "ringbearer: nobody is signed in\n"));
    assert_eq!(stdout, format!("removed 1 cached token of {}\n", CODE.title));
    assert_eq!(token::all(&system).unwrap().len(), 0);
}

#[test]
fn logout_of_an_account_leaves_the_others() {
    let system = FakeSystem::default();
    let (code, stdout, _) = call(&system, &FakeConsole::default(), "logout --account ada@contoso.example");
    assert_eq!((code, &*stdout), (Ok(DONE), "forgot the login of ada@contoso.example, kept in the store\n"));
    share_token(&system, "good");
    let (outcome, ..) = call(&system, &FakeConsole::default(), "logout --account nobody@contoso.example");
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::NotFound, "there is no login of nobody@contoso.example"));
    assert_eq!(token::all(&system).unwrap().len(), 1);
}

#[test]
fn doctor_shows_whose_logins_there_are() {
    let line = |url: &str| call(&FakeSystem::default(), &FakeConsole::default(), &format!("doctor {url}")).1;
    let shown = line(URL);
    let login = "ada@contoso.example, kept in the store; it ends after 90 days without use\n";
    assert!(shown.contains("signed in") && shown.contains(login) && !shown.contains('\u{1b}'), "{shown}");
    assert!(!line("https://pkgs.code.example/").contains("signed in"));
    let (_, stdout, _) = call(&FakeSystem::default(), &FakeConsole::default(), &format!("doctor --json {URL}"));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["sections"][0]["logins"][0]["account"], "ada@contoso.example");
}

#[test]
fn a_sign_in_has_longer_than_a_lookup() {
    let (environment, memory) = (std::iter::empty().collect(), Memory::default());
    let limit =
        |line: &str| parse(line.split_whitespace().map(Into::into).collect()).unwrap().limit(&environment, &memory);
    assert_eq!(limit("login"), Duration::from_secs(960));
    assert!(limit("login --list") < Duration::from_secs(960));
    let command =
        Command::Login(LoginCommand::SignIn(SignInOptions { method: Some(Method::Browser), ..Default::default() }));
    assert_eq!(parse(vec!["login".into(), "--browser".into()]), Ok(command));
}
