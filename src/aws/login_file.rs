//! Logins that the AWS CLI keeps in a file: what they grant, renewed before it ends.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use log::debug;
use serde_json::Value;
use url::Url;

use super::cached_json::{self, Members};
use crate::{
    error::{Error, Result},
    system::{System, http::Request},
};

/// What ends sooner counts as ended.
const MARGIN: Duration = Duration::from_secs(60);

/// What ends sooner is renewed.
const RENEWAL_MARGIN: Duration = Duration::from_secs(5 * 60);

/// A kind of login.
pub(super) trait Login {
    /// What it grants.
    type Grant: PartialEq;

    /// The grant in the file, whether or not it has ended; `None` if there is none that can be used.
    fn grant(&self, members: &Members) -> Option<Self::Grant>;

    /// When a grant ends.
    fn expires(grant: &Self::Grant) -> Option<SystemTime>;

    /// Asks the service for a newer grant, and puts it into the members.
    fn renew(&self, system: &dyn System, members: &mut Members) -> Result<()>;

    /// The error for a file that is not there or holds no login.
    fn absent(&self) -> Error;

    /// What is not kept if the file cannot be written, as the beginning of a message.
    fn loss(&self) -> String;
}

/// The grant of a login, and whether it was renewed here. One that ends soon is renewed; while it lives, a failure of that does
/// not matter.
pub(super) fn current<Type: Login>(system: &dyn System, login: &Type, path: &Path) -> Result<(Type::Grant, bool)> {
    let members = cached_json::read(system, path).ok_or_else(|| login.absent())?;
    let outlives = |grant: &Type::Grant, margin| outlives::<Type>(system, grant, margin);
    let Some(grant) = login.grant(&members) else { return Ok((renewed(system, login, path, None)?, true)) };
    if outlives(&grant, RENEWAL_MARGIN) {
        return Ok((grant, false));
    }
    match renewed(system, login, path, Some(&grant)) {
        Err(error) if outlives(&grant, MARGIN) && !error.ends_the_lookup() => {
            debug!("the login is not renewed, and lives on: {error}");
            Ok((grant, false))
        }
        outcome => Ok((outcome?, true)),
    }
}

/// A newer grant than `used`: from the file, if another process has renewed it, or else from the service.
pub(super) fn renewed<Type: Login>(
    system: &dyn System,
    login: &Type,
    path: &Path,
    used: Option<&Type::Grant>,
) -> Result<Type::Grant> {
    let members = cached_json::update(system, path, &login.loss(), |members| {
        let is_renewed =
            login.grant(members).is_some_and(|found| Some(&found) != used && outlives::<Type>(system, &found, MARGIN));
        if !is_renewed {
            login.renew(system, members)?;
        }
        Ok(!is_renewed)
    })?;
    members.and_then(|members| login.grant(&members)).ok_or_else(|| login.absent())
}

/// Whether a grant lives for longer than `margin`.
fn outlives<Type: Login>(system: &dyn System, grant: &Type::Grant, margin: Duration) -> bool {
    Type::expires(grant).is_some_and(|expires| expires > system.now() + margin)
}

/// A POST of a document with secrets, which is wiped.
pub(super) fn request(url: Url, mut document: Value) -> Request {
    let request = Request::post_json(url, &document);
    cached_json::wipe(&mut document);
    request
}
