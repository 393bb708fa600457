//! Properties of the readers of foreign data: store files, agents, exports. The targets in `fuzz/` search for
//! counterexamples; the tests here vary the seeds.

use super::{agent, document::Document, export};

/// A store file: printing and parsing it again gives the same store, and the same text from then on.
///
/// # Panics
///
/// If the property does not hold.
pub fn store_file(text: &[u8]) {
    let Ok(first) = Document::parse(text) else { return };
    let printed = first.print();
    match Document::parse(&printed) {
        Ok(second) => {
            assert!(second.header() == first.header() && second.ids().eq(first.ids()));
            assert!(second.ids().all(|id| second.record(id) == first.record(id)));
            assert!(second.print() == printed);
        }
        Err(problem) => panic!("the printed store is malformed: {problem:?}"),
    }
}

/// An answer of the agent, without its length: no more keys than fit into it.
///
/// # Panics
///
/// If the property does not hold.
pub fn agent_answer(answer: &[u8]) {
    let keys = agent::read_keys(answer).unwrap_or_default();
    assert!(keys.len() <= answer.len() / 8);
    for held in keys {
        if let Ok(key) = super::public_key::PublicKey::from_blob(&held.blob) {
            assert!(super::public_key::PublicKey::parse(key.text()).as_ref() == Ok(&key));
            // Verification does not panic, whatever the numbers are.
            assert!(!key.verifies(b"message", &vec![0; key.signature_length()]));
        }
    }
    if let Some((algorithm, signature)) = agent::read_signature(answer) {
        assert!(algorithm.len() + signature.len() < answer.len());
    }
}

/// An export file: printing and reading it again gives the same records.
///
/// # Panics
///
/// If the property does not hold.
pub fn exported(content: &[u8]) {
    let Ok(entries) = export::read(content, "the file") else { return };
    let printed = export::print(&entries);
    let again = export::read(&printed, "the file").unwrap_or_default();
    assert!(again.len() == entries.len());
    assert!(
        again
            .iter()
            .zip(&entries)
            .all(|(left, right)| { left.service == right.service && left.username == right.username })
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STORE: &str =
        include_str!("../../tests/vectors/ssh-agent/rsa2048-leading-zero/store-made-with-gpg-agent.json");

    proptest! {
        #[test]
        fn a_damaged_store_is_parsed_or_refused(
            at in 0..STORE.len(), length in 0_usize..40, put in "[\\x00-\\x7f]{0,4}|\\\\u[dD][89a-f][0-9]{2}|\\PC{0,3}",
        ) {
            let mut text = STORE.as_bytes().to_vec();
            text.splice(at..(at + length).min(text.len()), put.bytes());
            store_file(&text);
        }

        #[test]
        fn any_layout_of_a_store_prints_the_same(indent in 0_usize..5, reverse in any::<bool>()) {
            let value: serde_json::Value = serde_json::from_str(STORE).unwrap();
            let members = value.as_object().unwrap();
            let mut order: Vec<_> = members.keys().collect();
            if reverse {
                order.reverse();
            }
            let line = format!("\n{}", " ".repeat(indent));
            let parts: Vec<_> = order.iter().map(|&name| format!("{line}{name:?}:{}", members[name])).collect();
            let text = format!("{{{}}}", parts.join(","));
            prop_assert_eq!(Document::parse(text.as_bytes()).unwrap().print(), STORE.as_bytes());
            store_file(text.as_bytes());
        }

        #[test]
        fn any_answer_of_an_agent_is_parsed_or_refused(
            kind in prop::sample::select(vec![5_u8, 12, 14]), rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            agent_answer(&std::iter::once(kind).chain(rest).collect::<Vec<_>>());
        }

        #[test]
        fn exported_records_round_trip(names in proptest::collection::vec(("\\PC*", "\\PC*", "\\PC*"), 0..5)) {
            let entries: Vec<_> = names.into_iter().map(|(service, username, password)| crate::store::Entry {
                service, username, password: crate::secret::SecretText::new(password.into_bytes().into()),
            }).collect();
            let again = export::read(&export::print(&entries), "the file").unwrap();
            prop_assert_eq!(format!("{again:?}"), format!("{entries:?}"));
            prop_assert!(again.iter().zip(&entries).all(|(left, right)| left.password == right.password));
        }
    }
}
