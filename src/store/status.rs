//! What can be told of a store without unlocking it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    agent,
    change::{destination, lock_path, parse, read},
    public_key::{PublicKey, fingerprint},
    settings::Settings,
};
use crate::{
    error::Result,
    system::{System, files::Details},
};

/// The temporary files of ssh-agent-keyring, which it leaves behind when it is killed.
const TEMPORARIES_OF_OTHERS: (&str, &str) = (".tmp-", ".json");

/// The state of a store, of what it needs, and of what could be wrong with either.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// Where the store is.
    pub(crate) path: String,
    /// Where it really is, if the path is a symbolic link.
    pub(crate) target: Option<String>,
    /// Whether there is a file.
    pub(crate) exists: bool,
    /// Its version and how many records it has, if it can be read.
    pub(crate) records: Option<usize>,
    /// Bytes.
    pub(crate) length: Option<u64>,
    /// Its permission bits, in octal.
    pub(crate) mode: Option<String>,
    /// Those of its directory.
    pub(crate) directory_mode: Option<String>,
    /// The fingerprint of the key that locks it.
    pub(crate) key: Option<String>,
    /// The key that the settings name.
    pub(crate) configured_key: Option<ConfiguredKey>,
    /// The state of the agent.
    pub(crate) agent: AgentStatus,
    /// The file that is locked while the store is written.
    pub(crate) lock_path: String,
    /// Whether a process holds the lock now; `None` if there is no lock file, or none that can be looked at.
    pub(crate) is_locked: Option<bool>,
    /// The files that writes which were cut short left behind.
    pub(crate) temporary_files: Vec<String>,
    /// What is wrong or deserves attention, a sentence each.
    pub(crate) problems: Vec<String>,
}

/// The key that the settings name.
#[derive(Debug, Serialize)]
pub(crate) struct ConfiguredKey {
    /// Its fingerprint.
    pub(crate) key: String,
    /// The file or variable that names it.
    #[serde(rename = "where")]
    pub(crate) source: String,
}

/// The state of the ssh-agent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct AgentStatus {
    /// Where it listens.
    pub(crate) socket: Option<String>,
    /// The name of the process that listens there.
    pub(crate) process: Option<String>,
    /// Whether the socket looks like that of an agent on another machine, which `ssh -A` leads to.
    pub(crate) looks_forwarded: bool,
    /// How many keys it holds.
    pub(crate) keys: Option<usize>,
    /// What it calls the key of the store, if it has it.
    pub(crate) comment: Option<String>,
    /// Whether it has the key of the store.
    pub(crate) has_key: bool,
}

/// Looks at everything. Fails only if the settings cannot be read.
pub(crate) fn status(system: &dyn System) -> Result<Status> {
    let settings = Settings::read(system)?;
    let mut problems = Vec::new();
    let resolved = destination(system, &settings.store);
    let is_dangling = resolved.is_err();
    let target = resolved.unwrap_or_else(|error| {
        problems.push(error.to_string());
        settings.store.clone()
    });
    let details = system.details(&target).ok();
    let mut status = Status {
        path: settings.store.display().to_string(),
        target: (target != settings.store).then(|| target.display().to_string()),
        exists: details.is_some(),
        records: None,
        length: details.as_ref().map(|details| details.length),
        mode: octal(details.as_ref().filter(|_| !is_dangling)),
        directory_mode: octal(target.parent().and_then(|folder| system.details(folder).ok()).as_ref()),
        key: None,
        configured_key: settings
            .key
            .as_ref()
            .map(|configured| ConfiguredKey { key: configured.key.fingerprint(), source: configured.source.clone() }),
        agent: AgentStatus::default(),
        lock_path: lock_path(&target).display().to_string(),
        is_locked: is_locked(system, &target),
        temporary_files: temporary_files(system, &target),
        problems,
    };
    let key = if is_dangling { None } else { look_inside(system, &target, &mut status) };
    look_at_agent(system, key.as_ref(), &mut status)?;
    look_for_trouble(&settings, key.as_ref(), details.as_ref(), &mut status);
    Ok(status)
}

/// The file that is locked while the store is written, and whether a process has the lock at this moment.
pub(crate) fn lock_state(system: &dyn System) -> Result<(String, Option<bool>)> {
    let target = destination(system, &Settings::read(system)?.store)?;
    Ok((lock_path(&target).display().to_string(), is_locked(system, &target)))
}

/// Whether somebody holds the lock of the store at this moment. Nothing is created.
fn is_locked(system: &dyn System, target: &Path) -> Option<bool> {
    let path = lock_path(target);
    system.details(&path).ok()?;
    system.try_lock(&path).ok().map(|lock| lock.is_none())
}

fn look_inside(system: &dyn System, target: &Path, status: &mut Status) -> Option<PublicKey> {
    let snapshot = match read(system, target) {
        Ok(snapshot) => snapshot?,
        Err(error) => {
            status.problems.push(error.to_string());
            return None;
        }
    };
    match parse(target, &snapshot) {
        Ok(document) => {
            status.records = Some(document.len());
            match PublicKey::parse(&document.header().public_key) {
                Ok(key) => {
                    status.key = Some(key.fingerprint());
                    return Some(key);
                }
                Err(unusable) => status.problems.push(unusable.to_string()),
            }
        }
        Err(error) => status.problems.push(error.to_string()),
    }
    None
}

fn look_at_agent(system: &dyn System, key: Option<&PublicKey>, status: &mut Status) -> Result<()> {
    match system.agent_peer() {
        Ok(peer) => {
            status.agent.looks_forwarded = looks_forwarded(&peer.socket, peer.process.as_deref());
            status.agent.socket = Some(peer.socket);
            status.agent.process = peer.process;
        }
        Err(error) if error.ends_the_lookup() => return Err(error),
        Err(error) => {
            status.problems.push(error.to_string());
            return Ok(());
        }
    }
    match agent::identities(system) {
        Ok(held) => {
            status.agent.keys = Some(held.len());
            let of_store = held.iter().find(|identity| key.is_some_and(|key| key.blob() == identity.blob));
            status.agent.has_key = of_store.is_some();
            status.agent.comment = of_store.map(|identity| identity.comment.clone());
            if held.is_empty() {
                let say = "ssh-agent holds no keys, or is locked: `ssh-add` loads one, `ssh-add -X` unlocks it";
                status.problems.push(say.to_owned());
            } else if !status.exists && held.iter().all(|identity| PublicKey::from_blob(&identity.blob).is_err()) {
                let say = "none of the agent's keys can lock a store: it takes ed25519 or RSA";
                status.problems.push(say.to_owned());
            } else if let Some(key) = key.filter(|_| of_store.is_none()) {
                let wanted = fingerprint(key.blob());
                status
                    .problems
                    .push(format!("ssh-agent does not hold the key of the store, {wanted}: `ssh-add` loads it"));
            }
        }
        Err(error) if error.ends_the_lookup() => return Err(error),
        Err(error) => status.problems.push(error.to_string()),
    }
    Ok(())
}

/// Whether a socket belongs to sshd, which passes everything on to the machine that one came from. The
/// process tells; where it does not, OpenSSH 10.1 names its sockets `s.RANDOM.sshd.RANDOM`.
fn looks_forwarded(socket: &str, process: Option<&str>) -> bool {
    process.map_or_else(|| socket.contains(".sshd."), |process| process.starts_with("sshd"))
}

fn look_for_trouble(settings: &Settings, key: Option<&PublicKey>, details: Option<&Details>, status: &mut Status) {
    if let (Some(configured), Some(key)) = (&settings.key, key)
        && configured.key.text() != key.text()
    {
        status.problems.push(format!("{} names another key than the store has", configured.source));
    }
    if details.is_some_and(|details| details.is_owned_by_other) {
        status.problems.push("the store belongs to another user: it is read, but not written".to_owned());
    }
    if details.filter(|details| details.is_file).and_then(|details| details.mode).is_some_and(|mode| mode & 0o077 != 0)
    {
        let say = "others may read the store: `chmod 600` keeps them from it (what they see is encrypted)";
        status.problems.push(say.to_owned());
    }
    if status
        .directory_mode
        .as_deref()
        .and_then(|mode| u32::from_str_radix(mode, 8).ok())
        .is_some_and(|mode| mode & 0o022 != 0)
    {
        status.problems.push("others may write to the directory of the store, and so replace it".to_owned());
    }
    if !status.temporary_files.is_empty() {
        let say = "writes that were cut short left files behind; the next write removes those of ringbearer";
        status.problems.push(say.to_owned());
    }
    if status.agent.looks_forwarded {
        let say = "the agent is forwarded: its key is on the machine that you came from, and root of this one can use it \
                   while you are here";
        status.problems.push(say.to_owned());
    }
}

/// The temporary files beside a store: ours, and those of the published package.
fn temporary_files(system: &dyn System, target: &Path) -> Vec<String> {
    let mut found: Vec<PathBuf> = system.temporary_files(target).unwrap_or_default();
    let (begin, end) = TEMPORARIES_OF_OTHERS;
    found.extend(system.siblings(target, begin, end).unwrap_or_default());
    found.iter().map(|path| path.display().to_string()).collect()
}

fn octal(details: Option<&Details>) -> Option<String> {
    details.and_then(|details| details.mode).map(|mode| format!("{mode:04o}"))
}
