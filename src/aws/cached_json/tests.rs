use super::*;
use crate::system::{
    Files,
    fake::{FakeSystem, absolute},
};

const FILE: &str = "/home/ada/.aws/sso/cache/x.json";

fn path() -> PathBuf {
    PathBuf::from(absolute(FILE))
}

fn with(content: &str) -> FakeSystem {
    FakeSystem::default().file(FILE, content)
}

/// Sets the member `token` unless it is `new` already.
#[expect(clippy::unnecessary_wraps, reason = "it is a change that `update` takes")]
fn set_token(members: &mut Members) -> Result<bool> {
    let is_old = members.text("token") != Some("new");
    members.set("token", "new");
    Ok(is_old)
}

#[test]
fn files_are_named_as_the_cli_names_them() {
    let vectors: Value = serde_json::from_str(include_str!("../../../tests/vectors/aws-sigv4.json")).unwrap();
    let home = FakeSystem::default().home("/home/ada");
    for case in vectors["cache_file_names"].as_array().unwrap() {
        let [input, file] = ["input", "file"].map(|name| case[name].as_str().unwrap());
        let (kind, hash) = match file.split('/').nth(1).unwrap() {
            "login" => ("login", sha256(input)),
            kind => (kind, sha1(input)),
        };
        let named = folder(&home, kind).unwrap().join(format!("{hash}.json"));
        assert_eq!(named, PathBuf::from(absolute(&format!("/home/ada/{file}"))), "{input}");
    }
    assert_eq!(folder(&FakeSystem::default(), "sso"), None);
}

#[test]
fn a_file_that_is_absent_broken_or_open_is_not_read() {
    let large = format!("{{\"token\":\"{}\"}}", "x".repeat(CAP));
    for content in ["", "[]", "{\"token\":", "{\"token\":1}x", "nothing", &large] {
        assert!(read(&with(content), &path()).is_none(), "{content:.20}");
    }
    assert!(read(&FakeSystem::default(), &path()).is_none());
    for (mode, is_read) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
        assert_eq!(read(&with("{}").mode(FILE, mode), &path()).is_some(), is_read, "{mode:o}");
    }
}

#[test]
fn a_file_that_is_being_written_is_read_again() {
    let half = with("{\"token\":\"ol").written_in_pause(FILE, "{\"token\":\"old\"}");
    assert_eq!(read(&half, &path()).unwrap().text("token"), Some("old"));
    assert_eq!(half.pauses(), [SECOND_READ]);
    let broken = with("{\"token\":\"ol");
    assert!(read(&broken, &path()).is_none());
    assert_eq!(broken.pauses(), [SECOND_READ]);
}

#[test]
fn a_change_keeps_unknown_members() {
    let system = with(r#"{"later":{"a":[1]},"token":"old"}"#);
    let members = update(&system, &path(), "lost", set_token).unwrap().unwrap();
    assert_eq!(members.text("token"), Some("new"));
    assert_eq!(system.content(FILE).unwrap(), br#"{"later":{"a":[1]},"token":"new"}"#);
    let before = system.stamp(&path()).unwrap();
    update(&system, &path(), "lost", set_token).unwrap().unwrap();
    assert_eq!(system.stamp(&path()).unwrap(), before, "nothing changed, and it was written");
}

#[test]
fn a_change_sees_what_another_process_wrote() {
    let system = with(r#"{"token":"old"}"#).locked(1).written_in_pause(FILE, r#"{"token":"new","n":1}"#);
    update(&system, &path(), "lost", set_token).unwrap().unwrap();
    assert_eq!(system.content(FILE).unwrap(), br#"{"token":"new","n":1}"#);
}

#[test]
fn a_file_that_changes_during_the_change_is_left_alone() {
    let system = with(r#"{"token":"old"}"#);
    let change = |members: &mut Members| {
        system.write(FILE, b"{}");
        set_token(members)
    };
    let members = update(&system, &path(), "lost", change).unwrap().unwrap();
    assert_eq!((members.text("token"), system.content(FILE).unwrap()), (Some("new"), b"{}".to_vec()));
}

#[test]
fn a_change_that_fails_or_has_no_file_writes_nothing() {
    let system = with(r#"{"token":"old"}"#);
    let failed = |members: &mut Members| {
        members.set("token", "new");
        Err(Error::new(Kind::Rejected, "refused"))
    };
    assert_eq!(update(&system, &path(), "lost", failed).err().unwrap().message(), "refused");
    assert_eq!(system.content(FILE).unwrap(), br#"{"token":"old"}"#);
    let gone = FakeSystem::default();
    assert!(update(&gone, &path(), "lost", |_| panic!("there is nothing to change")).unwrap().is_none());
    assert_eq!(gone.content(FILE), None);
}

#[test]
fn members_that_cannot_be_written_are_returned() {
    let system = with(r#"{"token":"old"}"#).read_only("/home/ada/.aws");
    let members = update(&system, &path(), "lost", set_token).unwrap().unwrap();
    assert_eq!(members.text("token"), Some("new"));
    assert_eq!(system.content(FILE).unwrap(), br#"{"token":"old"}"#);
}

#[test]
fn a_lock_that_stays_taken_is_an_error() {
    let system = with("{}").locked(u32::MAX);
    let error = update(&system, &path(), "lost", set_token).err().unwrap();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.message().ends_with("x.json was locked by another process for 10 s"), "{error}");
    let waited: Duration = system.pauses().iter().sum();
    assert!(waited >= LOCK_LIMIT && waited < LOCK_LIMIT * 2);
}

#[test]
fn wiping_reaches_every_string() {
    let mut value = serde_json::json!({"a": "x", "b": [{"c": "x"}], "d": 1});
    wipe(&mut value);
    assert_eq!(value, serde_json::json!({"a": "", "b": [{"c": ""}], "d": 1}));
}
