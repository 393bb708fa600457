//! Organisations that share a host. uv, and pixi through uv's library, keep one password per host and user name for URLs
//! outside an index, such as those of files: files of the second organisation are requested with the password of the first,
//! or without one. Different user names do not help; different hosts do (uv 0.13.9).

use super::{Finding, Machine, State, organisation};
use crate::{
    keyring::Candidate,
    service::Service,
    tools::{Index, is_same, with_username},
};

impl Machine<'_> {
    /// The failure of an index that shares its host with another organisation's. Of two examined indexes, it is reported for
    /// the one that the tool asks later.
    pub(super) fn shared_host(
        &self,
        tool: &str,
        indexes: &[Index],
        index: &Index,
        service: &Service,
        candidate: &Candidate,
    ) -> Option<Finding> {
        let organisation = |service: &Service| organisation(candidate, service);
        let is_rival = |other: &&Index| {
            let other = other.service();
            candidate.source.claims(self.system, &other)
                && other.host() == service.host()
                && ![String::new(), organisation(service)].contains(&organisation(&other))
        };
        let is_examined = |other: &Index| self.served.iter().any(|(_, known, _)| is_same(known, &other.service()));
        let position = indexes.iter().position(|other| is_same(&other.service(), service))?;
        let (before, after) = indexes.split_at_checked(position)?;
        let (first, second) = match before.iter().find(is_rival) {
            Some(rival) => (rival, index),
            None => (index, after.iter().filter(is_rival).find(|other| !is_examined(other))?),
        };
        let name = |index: &Index| {
            let url = || index.service().url().map_or_else(String::new, ToString::to_string);
            index.name.clone().unwrap_or_else(url)
        };
        let host = service.host().unwrap_or_default();
        let what = format!(
            "{} and {} are two organisations on {host}, for which {tool} keeps one password: files of one are refused",
            name(first),
            name(second),
        );
        let username = second.username().unwrap_or_else(|| candidate.registry.username.to_owned());
        let url = candidate.source.at_own_host(&second.service()).map(|url| with_username(&url, &username));
        let fix =
            url.map_or_else(|| format!("run {tool} with one of them at a time"), |url| second.with_url(url.as_str()));
        Some(Finding::new(State::Bad, tool, what).with_fix(fix))
    }
}
