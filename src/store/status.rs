//! The state of a store, read without unlocking it.

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

/// Prefix and suffix of the temporary files that ssh-agent-keyring leaves when it is killed.
const SSH_AGENT_KEYRING_TEMPORARIES: (&str, &str) = (".tmp-", ".json");

/// The state of a store and of the agent, with their problems.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// The path of the store.
    pub(crate) path: String,
    /// The target, if the path is a symbolic link.
    pub(crate) target: Option<String>,
    /// Whether the file exists.
    pub(crate) exists: bool,
    /// The number of records, if the file can be read.
    pub(crate) records: Option<usize>,
    /// Size of the file in bytes.
    pub(crate) length: Option<u64>,
    /// Permission bits of the file, in octal.
    pub(crate) mode: Option<String>,
    /// Permission bits of the directory, in octal.
    pub(crate) directory_mode: Option<String>,
    /// The fingerprint of the store's key.
    pub(crate) key: Option<String>,
    /// The configured key.
    pub(crate) configured_key: Option<ConfiguredKeyStatus>,
    /// The state of the agent.
    pub(crate) agent: AgentStatus,
    /// The lock file.
    pub(crate) lock_path: String,
    /// Whether a process holds the lock; `None` if the lock file is missing or cannot be opened.
    pub(crate) is_locked: Option<bool>,
    /// The temporary files of interrupted writes.
    #[serde(rename = "temporaries")]
    pub(crate) temporary_files: Vec<String>,
    /// Problems, a sentence each.
    pub(crate) problems: Vec<String>,
}

/// The configured key.
#[derive(Debug, Serialize)]
pub(crate) struct ConfiguredKeyStatus {
    /// Its fingerprint.
    pub(crate) key: String,
    /// The file or variable that names the key.
    #[serde(rename = "where")]
    pub(crate) source: String,
}

/// The state of the ssh-agent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct AgentStatus {
    /// The path of the socket.
    pub(crate) socket: Option<String>,
    /// The name of the listening process.
    pub(crate) process: Option<String>,
    /// Whether the agent seems to be forwarded from another machine (`ssh -A`).
    pub(crate) looks_forwarded: bool,
    /// The number of keys.
    pub(crate) keys: Option<usize>,
    /// The agent's comment for the store's key.
    pub(crate) comment: Option<String>,
    /// Whether the agent holds the store's key.
    pub(crate) has_key: bool,
}

/// Inspects the store and the agent. Fails only if the settings cannot be read.
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
        configured_key: settings.key.as_ref().map(|configured| ConfiguredKeyStatus {
            key: configured.key.fingerprint(),
            source: configured.source.clone(),
        }),
        agent: AgentStatus::default(),
        lock_path: lock_path(&target).display().to_string(),
        is_locked: is_locked(system, &target),
        temporary_files: temporary_files(system, &target),
        problems,
    };
    let key = if is_dangling { None } else { inspect_store(system, &target, &mut status) };
    inspect_agent(system, key.as_ref(), &mut status)?;
    find_problems(&settings, key.as_ref(), details.as_ref(), &mut status);
    Ok(status)
}

/// The lock file, and whether a process holds the lock.
pub(crate) fn lock_state(system: &dyn System) -> Result<(String, Option<bool>)> {
    let target = destination(system, &Settings::read(system)?.store)?;
    Ok((lock_path(&target).display().to_string(), is_locked(system, &target)))
}

/// Whether a process holds the lock of the store. Creates no lock file.
fn is_locked(system: &dyn System, target: &Path) -> Option<bool> {
    let path = lock_path(target);
    system.details(&path).ok()?;
    system.try_lock(&path).ok().map(|lock| lock.is_none())
}

fn inspect_store(system: &dyn System, target: &Path, status: &mut Status) -> Option<PublicKey> {
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

fn inspect_agent(system: &dyn System, key: Option<&PublicKey>, status: &mut Status) -> Result<()> {
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
    match agent::keys(system) {
        Ok(held) => {
            status.agent.keys = Some(held.len());
            let of_store = held.iter().find(|listed| key.is_some_and(|key| key.blob() == listed.blob));
            status.agent.has_key = of_store.is_some();
            status.agent.comment = of_store.map(|listed| listed.comment.clone());
            if held.is_empty() {
                let say = "ssh-agent holds no keys, or is locked: `ssh-add` loads one, `ssh-add -X` unlocks it";
                status.problems.push(say.to_owned());
            } else if !status.exists && held.iter().all(|listed| PublicKey::from_blob(&listed.blob).is_err()) {
                let say = "none of the agent's keys can lock a store: load an ed25519 or RSA key";
                status.problems.push(say.to_owned());
            } else if let Some(key) = key.filter(|_| of_store.is_none()) {
                let wanted = fingerprint(key.blob());
                status.problems.push(format!("ssh-agent does not hold the store's key {wanted}: `ssh-add` loads it"));
            }
        }
        Err(error) if error.ends_the_lookup() => return Err(error),
        Err(error) => status.problems.push(error.to_string()),
    }
    Ok(())
}

/// Whether a socket belongs to sshd, which forwards to the machine of the login. Where the process is unknown, the path
/// shows it: OpenSSH 10.1 names the sockets `s.RANDOM.sshd.RANDOM`.
fn looks_forwarded(socket: &str, process: Option<&str>) -> bool {
    process.map_or_else(|| socket.contains(".sshd."), |process| process.starts_with("sshd"))
}

fn find_problems(settings: &Settings, key: Option<&PublicKey>, details: Option<&Details>, status: &mut Status) {
    if let (Some(configured), Some(key)) = (&settings.key, key)
        && configured.key.text() != key.text()
    {
        status.problems.push(format!("{} names a key other than the store's", configured.source));
    }
    if details.is_some_and(|details| details.is_owned_by_other) {
        status.problems.push("the store belongs to another user: it can be read, but not written".to_owned());
    }
    if details.filter(|details| details.is_file).and_then(|details| details.mode).is_some_and(|mode| mode & 0o077 != 0)
    {
        let say = "other users can read the encrypted store: `chmod 600` prevents that";
        status.problems.push(say.to_owned());
    }
    if status
        .directory_mode
        .as_deref()
        .and_then(|mode| u32::from_str_radix(mode, 8).ok())
        .is_some_and(|mode| mode & 0o022 != 0)
    {
        status.problems.push("other users can write to the directory of the store, and so replace it".to_owned());
    }
    if !status.temporary_files.is_empty() {
        let say = "interrupted writes left files behind; the next write removes those of ringbearer";
        status.problems.push(say.to_owned());
    }
    if status.agent.looks_forwarded {
        let say = "the agent is forwarded: root on this machine can use the keys of yours while you are logged in";
        status.problems.push(say.to_owned());
    }
}

/// The temporary files of ringbearer and ssh-agent-keyring beside a store.
fn temporary_files(system: &dyn System, target: &Path) -> Vec<String> {
    let mut found: Vec<PathBuf> = system.temporary_files(target).unwrap_or_default();
    let (begin, end) = SSH_AGENT_KEYRING_TEMPORARIES;
    found.extend(system.siblings(target, begin, end).unwrap_or_default());
    found.iter().map(|path| path.display().to_string()).collect()
}

fn octal(details: Option<&Details>) -> Option<String> {
    details.and_then(|details| details.mode).map(|mode| format!("{mode:04o}"))
}
