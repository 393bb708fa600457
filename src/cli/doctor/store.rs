//! What the store has for a URL.

use super::report::{Finding, Report, State};
use crate::{
    cli::{World, shown},
    error::{Kind, Result},
    store::is_in_use,
    tools::Index,
};

/// Whether the store has a record for a URL that no registry claims, by the names that tools ask with.
pub(super) fn examine(world: &World<'_>, report: &mut Report<'_>, index: &Index) -> Result<bool> {
    if !is_in_use(world.system) {
        report.add(&Finding::new(State::Off, "store", "ringbearer's store is not set up"))?;
        return Ok(false);
    }
    let (store, username) = (&world.memory.store, index.username());
    let mut services = vec![index.without_user()];
    services.extend(index.service().host().map(str::to_owned));
    for service in services {
        let found = match &username {
            Some(name) => store.get(world.system, &service, name).map(|found| found.map(|_| name.clone())),
            None => store.find(world.system, &service).map(|found| found.map(|(name, _)| name)),
        };
        match found {
            Ok(Some(username)) => {
                let username = shown(&username);
                report.add(&Finding::new(State::Good, "store", format!("has a password of {username} for it")))?;
                return Ok(true);
            }
            Ok(None) => {}
            Err(error) if error.kind() == Kind::Cancelled => return Err(error),
            Err(error) => {
                report.add(&Finding::of_error("store", &error))?;
                return Ok(false);
            }
        }
    }
    report.add(&Finding::new(State::Off, "store", "has no record for it; the next keyring is asked"))?;
    Ok(false)
}
