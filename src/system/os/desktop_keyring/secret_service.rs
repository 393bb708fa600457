//! The keyring of a Linux desktop: GNOME Keyring, KWallet or another Secret Service.
//! <https://specifications.freedesktop.org/secret-service/latest/>

use zeroize::Zeroizing;

use super::{client::Client, python_keyring, secret_tool};
use crate::{error::Result, system::System};

/// What the keyring is called; otherwise why there is none.
pub(super) fn find(system: &dyn System) -> Result<&'static str> {
    let probe = |client: Client| {
        if client.is_secret_tool {
            secret_tool::get(&client, system, "probe").map(|_| "the Secret Service")
        } else {
            python_keyring::find(&client, system)
        }
    };
    Client::find(system).and_then(probe)
}

/// The secret of a name.
pub(super) fn get(system: &dyn System, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let client = Client::find(system)?;
    if client.is_secret_tool {
        secret_tool::get(&client, system, name)
    } else {
        python_keyring::get(&client, system, name)
    }
}

/// Keeps a secret.
pub(super) fn put(system: &dyn System, name: &str, label: &str, secret: &[u8]) -> Result<()> {
    let client = Client::find(system)?;
    if client.is_secret_tool {
        secret_tool::put(&client, system, name, label, secret)
    } else {
        python_keyring::put(&client, system, name, secret)
    }
}

/// Removes a secret. Returns whether it was there.
pub(super) fn remove(system: &dyn System, name: &str) -> Result<bool> {
    let client = Client::find(system)?;
    if client.is_secret_tool {
        secret_tool::remove(&client, system, name)
    } else {
        python_keyring::remove(&client, system, name)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::BUS_VARIABLE, *};
    use crate::{error::Kind, system::fake::FakeSystem};

    const SEARCH: [&str; 5] = ["search", "service", "ringbearer", "account", "name"];
    const CLEAR: [&str; 5] = ["clear", "service", "ringbearer", "account", "name"];
    const STORE: [&str; 6] = ["store", "--label=a label", "service", "ringbearer", "account", "name"];

    fn desktop() -> FakeSystem {
        FakeSystem::default().variable(BUS_VARIABLE, "unix:path=/run/bus")
    }

    /// The arguments of Python's `keyring`.
    fn python(backend: &str, operation: &str) -> [String; 5] {
        ["--keyring-backend", backend, operation, "ringbearer", "name"].map(str::to_owned)
    }

    #[test]
    fn without_a_bus_or_a_program_nothing_is_run() {
        let no_bus = FakeSystem::default().program("secret-tool");
        assert_eq!(find(&no_bus).unwrap_err().message(), "there is no D-Bus session");
        let runtime = FakeSystem::default().variable("XDG_RUNTIME_DIR", "/run/user/1");
        assert_eq!(find(&runtime).unwrap_err().message(), "there is no D-Bus session");
        assert!(find(&desktop()).unwrap_err().message().contains("neither `secret-tool` nor Python's `keyring`"));
    }

    #[cfg(unix)]
    #[test]
    fn the_bus_of_the_runtime_directory_is_passed_on() {
        let fake = FakeSystem::default().variable("XDG_RUNTIME_DIR", "/run/user/1").file("/run/user/1/bus", "");
        let client = Client::find(&fake.program("secret-tool")).unwrap();
        let command = client.command(&[], std::time::Duration::ZERO);
        assert_eq!(command.variables, [(BUS_VARIABLE, "unix:path=/run/user/1/bus".to_owned())]);
    }

    #[test]
    fn a_secret_reaches_secret_tool_on_standard_input() {
        let fake = desktop().run("secret-tool", &STORE, 0, "", "");
        put(&fake, "name", "a label", b"{\"a\":1}").unwrap();
        assert_eq!(fake.inputs()[0].as_ref().unwrap().expose(), "{\"a\":1}");
        let shown = "[/1]\nlabel = a label\nsecret = {\"a\":1}\ncreated = 2026\n";
        let fake = desktop().run("secret-tool", &SEARCH, 0, shown, "attribute.account = name\n");
        assert_eq!(get(&fake, "name").unwrap().unwrap().as_slice(), b"{\"a\":1}");
        let fake = desktop().run("secret-tool", &CLEAR, 0, "", "");
        assert!(remove(&fake, "name").unwrap());
        let too_long = put(&desktop().program("secret-tool"), "name", "a label", &[b'x'; 8192]).unwrap_err();
        assert_eq!(too_long.kind(), Kind::Storage);
    }

    #[test]
    fn a_locked_item_is_not_a_missing_one() {
        let there = "[/1]\nlabel = a label\n";
        let locked = "secret-tool: Cannot get secret of a locked object";
        let fake = desktop().run("secret-tool", &SEARCH, 0, there, locked);
        assert_eq!(get(&fake, "name").unwrap_err().kind(), Kind::Locked);
        let fake = desktop().run("secret-tool", &SEARCH, 0, "", "");
        assert_eq!(get(&fake, "name").unwrap(), None);
        let fake = desktop().run("secret-tool", &CLEAR, 1, "", "").run("secret-tool", &SEARCH, 0, there, locked);
        assert_eq!(remove(&fake, "name").unwrap_err().kind(), Kind::Locked);
        let fake = desktop().run("secret-tool", &CLEAR, 1, "", "").run("secret-tool", &SEARCH, 0, "", "");
        assert!(!remove(&fake, "name").unwrap());
        let refused = "\n** (daemon:1): WARNING **\nsecret-tool: Cannot create an item in a locked collection\n";
        let fake = desktop().run("secret-tool", &STORE, 1, "", refused);
        assert_eq!(put(&fake, "name", "a label", b"x").unwrap_err().kind(), Kind::Locked);
    }

    #[test]
    fn what_secret_tool_says_is_quoted_without_the_secret() {
        let fake = desktop().run("secret-tool", &SEARCH, 1, "", "secret-tool: Could not connect: no such file\n");
        assert_eq!(get(&fake, "name").unwrap_err().to_string(), "secret-tool failed: Could not connect: no such file");
        let fake = desktop().run("secret-tool", &STORE, 1, "", "secret-tool: bad hunter2-hunter2");
        let error = put(&fake, "name", "a label", b"hunter2-hunter2").unwrap_err();
        assert_eq!(error.to_string(), "secret-tool failed: bad (hidden)");
    }

    #[test]
    fn python_is_asked_for_an_encrypted_backend() {
        let backend = "keyring.backends.SecretService.Keyring";
        let wallet = "keyring.backends.kwallet.DBusKeyring";
        let run = |fake: FakeSystem, words: [String; 5], status, stdout: &str, stderr: &str| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            fake.run("keyring", &words, status, stdout, stderr)
        };
        let fake = run(desktop(), python(backend, "get"), 0, "secret\n", "");
        assert_eq!(get(&fake, "name").unwrap().unwrap().as_slice(), b"secret");
        let fake = run(desktop(), python(backend, "get"), 1, "", "");
        assert_eq!(get(&fake, "name").unwrap(), None);
        let fake = run(desktop(), python(backend, "get"), 1, "", "Traceback\nkeyring.errors.KeyringLocked: no\n");
        assert_eq!(get(&fake, "name").unwrap_err().kind(), Kind::Locked);
        let fake = run(desktop(), python(backend, "set"), 2, "", "keyring: error: Unable to load");
        let fake = run(fake, python(wallet, "set"), 0, "", "");
        put(&fake, "name", "a label", b"secret").unwrap();
        assert!(fake.inputs().iter().all(|input| input.as_ref().is_some_and(|input| input.expose() == "secret")));
        let fake =
            run(desktop(), python(backend, "del"), 1, "", "keyring.errors.PasswordDeleteError: No such password!");
        assert!(!remove(&fake, "name").unwrap());
    }
}
