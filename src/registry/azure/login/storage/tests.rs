use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::{
    auth::shared_record::PREFIX,
    system::{
        Clock, Platform, SharedMemory,
        fake::{FakeSystem, absolute},
    },
};

const FILE_CACHE: &str = "ARTIFACTS_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED";

fn linux() -> FakeSystem {
    let system = FakeSystem::default().on(Platform::Linux);
    system.variable("HOME", &absolute("/home/ada"))
}

fn account(place: Place) -> Account {
    Account { place, ..Account::example("ada") }
}

fn token(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn kept(system: &FakeSystem, account: &Account) -> Option<String> {
    read(system, account).unwrap().map(|kept| kept.refresh_token.expose().to_owned())
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Adds an ssh-agent with one key.
fn with_agent(system: FakeSystem) -> FakeSystem {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = [string(b"ssh-ed25519"), string(pair.public_key().as_ref())].concat();
    system.agent(move |message| {
        if message == [11] {
            return [&[12, 0, 0, 0, 1][..], &string(&key), &string(b"")].concat();
        }
        // The data to sign follow the key, each after its length.
        let data = &message[1 + 4 + key.len() + 4..message.len() - 4];
        let signature = [string(b"ssh-ed25519"), string(pair.sign(data).as_ref())].concat();
        [&[14][..], &string(&signature)].concat()
    })
}

fn with_store(system: FakeSystem) -> FakeSystem {
    let system = with_agent(system);
    Store::default().set(&system, "svc", "ada", &SecretText::default()).unwrap();
    system
}

#[test]
fn a_refresh_token_is_kept_replaced_and_removed_in_every_place() {
    for place in [Place::Store, Place::Keyring, Place::Session] {
        let (system, account) = (with_store(linux().with_desktop_keyring()), account(place));
        assert_eq!(kept(&system, &account), None, "{place}");
        write(&system, &account, &token("first")).unwrap();
        let found = read(&system, &account).unwrap().unwrap();
        assert_eq!((found.refresh_token, found.saved), (token("first"), system.now()));
        replace(&system, &account, &token("another"), &token("late")).unwrap();
        assert_eq!(kept(&system, &account).as_deref(), Some("first"), "another process has replaced it");
        replace(&system, &account, &token("first"), &token("second")).unwrap();
        assert_eq!(kept(&system, &account).as_deref(), Some("second"));
        remove(&system, &account).unwrap();
        remove(&system, &account).unwrap();
        replace(&system, &account, &token("second"), &token("third")).unwrap();
        assert_eq!(kept(&system, &account), None, "{place}: a login that is gone stays gone");
    }
}

#[test]
fn an_ended_login_loses_no_newer_refresh_token() {
    for place in [Place::Store, Place::Keyring, Place::Session] {
        let (system, account) = (with_store(linux().with_desktop_keyring()), account(place));
        write(&system, &account, &token("newer")).unwrap();
        assert!(!remove_used(&system, &account, &token("refused")).unwrap());
        assert_eq!(kept(&system, &account).as_deref(), Some("newer"), "{place}");
        assert!(remove_used(&system, &account, &token("newer")).unwrap());
        assert_eq!(kept(&system, &account), None, "{place}");
        assert!(!remove_used(&system, &account, &token("newer")).unwrap());
    }
}

#[test]
fn a_sign_in_elsewhere_does_not_end_with_an_older_refresh_token() {
    let (system, here) = (linux(), account(Place::Session));
    write(&system, &here, &token("first")).unwrap();
    replace(&system, &here, &token("first"), &token("second")).unwrap();
    let elsewhere = Account { signed_in: 2, ..here };
    assert!(!remove_used(&system, &elsewhere, &token("second")).unwrap());
    assert_eq!(kept(&system, &elsewhere), None);
}

#[test]
fn a_lookup_does_not_wait_to_replace_a_refresh_token() {
    let (system, account) = (linux(), account(Place::Session));
    write(&system, &account, &token("first")).unwrap();
    let locked = system.locked(1000);
    let start = locked.now();
    replace(&locked, &account, &token("first"), &token("second")).unwrap();
    assert_eq!((locked.now(), kept(&locked, &account).as_deref()), (start, Some("first")));
}

#[test]
fn the_first_place_that_works_is_chosen() {
    let chosen = |system: &FakeSystem| place(system, true).unwrap();
    assert_eq!(chosen(&with_store(linux().with_desktop_keyring())), Some(Place::Store));
    assert_eq!(chosen(&with_agent(linux().with_desktop_keyring())), Some(Place::Keyring), "without a store");
    assert_eq!(chosen(&linux()), Some(Place::Session));
    let system = with_store(linux().with_desktop_keyring());
    for (value, expected) in [
        ("store", Some(Place::Store)),
        ("Keyring", Some(Place::Keyring)),
        (" session ", Some(Place::Session)),
        ("off", None),
        ("", Some(Place::Store)),
    ] {
        assert_eq!(chosen(&with_store(linux().with_desktop_keyring()).variable(VARIABLE, value)), expected, "{value}");
    }
    assert_eq!(chosen(&system.variable(FILE_CACHE, "false")), None);
}

#[test]
fn a_chosen_place_that_does_not_work_is_an_error() {
    let error = place(&linux().variable(VARIABLE, "file"), true).unwrap_err();
    assert!(error.to_string().contains("unknown RINGBEARER_LOGIN_STORE \"file\"; choose one of store, "), "{error}");
    for (value, reason) in [("store", "there is no store"), ("keyring", "there is none"), ("session", "not")] {
        let error = place(&linux().without_shared_memory().variable(VARIABLE, value), true).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        let begin = format!("RINGBEARER_LOGIN_STORE is {value}, which does not work: ");
        assert!(error.message().starts_with(&begin) && error.message().contains(reason), "{error}");
    }
}

#[test]
fn without_any_place_the_error_says_why_and_what_to_do() {
    assert_eq!(place(&linux().without_shared_memory(), false).unwrap(), None);
    let error = place(&linux().without_shared_memory(), true).unwrap_err();
    let text = error.warning();
    for part in ["store: there is no store", "keyring: there is none", "session: ", "`ringbearer store init`"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(text, error.to_string(), "it is not cut");
}

#[test]
fn a_locked_store_is_not_chosen() {
    let system = with_store(linux());
    let store = system.content("/home/ada/.local/share/ssh-agent-keyring/store.json").unwrap();
    let locked =
        linux().file("/home/ada/.local/share/ssh-agent-keyring/store.json", &String::from_utf8(store).unwrap());
    assert_eq!(place(&locked, true).unwrap(), Some(Place::Session));
    let error = read(&locked, &account(Place::Store)).unwrap_err();
    assert!(error.message().starts_with("ringbearer's store: "), "{error}");
}

#[test]
fn a_login_takes_the_room_of_the_oldest_tokens() {
    let (system, account) = (linux().with_shared_room(3), account(Place::Session));
    for (name, created) in [("new", 30), ("old", 10), ("middle", 20)] {
        let record = format!("{{\"created\": {{\"secs\": {created}, \"nanos\": 0}}}}");
        system.share(&format!("{PREFIX}token:{name}"), record.as_bytes(), SESSION_LIFE).unwrap();
    }
    write(&system, &account, &token("first")).unwrap();
    assert_eq!(kept(&system, &account).as_deref(), Some("first"));
    assert_eq!(system.shared_names(PREFIX).unwrap(), ["ringbearer:token:middle", "ringbearer:token:new"]);
    let full = linux().with_shared_room(0);
    let error = write(&full, &account, &token("first")).unwrap_err();
    assert!(error.message().starts_with("the login of ada@contoso.example in the memory of the login session: "));
}

#[test]
fn clearing_the_cache_keeps_the_login() {
    let (system, account) = (linux(), account(Place::Session));
    write(&system, &account, &token("first")).unwrap();
    assert_eq!(system.shared_names(PREFIX).unwrap(), Vec::<String>::new());
}

#[test]
fn a_record_that_another_program_changed_is_an_error() {
    let (system, account) = (linux(), account(Place::Session));
    let name = format!("{SESSION_PREFIX}{}", Name(&account));
    for text in
        ["", "{}", "[]", "{\"refresh_token\":\"a b\",\"saved_at\":1}", "{\"refresh_token\":\"\",\"saved_at\":1}"]
    {
        system.share(&name, text.as_bytes(), SESSION_LIFE).unwrap();
        let error = read(&system, &account).unwrap_err();
        assert!(error.message().contains("another program has changed"), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(text in "[!-~]{1,3000}") {
        let (system, account) = (linux(), account(Place::Session));
        write(&system, &account, &token(&text)).unwrap();
        prop_assert_eq!(kept(&system, &account), Some(text));
    }
}
