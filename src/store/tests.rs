//! The store against the vectors: files of ssh-agent-keyring, and every intermediate value.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;

use super::{
    document::Document,
    json::unescape,
    public_key::PublicKey,
    seal::{Keys, challenge, key_encryption_key, unwrap},
    sshsig::{Signature, signed_bytes},
    wire::put_string,
    *,
};
use crate::system::fake::{FakeSystem, absolute};

/// The path of the fake system's store.
const STORE: &str = "/home/me/.local/share/ssh-agent-keyring/store.json";
const LOCKED_MESSAGE: &str = "Unable to unlock";

fn vector(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ssh-agent");
    #[expect(clippy::disallowed_methods, reason = "a test reads its vectors")]
    std::fs::read_to_string(folder.join(path)).unwrap()
}

fn expected(path: &str) -> BTreeMap<String, Value> {
    serde_json::from_str(&vector(path)).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn text(expected: &BTreeMap<String, Value>, name: &str) -> String {
    expected[name].as_str().unwrap().to_owned()
}

/// The agent's sign response.
fn signed(blob: &[u8]) -> Vec<u8> {
    let mut answer = vec![14];
    put_string(blob, &mut answer);
    answer
}

/// An agent with one key and the signature of one challenge.
fn agent_of(expected: &BTreeMap<String, Value>) -> impl Fn(&[u8]) -> Vec<u8> + Send + Sync + use<> {
    let key = PublicKey::parse(&text(expected, "public_key")).unwrap();
    let signature = unhex(&text(expected, "agent_signature_blob_hex"));
    let mut request = vec![13];
    put_string(key.blob(), &mut request);
    put_string(&unhex(&text(expected, "sshsig_tbs_hex")), &mut request);
    let flags = u32::try_from(expected["agent_sign_flags"].as_u64().unwrap()).unwrap();
    request.extend(flags.to_be_bytes());
    move |message| match message {
        [11] => {
            let mut answer = vec![12, 0, 0, 0, 1];
            put_string(key.blob(), &mut answer);
            put_string(b"a comment", &mut answer);
            answer
        }
        message if message == request => signed(&signature),
        _ => vec![5],
    }
}

/// A system whose agent signs with a fixed Ed25519 key; `change` may alter the answers.
fn signing_agent(change: impl Fn(Vec<u8>, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> FakeSystem {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let mut blob = Vec::new();
    put_string(b"ssh-ed25519", &mut blob);
    put_string(pair.public_key().as_ref(), &mut blob);
    FakeSystem::default().home("/home/me").agent(move |message| {
        if message == [11] {
            let mut answer = vec![12, 0, 0, 0, 1];
            put_string(&blob, &mut answer);
            put_string(b"", &mut answer);
            return answer;
        }
        let mut reader = wire::Reader::new(&message[1..]);
        let (key, data) = (reader.string().unwrap(), reader.string().unwrap());
        assert_eq!(key, blob);
        let mut inner = Vec::new();
        put_string(b"ssh-ed25519", &mut inner);
        put_string(pair.sign(data).as_ref(), &mut inner);
        change(signed(&inner), data)
    })
}

/// Service, user name and password of the vectors; the passwords in WTF-8.
fn secrets() -> Vec<(String, String, SecretText)> {
    let secrets = vector("secrets.json");
    let triples: Vec<BTreeMap<String, &serde_json::value::RawValue>> = serde_json::from_str(&secrets).unwrap();
    let read = |triple: &BTreeMap<String, &serde_json::value::RawValue>| {
        let name = |name: &str| String::from_utf8(unescape(triple[name].get()).unwrap().to_vec()).unwrap();
        let password = match triple.get("password_gen") {
            Some(generated) => {
                let generated: Value = serde_json::from_str(generated.get()).unwrap();
                let times = usize::try_from(generated["times"].as_u64().unwrap()).unwrap();
                generated["unit"].as_str().unwrap().repeat(times).into_bytes().into()
            }
            None => unescape(triple["password"].get()).unwrap(),
        };
        (name("service"), name("username"), SecretText::new(password))
    };
    triples.iter().map(read).collect()
}

const VECTORS: [(&str, &str); 8] = [
    ("ed25519/store-0.2.0.json", "ed25519/expected-0.2.0.json"),
    ("ed25519/store-0.6.0.json", "ed25519/expected-0.6.0.json"),
    ("ed25519/store-fixed-rng.json", "ed25519/expected-fixed-rng.json"),
    ("rsa2048/store-0.2.0.json", "rsa2048/expected-0.2.0.json"),
    ("rsa2048/store-0.6.0.json", "rsa2048/expected-0.6.0.json"),
    ("rsa2048/store-fixed-rng.json", "rsa2048/expected-fixed-rng.json"),
    (
        "rsa2048-leading-zero/store-made-with-openssh-agent.json",
        "rsa2048-leading-zero/expected-store-made-with-openssh-agent.json",
    ),
    (
        "rsa2048-leading-zero/store-made-with-gpg-agent.json",
        "rsa2048-leading-zero/expected-store-made-with-gpg-agent.json",
    ),
];

#[test]
fn intermediate_values_match_ssh_agent_keyring() {
    for (store, values) in VECTORS {
        let (file, values) = (vector(store), expected(values));
        let document = Document::parse(file.as_bytes()).unwrap();
        let header = document.header();
        let key = PublicKey::parse(&header.public_key).unwrap();
        assert_eq!(key.text(), text(&values, "public_key"));
        let challenge = challenge(&header.store_id, &key);
        assert_eq!(hex(&challenge), text(&values, "challenge_hex"));
        assert_eq!(hex(&signed_bytes(&challenge)), text(&values, "sshsig_tbs_hex"));
        let mut answer = agent::read_signature(&signed(&unhex(&text(&values, "agent_signature_blob_hex")))).unwrap();
        assert_eq!(answer.0, key.algorithm().0.as_bytes());
        let signature = Signature::verify(&key, &challenge, &answer.1).unwrap();
        let armored = if answer.1.len() < key.signature_length() {
            signature.armored_without_zeros(&key)
        } else {
            signature.armored(&key)
        };
        assert_eq!(*armored, text(&values, "armored_signature"));
        let kek = key_encryption_key(&armored, &header.salt).unwrap();
        assert_eq!(hex(kek.as_slice()), text(&values, "kek_hex"));
        let dek = unwrap(&kek, &header.wrapped_dek, &challenge, &header.nonce).unwrap();
        assert_eq!(hex(dek.as_slice()), text(&values, "dek_hex"));
        let keys = Keys::new(&dek).unwrap();
        let ids: Vec<_> =
            values["records"].as_array().unwrap().iter().map(|record| record["record_id"].as_str().unwrap()).collect();
        assert_eq!(document.ids().collect::<Vec<_>>(), ids);
        assert!(document.ids().all(|id| keys.open(id, document.record(id).unwrap().unwrap()).is_some()));
        // An invalid signature is refused.
        answer.1[9] ^= 1;
        assert!(Signature::verify(&key, &challenge, &answer.1).is_none());
    }
}

#[test]
fn stores_of_ssh_agent_keyring_open_with_every_secret() {
    for (store, values) in &VECTORS[..6] {
        let system =
            FakeSystem::default().home("/home/me").file(STORE, &vector(store)).agent(agent_of(&expected(values)));
        for (service, username, password) in secrets() {
            assert_eq!(
                Store::default().get(&system, &service, &username).unwrap(),
                Some(password),
                "{store} {service:?}"
            );
        }
        assert_eq!(Store::default().get(&system, "svc", "nobody").unwrap(), None);
        assert_eq!(
            Store::default().find(&system, "q\"\\/'").unwrap().map(|(username, _)| username).as_deref(),
            Some("<>&\u{2028}\u{7f}")
        );
    }
}

#[test]
fn a_store_opens_with_and_without_leading_zeros() {
    for (store, _) in &VECTORS[6..] {
        for (_, values) in &VECTORS[6..] {
            // Each store has its own challenge; the agents differ only in the encoding.
            let own = VECTORS.iter().find(|(other, _)| other == store).unwrap().1;
            let mut agent = expected(own);
            let form = unhex(&text(&expected(values), "agent_signature_blob_hex"));
            let is_short = form.len() < 16 + 4 + 12 + 256 - 16;
            let signature = unhex(&text(&agent, "agent_signature_blob_hex"));
            let number = &signature[signature.len() - 255..];
            let mut blob = Vec::new();
            put_string(b"rsa-sha2-512", &mut blob);
            put_string(&if is_short { number.to_vec() } else { [&[0], number].concat() }, &mut blob);
            agent.insert("agent_signature_blob_hex".into(), Value::String(hex(&blob)));
            let system = FakeSystem::default().home("/home/me").file(STORE, &vector(store)).agent(agent_of(&agent));
            let found = Store::default().get(&system, "svc", "alice").unwrap().unwrap();
            assert_eq!(found.expose(), b"s3cr3t", "{store}, short: {is_short}");
        }
    }
}

#[test]
fn files_equal_those_of_ssh_agent_keyring_byte_for_byte() {
    for kind in ["ed25519", "rsa2048"] {
        let random_bytes: Vec<String> = serde_json::from_str(&vector(&format!("{kind}/rng-log.json"))).unwrap();
        let values = expected(&format!("{kind}/expected-fixed-rng.json"));
        let system = FakeSystem::default()
            .home("/home/me")
            .agent(agent_of(&values))
            .random_bytes(random_bytes.iter().map(|draw| unhex(draw)));
        for (service, username, password) in secrets() {
            Store::default().set(&system, &service, &username, &password).unwrap();
        }
        let written = String::from_utf8(system.content(STORE).unwrap()).unwrap();
        assert!(written == vector(&format!("{kind}/store-fixed-rng.json")), "{kind}");
    }
}

#[test]
fn a_parsed_document_prints_the_same_bytes() {
    for (store, _) in VECTORS {
        let file = vector(store);
        assert!(Document::parse(file.as_bytes()).unwrap().print() == file.as_bytes(), "{store}");
    }
}

#[test]
fn unknown_members_are_kept_in_pythons_layout() {
    let file = vector("ed25519/store-0.6.0.json");
    let crowded = file
        .replace("\"identity\": {", "\"identity\":{\"zone\":[1,{\"b\":[],\"a\":{}},1e400,\"é\\/\"],")
        .replace("\"version\": 1", "\"é\\udc80\":null,\"future\":\"\\udc80\",\"version\":1.0");
    let mut document = Document::parse(crowded.as_bytes()).map(|document| document.print());
    assert!(document.is_err(), "a name that is not Unicode");
    let crowded = crowded.replace("\"é\\udc80\":null,", "");
    document = Document::parse(crowded.as_bytes()).map(|document| document.print());
    let printed = String::from_utf8(document.unwrap()).unwrap();
    let zone = "\"zone\": [\n      1,\n      {\n        \"a\": {},\n        \"b\": []\n      },\n      1e400,\n      \"\\u00e9/\"\n    ]";
    assert!(printed.contains(zone), "{}", &printed[..600]);
    assert!(printed.starts_with("{\n  \"future\": \"\\udc80\",\n  \"identity\": {\n    \"public_key\""));
    assert!(printed.ends_with("\n  \"version\": 1.0\n}\n"));
}

#[test]
fn a_malformed_store_is_an_error_and_stays_unchanged() {
    let file = vector("ed25519/store-0.6.0.json");
    let cases = [
        (String::new(), "it is empty"),
        (" \n".to_owned(), "it is empty"),
        ("\0".repeat(4096), "zero bytes"),
        (file[..file.len() / 2].to_owned(), "ends too early"),
        ("null".to_owned(), "not a JSON object"),
        ("[]".to_owned(), "not a JSON object"),
        ("{}".to_owned(), "Unsupported store version: none"),
        (file.replace("\"version\": 1", "\"version\": 2"), "Unsupported store version: 2"),
        (file.replace("\"records\"", "\"recods\""), "no \"records\""),
        (file.replace("\"records\": {", "\"records\": {\"a\": 1, \"a\": 2, "), "\"records\" is malformed"),
        (file.replace("\"salt\": \"", "\"salt\": \"A"), "\"salt\" is not 32 bytes"),
        (format!("\u{feff}{file}"), "not a JSON object"),
    ];
    for (content, complaint) in cases {
        let system = signing_agent(|answer, _| answer).file(STORE, &content);
        let store = Store::default();
        let get = store.get(&system, "a", "b").unwrap_err();
        let set = store.set(&system, "a", "b", &SecretText::default()).unwrap_err();
        for error in [get, set] {
            assert_eq!(error.kind(), Kind::Corrupted);
            assert!(error.to_string().contains(complaint) && error.to_string().contains(&absolute(STORE)), "{error}");
        }
        assert_eq!(system.content(STORE).unwrap(), content.as_bytes());
    }
}

#[test]
fn a_moved_record_is_an_error_and_the_others_open() {
    let system = signing_agent(|answer, _| answer);
    let (store, secret) = (Store::default(), |text: &str| SecretText::new(text.as_bytes().to_vec().into()));
    store.set(&system, "one", "u", &secret("1")).unwrap();
    store.set(&system, "two", "u", &secret("2")).unwrap();
    store.set(&system, "three", "u", &secret("3")).unwrap();
    let file = String::from_utf8(system.content(STORE).unwrap()).unwrap();
    let parsed: Value = serde_json::from_str(&file).unwrap();
    let records: Vec<_> = parsed["records"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, record)| (id, record["ciphertext"].as_str().unwrap()))
        .collect();
    // Swap the first two.
    system.write(
        STORE,
        file.replace(records[0].1, "x")
            .replace(records[1].1, records[0].1)
            .replace("\"x\"", &format!("{:?}", records[1].1))
            .as_bytes(),
    );
    let mut outcomes: Vec<_> = ["one", "two", "three"].iter().map(|service| store.get(&system, service, "u")).collect();
    outcomes.sort_by_key(Result::is_ok);
    for broken in &outcomes[..2] {
        let error = broken.as_ref().unwrap_err();
        assert!(error.message().starts_with("Stored keyring data is corrupted or was tampered with"), "{error}");
    }
    assert!(outcomes[2].as_ref().is_ok_and(Option::is_some));
}

#[test]
fn colliding_names_do_not_overwrite_each_other() {
    let system = signing_agent(|answer, _| answer);
    let (store, secret) = (Store::default(), SecretText::new(b"first".to_vec().into()));
    store.set(&system, "a\0b", "c", &secret).unwrap();
    assert_eq!(store.get(&system, "a", "b\0c").unwrap(), None);
    let refused = store.set(&system, "a", "b\0c", &SecretText::default()).unwrap_err();
    assert!(refused.message().contains("same identifier"), "{refused}");
    assert_eq!(store.delete(&system, "a", "b\0c").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.get(&system, "a\0b", "c").unwrap(), Some(secret));
}

#[test]
fn a_store_is_not_created_with_a_hostile_agent() {
    let constant = signed(&[&[0, 0, 0, 11], b"ssh-ed25519".as_slice(), &[0, 0, 0, 64], &[1; 64]].concat());
    let counter = std::sync::atomic::AtomicU8::new(0);
    let agents: [(&str, FakeSystem); 5] = [
        ("constant", signing_agent(move |_, _| constant.clone())),
        (
            "random",
            signing_agent(move |mut answer, _| {
                let last = answer.len() - 1;
                answer[last] ^= counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed) | 0x80;
                answer
            }),
        ),
        ("empty", signing_agent(|_, _| signed(&[]))),
        (
            "another algorithm",
            signing_agent(|answer, _| {
                let mut answer = answer;
                answer[10] ^= 1;
                answer
            }),
        ),
        (
            "another type",
            signing_agent(|mut answer, _| {
                answer[0] = 12;
                answer
            }),
        ),
    ];
    for (name, system) in agents {
        let error = Store::default().set(&system, "a", "b", &SecretText::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked, "{name}: {error}");
        assert_eq!(system.content(STORE), None, "{name}");
    }
}

#[test]
fn the_configured_key_must_match_the_store() {
    let other = vector("rsa2048/id.pub");
    let values = expected("ed25519/expected-0.6.0.json");
    let system = FakeSystem::default()
        .home("/home/me")
        .variable("SSH_AGENT_KEYRING_PUBLIC_KEY", &other)
        .file(STORE, &vector("ed25519/store-0.6.0.json"))
        .agent(agent_of(&values));
    let error = Store::default().get(&system, "svc", "alice").unwrap_err();
    assert!(error.message().starts_with("Configured public key does not match"), "{error}");
}

#[test]
fn a_refused_signature_is_an_error_with_the_reason() {
    let file = vector("ed25519/store-0.6.0.json");
    let key = PublicKey::parse(&vector("ed25519/id.pub")).unwrap();
    for (held, reason) in
        [(vec![], "holds no keys"), (vec![vec![1]], "not available"), (vec![key.blob().to_vec()], "refused")]
    {
        let system = FakeSystem::default().home("/home/me").file(STORE, &file).agent(move |message| {
            if message != [11] {
                return vec![5];
            }
            let mut answer = vec![12, 0, 0, 0, u8::try_from(held.len()).unwrap()];
            for blob in &held {
                put_string(blob, &mut answer);
                put_string(b"", &mut answer);
            }
            answer
        });
        let error = Store::default().get(&system, "svc", "alice").unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        assert!(error.message().starts_with(LOCKED_MESSAGE) && error.message().contains(reason), "{error}");
    }
}

#[test]
fn keys_are_cached_for_the_configured_time() {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let system = signing_agent(move |answer, _| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        answer
    });
    Store::default().set(&system, "a", "b", &SecretText::default()).unwrap();
    let signatures = |store: &Store, system: &FakeSystem| {
        let before = count.load(std::sync::atomic::Ordering::Relaxed);
        store.get(system, "a", "b").unwrap();
        count.load(std::sync::atomic::Ordering::Relaxed) - before
    };
    let store = Store::default();
    assert_eq!([signatures(&store, &system), signatures(&store, &system)], [1, 1]);
    let system = system.variable("RINGBEARER_STORE_CACHE_SECONDS", "60");
    assert_eq!([signatures(&store, &system), signatures(&store, &system)], [1, 0]);
    system.advance(std::time::Duration::from_secs(61));
    assert_eq!(signatures(&store, &system), 1);
    let system = system.variable("RINGBEARER_STORE_CACHE_SECONDS", "for ever");
    assert_eq!(signatures(&store, &system), 1);
}
