//! The ssh-agent protocol (RFC 9987), as much of it as a store needs: which keys are there, and a signature
//! by one of them.

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

/// How long the agent may take to sign: its owner may have to be asked (`ssh-add -c`, password managers).
const SIGN_LIMIT: Duration = Duration::from_secs(60);

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// The agent's no, in the protocol's form, that of its extensions, and that of other makers.
const FAILURES: [u8; 3] = [5, 28, 30];
/// `SSH_COM_AGENT2_FAILURE`.
const FAILURE_OF_OTHERS: u8 = 102;

/// A key that the agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// The key as it is sent.
    pub(super) blob: Vec<u8>,
    /// What its owner calls it: often a path or a mail address. Whatever is not UTF-8 is replaced.
    pub(super) comment: String,
}

/// The keys that the agent holds, in its order.
pub(super) fn identities(system: &dyn System) -> Result<Vec<Identity>> {
    let answer = system.ask_agent(&[REQUEST_IDENTITIES], LIST_LIMIT)?;
    if is_failure(&answer) {
        return Err(Error::new(Kind::Locked, "Unable to list ssh-agent identities: the agent refused")
            .with_hint("`ssh-add -l` may tell why"));
    }
    let found = read_identities(&answer).ok_or_else(|| garbled("its list of keys"))?;
    debug!("ssh-agent holds {} keys", found.len());
    Ok(found)
}

/// Reads the agent's list of keys. The count that it claims is not believed before the keys are there.
pub(super) fn read_identities(answer: &[u8]) -> Option<Vec<Identity>> {
    let mut reader = Reader::new(answer);
    if reader.byte()? != IDENTITIES_ANSWER {
        return None;
    }
    let count = reader.number()?;
    let mut found = Vec::new();
    for _ in 0..count {
        let blob = reader.string()?.to_owned();
        let comment = String::from_utf8_lossy(reader.string()?).into_owned();
        found.push(Identity { blob, comment });
    }
    reader.end()?;
    Some(found)
}

/// The agent's signature of a challenge by a key, verified.
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
            format!("ssh-agent signing failed: it signed by another algorithm than {algorithm}"),
        )
        .with_hint("this agent cannot unlock stores; use OpenSSH's ssh-agent or gpg-agent"));
    }
    Signature::verify(key, challenge, &given).ok_or_else(|| {
        Error::new(Kind::Locked, "ssh-agent signing failed: its signature is not that of the key")
            .with_hint("the agent is broken, or somebody else answers in its place: look at SSH_AUTH_SOCK")
    })
}

/// Reads the agent's signature: the algorithm and the bytes.
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
    answer.first().is_some_and(|kind| FAILURES.contains(kind) || *kind == FAILURE_OF_OTHERS)
}

fn garbled(what: &str) -> Error {
    Error::new(Kind::Locked, format!("Unable to speak the ssh-agent protocol: {what} cannot be read"))
        .with_hint("is SSH_AUTH_SOCK the socket of an ssh-agent?")
}

/// The agent says no without a reason; what it holds tells which.
fn why_refused(system: &dyn System, key: &PublicKey) -> Error {
    let fingerprint = key.fingerprint();
    let held = match identities(system) {
        Ok(held) => held,
        Err(error) => return error,
    };
    if held.is_empty() {
        Error::new(Kind::Locked, format!("ssh-agent holds no keys, or is locked; it needs {fingerprint}"))
            .with_hint("unlock it with `ssh-add -X`, or load the key with `ssh-add`")
    } else if held.iter().any(|identity| identity.blob == key.blob()) {
        Error::new(Kind::Locked, format!("ssh-agent signing failed: it refused to sign with {fingerprint}"))
            .with_hint("a key that was added with `ssh-add -c` wants its question answered with yes; one that was added with `ssh-add -h` signs for certain hosts alone")
    } else {
        Error::new(Kind::Locked, format!("Requested key is not available in ssh-agent: {fingerprint}"))
            .with_hint("load it with `ssh-add`; `ssh-add -l` lists what is there")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_count_that_lies_is_found_out() {
        let mut answer = vec![IDENTITIES_ANSWER, 0, 0, 0, 1];
        put_string(b"blob", &mut answer);
        put_string(b"\xff comment", &mut answer);
        let held = read_identities(&answer).unwrap();
        assert_eq!((held.len(), held[0].comment.as_str()), (1, "\u{fffd} comment"));
        for count in [0, 2, 0xff] {
            answer[4] = count;
            assert_eq!(read_identities(&answer), None);
        }
        assert_eq!(read_identities(&[IDENTITIES_ANSWER, 0xff, 0xff, 0xff, 0xff]), None);
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd_to_be_read(answer in proptest::collection::vec(any::<u8>(), 0..200), kind in prop::sample::select(vec![5_u8, 12, 14])) {
            let answer: Vec<u8> = std::iter::once(kind).chain(answer).collect();
            let _ = read_identities(&answer);
            let _ = read_signature(&answer);
        }
    }
}
