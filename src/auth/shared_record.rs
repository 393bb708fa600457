//! Records in the memory that the processes of a login session share.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    auth::cache_key::fingerprint,
    system::{
        System,
        shared_memory::{LONGEST_SHARED, Unavailable},
    },
};

/// The prefix of the names of all records.
pub(crate) const PREFIX: &str = "ringbearer:";

/// An opaque name for fields of a registry's cache key.
#[must_use]
pub(crate) fn opaque_name(registry: &str, fields: &[&str]) -> String {
    // Only the last field may contain a zero character, so that no two lists coincide.
    fingerprint(format!("{registry}\0{}", fields.join("\0")).as_bytes())
}

/// Shares a record as JSON. `freed` bytes of the key quota are about to be released.
pub(crate) fn share(
    system: &dyn System,
    name: &str,
    record: &impl Serialize,
    life: Duration,
    freed: u64,
) -> Result<(), Unavailable> {
    // The whole capacity at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_SHARED));
    if serde_json::to_writer(&mut *text, record).is_err() || text.len() > LONGEST_SHARED {
        return Err(Unavailable::TooLong);
    }
    if let Some(quota) = system.key_quota()
        && !quota.has_room(quota_bytes(name, &text), freed)
    {
        return Err(Unavailable::HalfOfQuota(quota));
    }
    system.share(name, &text, life)
}

/// The name of the oldest record; one that does not say its age comes first.
#[must_use]
pub(crate) fn oldest(system: &dyn System) -> Option<String> {
    #[derive(Deserialize)]
    struct Age {
        #[serde(alias = "written")]
        created: Duration,
    }
    let created = |name: &String| {
        let record: Option<Age> = serde_json::from_slice(&system.shared(name)?).ok();
        record.map(|record| record.created)
    };
    system.shared_names(PREFIX)?.into_iter().min_by_key(created)
}

/// The bytes that a key counts against the quota: its description with a final zero, and its payload.
#[must_use]
pub(crate) fn quota_bytes(name: &str, text: &[u8]) -> u64 {
    (name.len() + 1 + text.len()) as u64
}

/// The time since 1970, as records hold it; `None` for an earlier one.
#[must_use]
pub(crate) fn since_1970(time: SystemTime) -> Option<Duration> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok()
}
