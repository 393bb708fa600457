//! When a lookup may sign in. A repository must not start a sign-in, nor may one start where nobody sees it.

use std::borrow::Cow;

use crate::{
    auth::ci,
    keyring::Candidate,
    registry::sign_in::SignIn,
    service::Service,
    system::{System, terminal::TerminalWriter},
    tools::{indexes_of_user, is_below, pip::Pip},
};

/// The terminal to sign in at. Otherwise the first condition that does not hold, in a clause.
pub(super) fn terminal(
    system: &dyn System,
    candidate: &Candidate,
    sign_in: &dyn SignIn,
    service: &Service,
) -> Result<Box<dyn TerminalWriter>, Cow<'static, str>> {
    if let Some(variable) = ci::job_variable(system) {
        return Err(format!("{variable} is set: nobody can sign in").into());
    }
    if let Some(place) = Pip::read_of_user(system).no_input {
        return Err(format!("{place} forbids prompts").into());
    }
    if let Some(why) = sign_in.never_prompts(system) {
        return Err(why.into());
    }
    if !is_named(system, candidate, service) && !sign_in.has_approved(system, service) {
        return Err(
            "no setting of the user names the index, and nobody has signed in to it: run `ringbearer login URL`".into(),
        );
    }
    Ok(system.terminal()?)
}

/// Whether the user's own settings name the index that a service is, is part of, or takes the uploads of.
fn is_named(system: &dyn System, candidate: &Candidate, service: &Service) -> bool {
    let asked = [service.url().cloned(), candidate.source.index_url(service)];
    let covers = |named: &Service| {
        let named = named.url().filter(|_| !named.is_bare_host());
        named.is_some_and(|named| asked.iter().flatten().any(|url| is_below(url, named)))
    };
    indexes_of_user(system).iter().any(|index| covers(&index.service()))
}
