//! The index of a sign-in.

use crate::{
    cli::{
        World,
        tools::{pip::Pip, pixi::Pixi, poetry::Poetry, uv::Uv},
    },
    error::{Error, Kind, Result},
    keyring::Candidate,
    registry::sign_in::SignIn,
    service::Service,
};

/// The index of a URL or, without one, the first in the settings of the user's tools and the project that a person can sign
/// in for, after saying which one.
pub(super) fn choose(world: &World<'_>, url: Option<&str>) -> Result<Service> {
    if let Some(url) = url {
        return Ok(Service::parse(url));
    }
    let system = world.system;
    let (uv, pip, pixi, poetry) = (Uv::read(system, true), Pip::read(system), Pixi::read(system), Poetry::read(system));
    let indexes = uv.indexes.iter().chain(&pip.indexes).chain(&pixi.indexes).chain(&poetry.sources);
    let found = indexes
        .map(|index| (index, index.service()))
        .find(|(_, service)| world.memory.keyring.sign_in_for(system, service).is_some());
    let Some((index, service)) = found else {
        let what = "which index? uv, pip, pixi and Poetry are configured with none that ringbearer can sign in for";
        return Err(Error::new(Kind::Usage, what).with_hint("ringbearer login URL"));
    };
    let url = service.url().map(ToString::to_string).unwrap_or_default();
    world.console.eprint(&format!("ringbearer: signing in for {}{}\n", super::shown(&url), index.place()));
    Ok(service)
}

/// How a person signs in for a service.
pub(super) fn sign_in_of<'all>(world: &World<'all>, service: &Service) -> Result<(&'all Candidate, &'all dyn SignIn)> {
    let keyring = &world.memory.keyring;
    keyring.sign_in_for(world.system, service).ok_or_else(|| {
        let host = service.host().unwrap_or("this");
        let what = match keyring.candidates(world.system, service).next() {
            Some(candidate) => format!("{} has no sign-in for `ringbearer login`", candidate.registry.title),
            None => format!("{host} is not an index that ringbearer serves over https"),
        };
        Error::new(Kind::Configuration, what).with_hint("`ringbearer doctor URL` shows what to do instead")
    })
}
