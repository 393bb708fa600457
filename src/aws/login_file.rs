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
    error::{Error, Kind, Result},
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

/// The grant of a login, and whether it was renewed just now. One that ends soon is renewed; while it lives, a failure
/// of that does not matter.
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
    let is_newer = |found: &Type::Grant| Some(found) != used && outlives::<Type>(system, found, MARGIN);
    let renewed = cached_json::update(system, path, &login.loss(), |members| {
        let is_due = !login.grant(members).as_ref().is_some_and(is_newer);
        if is_due {
            login.renew(system, members)?;
        }
        Ok(is_due)
    });
    match renewed {
        Ok(members) => members.and_then(|members| login.grant(&members)).ok_or_else(|| login.absent()),
        // The CLI, which takes no lock, may have used the refresh token first.
        Err(error) if error.kind() == Kind::Rejected => {
            let grant = cached_json::read(system, path).and_then(|members| login.grant(&members));
            grant.filter(is_newer).ok_or(error)
        }
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::timestamp,
        system::{
            Clock,
            fake::{FakeSystem, absolute},
        },
    };

    const FILE: &str = "/home/ada/.aws/login/cache/x.json";

    /// A login whose grant is a number, and whose service refuses to renew it.
    struct Refused<'system> {
        system: &'system FakeSystem,
        /// What the CLI writes meanwhile.
        meanwhile: Option<&'static str>,
    }

    impl Login for Refused<'_> {
        type Grant = (u64, SystemTime);

        fn grant(&self, members: &Members) -> Option<Self::Grant> {
            Some((members.get("grant")?.as_u64()?, timestamp::rfc3339(members.text("end")?)?))
        }

        fn expires(grant: &Self::Grant) -> Option<SystemTime> {
            Some(grant.1)
        }

        fn renew(&self, _system: &dyn System, _members: &mut Members) -> Result<()> {
            if let Some(meanwhile) = self.meanwhile {
                self.system.write(FILE, meanwhile.as_bytes());
            }
            Err(Error::new(Kind::Rejected, "refused"))
        }

        fn absent(&self) -> Error {
            Error::new(Kind::Rejected, "absent")
        }

        fn loss(&self) -> String {
            "lost".to_owned()
        }
    }

    /// The number of the grant.
    fn asked(file: &str, meanwhile: Option<&'static str>) -> std::result::Result<u64, String> {
        let system = FakeSystem::default().file(FILE, file);
        let login = Refused { system: &system, meanwhile };
        let grant = current(&system, &login, Path::new(&absolute(FILE)));
        grant.map(|((number, _), _)| number).map_err(|error| error.to_string())
    }

    #[test]
    fn a_grant_that_the_cli_renews_meanwhile_is_used() {
        let ended = r#"{"grant":1,"end":"2026-11-22T00:01:00Z"}"#;
        assert_eq!(asked(ended, None), Err("refused".to_owned()));
        assert_eq!(asked(ended, Some(r#"{"grant":2,"end":"2026-11-22T00:02:00Z"}"#)), Ok(2));
        assert_eq!(asked(ended, Some(r#"{"grant":2,"end":"2026-11-22T00:01:00Z"}"#)), Err("refused".to_owned()));
    }

    #[test]
    fn a_grant_counts_until_a_minute_before_its_end() {
        let now = FakeSystem::default().now();
        for (seconds, outcome) in [(301, Ok(1)), (300, Ok(1)), (61, Ok(1)), (60, Err("refused".to_owned()))] {
            let end = timestamp::to_rfc3339(now + Duration::from_secs(seconds)).unwrap();
            assert_eq!(asked(&format!(r#"{{"grant":1,"end":"{end}"}}"#), None), outcome, "{seconds}");
        }
    }
}
