use super::*;
use crate::system::fake::{FakeSystem, absolute};

const PAGE: &str = "https://login.contoso.example/authorize?state=a&nonce=b";

fn on(platform: Platform, programs: &[&str], variables: &[(&str, &str)]) -> FakeSystem {
    let fake = programs.iter().fold(FakeSystem::default().on(platform), |fake, program| fake.program(program));
    variables.iter().fold(fake, |fake, (name, value)| fake.variable(name, value))
}

/// What is started to open a page.
fn opened(fake: &FakeSystem) -> Vec<String> {
    find(fake).unwrap().open(fake, &Url::parse(PAGE).unwrap()).unwrap();
    let [started] = &fake.started()[..] else { panic!("{:?}", fake.started()) };
    started.clone()
}

fn desktop(programs: &[&str]) -> FakeSystem {
    on(Platform::Linux, programs, &[("DISPLAY", ":0")])
}

#[test]
fn each_desktop_opens_pages_by_its_own_program() {
    for (fake, expected) in [
        (desktop(&["xdg-open"]), &["xdg-open", PAGE][..]),
        (on(Platform::Linux, &["xdg-open"], &[("WAYLAND_DISPLAY", "wayland-0")]), &["xdg-open", PAGE]),
        (on(Platform::MacOs, &["open"], &[]), &["open", PAGE]),
        (on(Platform::Windows, &["rundll32.exe"], &[]), &["rundll32", "url.dll,FileProtocolHandler", PAGE]),
    ] {
        assert_eq!(opened(&fake), expected);
    }
}

#[test]
fn rundll32_is_the_one_of_windows() {
    let root = absolute("/win");
    let fake = on(Platform::Windows, &["rundll32.exe"], &[("SystemRoot", &root), ("PATH", &absolute("/evil"))]);
    let program = Path::new(&root).join("System32").join("rundll32.exe");
    let arguments = ["url.dll,FileProtocolHandler", ADDRESS];
    assert_eq!(find(&fake), Ok(Browser(vec![Opener::new(program, &arguments)])));
}

#[test]
fn browser_is_a_list_of_commands_without_a_shell() {
    for (value, expected) in [
        ("firefox", &["firefox", PAGE][..]),
        ("missing: firefox", &["firefox", PAGE]),
        ("firefox --new-window", &["firefox", "--new-window", PAGE]),
        ("firefox --url=%s --private", &["firefox", &format!("--url={PAGE}"), "--private"]),
        ("firefox \"$(id)\" ; id", &["firefox", "\"$(id)\"", ";", "id", PAGE]),
        ("./firefox:sub/firefox:../firefox:~/firefox:missing", &["xdg-open", PAGE]),
        (":: :", &["xdg-open", PAGE]),
        ("", &["xdg-open", PAGE]),
    ] {
        assert_eq!(opened(&desktop(&["xdg-open", "firefox"]).variable("BROWSER", value)), expected, "{value}");
    }
}

#[test]
fn browser_names_a_path_with_spaces() {
    let (path, separator) = (absolute("/opt/My Browser/firefox"), if cfg!(windows) { ';' } else { ':' });
    let list = format!("missing{separator}{path}");
    let fake = on(Platform::CURRENT, &["firefox"], &[("BROWSER", &list)]);
    assert_eq!(find(&fake), Ok(Browser(vec![Opener::new(path.into(), &[ADDRESS])])));
}

#[test]
fn windows_separates_browsers_by_semicolons() {
    assert_eq!(opened(&on(Platform::Windows, &["firefox"], &[("BROWSER", "missing;firefox")])), ["firefox", PAGE]);
}

#[test]
fn without_a_desktop_only_browser_names_one() {
    let desktop = || desktop(&["xdg-open", "browser.sh"]);
    let no_desktop = "there is no desktop: neither DISPLAY nor WAYLAND_DISPLAY is set";
    for (fake, why) in [
        (on(Platform::Linux, &["xdg-open", "browser.sh"], &[]), no_desktop),
        (desktop().variable("DISPLAY", ""), no_desktop),
        (desktop().variable("CI", "true"), "this is a CI job"),
        (desktop().variable("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22"), "this is a remote session"),
        (desktop().variable("SSH_TTY", "/dev/pts/0"), "this is a remote session"),
        (desktop().file("/.dockerenv", ""), "this is a container"),
        (desktop().file("/run/.containerenv", ""), "this is a container"),
        (on(Platform::Linux, &["browser.sh"], &[("DISPLAY", ":0")]), "xdg-open is not on PATH"),
        (on(Platform::MacOs, &["open", "browser.sh"], &[("SSH_TTY", "/dev/ttys0")]), "this is a remote session"),
        (on(Platform::MacOs, &["browser.sh"], &[]), "/usr/bin/open is missing"),
        (on(Platform::Windows, &["browser.sh"], &[]), "rundll32.exe is missing"),
    ] {
        assert_eq!(find(&fake), Err(why));
        assert_eq!(opened(&fake.variable("BROWSER", "browser.sh")), ["browser", PAGE], "{why}");
    }
}

#[test]
fn a_forced_browser_ignores_where_the_person_sits() {
    let remote = desktop(&["xdg-open"]).variable("SSH_TTY", "x").variable("CI", "1").file("/.dockerenv", "");
    assert_eq!(find_forced(&remote).as_ref(), find(&desktop(&["xdg-open"])).as_ref());
    assert!(find_forced(&on(Platform::Linux, &["xdg-open"], &[])).is_err());
}

#[test]
fn wsl_opens_the_browser_of_windows() {
    let named = || on(Platform::Linux, &["powershell.exe"], &[("WSL_DISTRO_NAME", "Debian")]);
    let by_kernel = on(Platform::Linux, &["powershell.exe"], &[]);
    let by_kernel = by_kernel.file("/proc/version", "Linux version 6.6.87.2-microsoft-standard-WSL2 (root@host)");
    let command = format!("Start-Process '{PAGE}'");
    for fake in [named(), by_kernel] {
        assert_eq!(opened(&fake), ["powershell", "-NoProfile", "-NonInteractive", "-Command", &command]);
    }
    let both = named().program("wslview").program("xdg-open").variable("DISPLAY", ":0");
    assert_eq!(opened(&both), ["wslview", PAGE]);
    let linux = desktop(&["powershell.exe", "xdg-open"]).file("/proc/version", "Linux version 6.12.0 (debian)");
    assert_eq!(opened(&linux), ["xdg-open", PAGE]);
    // Containers on Windows have the kernel of WSL.
    assert_eq!(find(&named().file("/.dockerenv", "")), Err("this is a container"));
}

#[test]
fn powershell_reads_nothing_in_the_address() {
    let fake = on(Platform::Linux, &["powershell.exe"], &[("WSL_DISTRO_NAME", "Debian")]);
    let page = Url::parse("https://h.example/a'b'; id \"\u{2019}$(id)?x='; id; '#'").unwrap();
    find(&fake).unwrap().open(&fake, &page).unwrap();
    let started = fake.started();
    let command = started[0].last().unwrap();
    let quoted = command.strip_prefix("Start-Process '").and_then(|rest| rest.strip_suffix('\'')).unwrap();
    assert!(quoted.is_ascii() && !quoted.contains(['\'', '"', ' ']), "{command}");
}

#[test]
fn only_https_pages_are_opened() {
    let fake = desktop(&["xdg-open"]);
    for page in ["http://localhost:8400/", "file:///etc/passwd", "vscode://x", "javascript:alert(1)"] {
        assert!(find(&fake).unwrap().open(&fake, &Url::parse(page).unwrap()).is_err(), "{page}");
    }
    assert_eq!(fake.started(), Vec::<Vec<String>>::new());
}

#[cfg(unix)]
mod processes {
    use std::sync::Arc;

    use super::*;
    use crate::system::{
        CancellationToken, Clock, Files,
        os::{LOOKUP_LIMIT, OsSystem},
    };

    /// A machine whose BROWSER is this list, with a directory for `{}`.
    fn machine(list: &str, folder: &Path) -> OsSystem {
        let list = list.replace("{}", folder.to_str().unwrap());
        let variables = [("BROWSER", list.as_str()), ("PATH", "/usr/bin:/bin")];
        let environment = variables.map(|(name, value)| (name.into(), value.into())).into_iter().collect();
        OsSystem::new(environment, Arc::default(), CancellationToken::default(), LOOKUP_LIMIT)
    }

    #[test]
    fn a_browser_that_stays_open_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        // Stays open until the folder is removed.
        let script = "echo \"$1\" > \"$0.page\"; while [ -e \"$0\" ]; do sleep 0.1; done";
        let system = machine("{}/missing:/bin/sh {}/browser", folder.path());
        system.create(&folder.path().join("browser"), script.as_bytes()).unwrap();
        find(&system).unwrap().open(&system, &Url::parse(PAGE).unwrap()).unwrap();
        let page = folder.path().join("browser.page");
        while system.head(&page, 1024).unwrap_or_default() != format!("{PAGE}\n").as_bytes() {
            system.pause(Duration::from_millis(20)).unwrap();
        }
    }

    #[test]
    fn the_next_browser_is_tried_if_one_does_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken");
        let system = machine("{}/broken:true", folder.path());
        system.create(&broken, b"\x7fELF").unwrap();
        Browser(vec![Opener::new(broken.clone(), &[]), Opener::new("/bin/sh".into(), &["-c", "true"])])
            .open(&system, &Url::parse(PAGE).unwrap())
            .unwrap();
        let error = Browser(vec![Opener::new(broken, &[])]).open(&system, &Url::parse(PAGE).unwrap()).unwrap_err();
        assert!(error.message().contains("broken cannot be run: "), "{error}");
    }
}
