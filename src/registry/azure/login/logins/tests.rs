use proptest::prelude::*;

use super::*;
use crate::system::{
    Files,
    fake::{FakeSystem, absolute},
};

const FILE: &str = "/home/ada/.local/share/ringbearer/logins.json";

fn linux() -> FakeSystem {
    FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"))
}

fn account(username: &str, uid: &str, signed_in: u64) -> Account {
    Account {
        client_id: "client".to_owned(),
        username: username.to_owned(),
        signed_in,
        tenants: vec!["home".to_owned()],
        organisations: vec!["contoso".to_owned()],
        place: Place::Store,
        ..Account::example(uid)
    }
}

fn add(system: &FakeSystem, account: &Account) {
    Logins::change(system, |accounts| accounts.push(account.clone())).unwrap();
}

#[test]
fn the_newest_login_is_first() {
    let system = linux();
    assert_eq!(Logins::read(&system).unwrap(), Logins::default());
    let (older, newer) = (account("ada@contoso.example", "1", 10), account("alice@contoso.example", "2", 20));
    add(&system, &older);
    add(&system, &newer);
    assert_eq!(Logins::read(&system).unwrap().accounts(), [newer, older]);
    Logins::change(&system, Vec::clear).unwrap();
    assert_eq!(system.content(FILE), None);
}

#[test]
fn a_login_without_the_field_ended_has_not_ended() {
    let text = serde_json::to_string(&Written { version: 1, logins: &[account("ada", "1", 10)] }).unwrap();
    let older = text.replace(",\"ended\":false", "");
    assert_ne!(text, older);
    assert!(!Logins::read(&linux().file(FILE, &older)).unwrap().accounts()[0].ended);
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_left_alone() {
    let large = " ".repeat(LARGEST + 1);
    for (content, expected) in [
        ("", "is damaged"),
        ("{}", "is damaged"),
        ("{\"version\": 1}", "is damaged"),
        ("{\"version\": 2, \"logins\": []}", "has version 2"),
        (&large, "cannot be read"),
    ] {
        let system = linux().file(FILE, content);
        let read = Logins::read(&system).unwrap_err();
        let change = Logins::change(&system, |accounts| accounts.push(account("ada", "1", 1))).unwrap_err();
        assert_eq!(read, change);
        assert!(read.message().contains(&absolute(FILE)) && read.message().contains(expected), "{read}");
        assert_eq!(system.content(FILE).unwrap(), content.as_bytes());
    }
    let system = linux().file(FILE, "");
    system.remove(Path::new(FILE)).unwrap();
    add(&system, &account("ada", "1", 1));
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let system = linux();
    add(&system, &account("ada", "1", 1));
    let system = system.mode(FILE, 0o620);
    let error = Logins::read(&system).unwrap_err();
    assert!(error.to_string().contains("can be written by others; run `chmod 600 "), "{error}");
    assert!(Logins::read(&system.mode(FILE, 0o644)).is_ok());
}

#[test]
fn a_hint_decides_then_the_tenant_then_the_time() {
    let (mut ada, mut alice) = (account("Ada@contoso.example", "1", 10), account("alice@contoso.example", "2", 20));
    ada.tenants.push("guest".to_owned());
    let choose = |accounts: &[&Account], tenant: &str, hint| {
        let accounts = accounts.iter().map(|&account| account.clone()).collect();
        let tenant = Tenant::new(tenant).unwrap();
        Logins { accounts }.choose("client", &tenant, hint).map(|account| account.signed_in)
    };
    assert_eq!(choose(&[&alice, &ada], "other", None), Some(20));
    assert_eq!(choose(&[&alice, &ada], "GUEST", None), Some(10));
    assert_eq!(choose(&[&alice, &ada], "other", Some("ada@CONTOSO.example")), Some(10));
    assert_eq!(choose(&[&alice, &ada], "guest", Some("2")), Some(20));
    assert_eq!(choose(&[&alice, &ada], "guest", Some("bob@contoso.example")), Some(10));
    alice.ended = true;
    assert_eq!(choose(&[&alice, &ada], "other", None), Some(20), "another account answers in silence");
    assert_eq!(choose(&[&alice, &ada], "guest", None), Some(10));
    for other in [
        Account { client_id: "another".to_owned(), ..ada.clone() },
        Account { login_host: "login.microsoftonline.us".to_owned(), ..ada },
    ] {
        assert_eq!(choose(&[&other], "guest", Some("ada@contoso.example")), None, "{other:?}");
    }
}

#[test]
fn an_account_that_would_not_be_read_is_not_written() {
    let system = linux();
    let odd = account("ada\u{1b}[31m", "1", 1);
    assert!(Logins::change(&system, |accounts| accounts.push(odd)).is_err());
    assert_eq!(system.content(FILE), None);
}

prop_compose! {
    fn accounts()(
        words in prop::collection::vec("[A-Za-z0-9._-]{1,40}", 3),
        tenants in prop::collection::vec("[a-f0-9-]{36}", 0..4),
        organisations in prop::collection::vec("\\PC{0,20}", 0..4),
        username in "\\PC{0,40}",
        signed_in: u64,
        place in prop::sample::select(vec![Place::Store, Place::Keyring, Place::Session]),
        ended: bool,
    ) -> Account {
        let [client_id, home_id, login_host] = words.try_into().unwrap();
        Account { client_id, home_id, username, login_host, signed_in, tenants, organisations, place, ended }
    }
}

proptest! {
    #[test]
    fn logins_are_read_as_they_were_written(mut all in prop::collection::vec(accounts(), 1..5)) {
        let system = linux();
        Logins::change(&system, |accounts| *accounts = all.clone()).unwrap();
        all.sort_by_key(|account| Reverse(account.signed_in));
        let logins = Logins::read(&system).unwrap();
        prop_assert_eq!(logins.accounts(), all);
    }
}
