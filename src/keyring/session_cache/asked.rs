//! Who was given what: a tool that asks the same twice within seconds was refused with the first answer, and gets a token
//! that was made after it asked first: another one, unless the first answer was new already.
//!
//! A tool is told by the process that it is. Whoever runs pip or uv anew asks in another process, and cannot be told from
//! somebody who was let in: for them there is `ringbearer cache clear`. What is noted holds no secret.

use std::time::{Duration, SystemTime};

use super::kept::{hashed, share, since_1970};
use crate::{keyring::Candidate, service::Service, system::System};

/// How long a question is remembered.
const WINDOW: Duration = Duration::from_secs(10);

/// The most questions of one organisation or audience that are remembered: the newest.
const MOST: usize = 32;

/// A question, and who asks it.
pub(super) struct Question {
    /// Where the questions about the same organisation or audience are noted.
    place: String,
    /// Letters that tell this one from others; `None` where it cannot be found out who asks.
    key: Option<String>,
}

impl Question {
    pub(super) fn new(
        system: &dyn System,
        candidate: &Candidate,
        realm: &str,
        service: &Service,
        username: Option<&str>,
    ) -> Self {
        let url = service.url().map_or("", |url| url.as_str());
        let key = system.caller().map(|caller| hashed(candidate, &[&caller, url, username.unwrap_or_default()]));
        Self { place: format!("ringbearer:asked:{}", hashed(candidate, &[realm])), key }
    }

    /// When the same caller asked this first, of late; `now` if it did not.
    pub(super) fn first_asked(&self, system: &dyn System, now: SystemTime) -> SystemTime {
        let noted = self.noted(system, now);
        let found = noted.into_iter().find(|(key, _)| Some(key) == self.key.as_ref());
        found.and_then(|(_, first)| SystemTime::UNIX_EPOCH.checked_add(first)).unwrap_or(now)
    }

    /// Notes that it was asked first at this moment, and answered.
    pub(super) fn note(&self, system: &dyn System, first: SystemTime) {
        let (Some(key), Some(since)) = (self.key.clone(), since_1970(first)) else { return };
        let mut noted = self.noted(system, first);
        if noted.iter().all(|(known, _)| *known != key) {
            noted.push((key, since));
            noted.drain(..noted.len().saturating_sub(MOST));
            share(system, &self.place, &noted, WINDOW);
        }
    }

    /// What was asked within the time that counts. Of two that note at once one may get lost: it is not recognised
    /// then.
    fn noted(&self, system: &dyn System, now: SystemTime) -> Vec<(String, Duration)> {
        let text = system.shared(&self.place).unwrap_or_default();
        let mut noted: Vec<(String, Duration)> = serde_json::from_slice(&text).unwrap_or_default();
        let now = since_1970(now).unwrap_or_default();
        noted.retain(|(_, first)| now.abs_diff(*first) < WINDOW);
        noted
    }
}
