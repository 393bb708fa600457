//! Client of the ssh-agent protocol (RFC 9987): lists keys and asks for signatures.

use std::time::Duration;

use log::debug;
use zeroize::Zeroizing;

use super::{
    public_key::PublicKey,
    sshsig::{Signature, signed_bytes},
    wire::{Reader, put_string},
};
use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// How long the agent may take to list its keys.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// How long the agent may take to sign: it may ask its user (`ssh-add -c`, password managers).
const SIGN_LIMIT: Duration = Duration::from_secs(60);

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// `SSH_AGENT_FAILURE`, `SSH_AGENT_EXTENSION_FAILURE`, `SSH2_AGENT_FAILURE` and `SSH_COM_AGENT2_FAILURE`.
const FAILURES: [u8; 4] = [5, 28, 30, 102];

/// A key that the agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AgentKey {
    /// The key blob.
    pub(super) blob: Vec<u8>,
    /// The comment, often a path or a mail address. Bytes that are not UTF-8 are replaced.
    pub(super) comment: String,
}

/// The keys that the agent holds, in the agent's order.
pub(super) fn keys(system: &dyn System) -> Result<Vec<AgentKey>> {
    let answer = system.ask_agent(&[REQUEST_IDENTITIES], LIST_LIMIT)?;
    if is_failure(&answer) {
        return Err(Error::new(Kind::Locked, "Unable to list ssh-agent identities: the agent refused")
            .with_hint("`ssh-add -l` may show why"));
    }
    let found = read_keys(&answer).ok_or_else(|| garbled("its list of keys"))?;
    debug!("ssh-agent holds {} keys", found.len());
    Ok(found)
}

/// Parses the agent's list of keys. Memory grows with the keys that are there, not with the count.
pub(super) fn read_keys(answer: &[u8]) -> Option<Vec<AgentKey>> {
    let mut reader = Reader::new(answer);
    if reader.byte()? != IDENTITIES_ANSWER {
        return None;
    }
    let count = reader.number()?;
    let mut found = Vec::new();
    for _ in 0..count {
        let blob = reader.string()?.to_owned();
        let comment = String::from_utf8_lossy(reader.string()?).into_owned();
        found.push(AgentKey { blob, comment });
    }
    reader.end()?;
    Some(found)
}

/// Asks the agent to sign a challenge with a key, and verifies the signature.
pub(super) fn sign(system: &dyn System, key: &PublicKey, challenge: &[u8]) -> Result<Signature> {
    let (algorithm, flags) = key.algorithm();
    let mut request = vec![SIGN_REQUEST];
    put_string(key.blob(), &mut request);
    put_string(&signed_bytes(challenge), &mut request);
    request.extend_from_slice(&flags.to_be_bytes());
    debug!("asking ssh-agent to sign with {}", key.fingerprint());
    let before = system.remaining();
    let answer = system.ask_agent(&request, SIGN_LIMIT)?;
    debug!("ssh-agent answered within {:.1?}", before.saturating_sub(system.remaining()));
    if is_failure(&answer) {
        return Err(why_refused(system, key));
    }
    let (given_algorithm, given) = read_signature(&answer).ok_or_else(|| garbled("its signature"))?;
    if given_algorithm != algorithm.as_bytes() {
        return Err(Error::new(
            Kind::Locked,
            format!("ssh-agent signing failed: the signature algorithm is not {algorithm}"),
        )
        .with_hint("this agent cannot unlock stores; use OpenSSH's ssh-agent or gpg-agent"));
    }
    Signature::verify(key, challenge, &given).ok_or_else(|| {
        Error::new(Kind::Locked, "ssh-agent signing failed: the signature does not verify")
            .with_hint("the agent is broken, or SSH_AUTH_SOCK names another program")
    })
}

/// Parses the agent's signature: the algorithm and the bytes.
pub(super) fn read_signature(answer: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let mut reader = Reader::new(answer);
    if reader.byte()? != SIGN_RESPONSE {
        return None;
    }
    let mut inner = Reader::new(reader.string()?);
    reader.end()?;
    let (algorithm, signature) = (inner.string()?, inner.string()?);
    inner.end()?;
    Some((algorithm.to_owned(), Zeroizing::new(signature.to_owned())))
}

fn is_failure(answer: &[u8]) -> bool {
    answer.first().is_some_and(|kind| FAILURES.contains(kind))
}

fn garbled(what: &str) -> Error {
    Error::new(Kind::Locked, format!("Unable to speak the ssh-agent protocol: {what} cannot be read"))
        .with_hint("check that SSH_AUTH_SOCK is the socket of an ssh-agent")
}

/// The reason why the agent refused to sign, found in its list of keys: the protocol gives none.
fn why_refused(system: &dyn System, key: &PublicKey) -> Error {
    let fingerprint = key.fingerprint();
    let held = match keys(system) {
        Ok(held) => held,
        Err(error) => return error,
    };
    if held.is_empty() {
        Error::new(Kind::Locked, format!("ssh-agent holds no keys, or is locked; it needs {fingerprint}"))
            .with_hint("unlock it with `ssh-add -X`, or load the key with `ssh-add`")
    } else if held.iter().any(|listed| listed.blob == key.blob()) {
        Error::new(Kind::Locked, format!("ssh-agent signing failed: it refused to sign with {fingerprint}"))
            .with_hint("a key added with `ssh-add -c` asks for confirmation; a key added with `ssh-add -h` only signs for the named hosts")
    } else {
        Error::new(Kind::Locked, format!("Requested key is not available in ssh-agent: {fingerprint}"))
            .with_hint("load it with `ssh-add`; `ssh-add -l` lists the loaded keys")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wrong_count_of_keys_is_refused() {
        let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 1];
        put_string(b"blob", &mut answer);
        put_string(b"\xff comment", &mut answer);
        let held = read_keys(&answer).unwrap();
        assert_eq!((held.len(), held[0].comment.as_str()), (1, "\u{fffd} comment"));
        for count in [0, 2, 0xff] {
            answer[4] = count;
            assert_eq!(read_keys(&answer), None);
        }
        assert_eq!(read_keys(&[IDENTITIES_ANSWER, 0xff, 0xff, 0xff, 0xff]), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed_without_panic(answer in proptest::collection::vec(any::<u8>(), 0..200), kind in prop::sample::select(vec![5_u8, 12, 14])) {
            let answer: Vec<u8> = std::iter::once(kind).chain(answer).collect();
            let _ = read_keys(&answer);
            let _ = read_signature(&answer);
        }
    }
}
