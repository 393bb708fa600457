//! The kept logins, for people and programs. Nothing here reads a secret.

use serde_json::{Value, json};

use crate::{
    cli::{DONE, World, cache::in_words, in_ascii, print, shown},
    error::Result,
    registry::sign_in::Login,
};

/// Lists the logins.
pub(super) fn run(world: &World<'_>, is_json: bool) -> Result<u8> {
    let mut logins = Vec::new();
    for (_, sign_in) in world.memory.keyring.sign_ins() {
        logins.extend(sign_in.logins(world.system)?);
    }
    if is_json {
        let list: Value = logins.iter().map(as_json).collect();
        return print(world.console, &(in_ascii(&list.to_string()) + "\n"));
    }
    if logins.is_empty() {
        super::say_nobody(world);
        return Ok(DONE);
    }
    let rows: Vec<_> = logins.iter().map(|login| row(world, login)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2), width(3)];
    let lines = rows.iter().map(|[account, organisations, kept_in, age, life]| {
        let [first, second, third, fourth] = widths;
        format!("{account:first$}  {organisations:second$}  {kept_in:third$}  {age:fourth$}  {life}\n")
    });
    print(world.console, &lines.collect::<String>())
}

fn row(world: &World<'_>, login: &Login) -> [String; 5] {
    let age = world.system.now().duration_since(login.signed_in).unwrap_or_default();
    [
        shown(&login.account),
        shown(&login.organisations.join(", ")),
        where_kept(login),
        format!("signed in {} ago", in_words(age)),
        shown(&login.life),
    ]
}

/// Where the refresh token is kept, in a clause.
pub(in crate::cli) fn where_kept(login: &Login) -> String {
    login.kept_in.as_deref().map_or_else(|| "not kept".to_owned(), |place| format!("kept in {}", shown(place)))
}

/// A login for programs.
pub(in crate::cli) fn as_json(login: &Login) -> Value {
    let signed_in = jiff::Timestamp::try_from(login.signed_in).ok().map(|time| time.to_string());
    json!({
        "account": login.account, "organisations": login.organisations, "kept_in": login.kept_in, "signed_in": signed_in,
        "life": login.life,
    })
}
