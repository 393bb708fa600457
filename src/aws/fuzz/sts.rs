//! Properties that hold for any answers of STS. The target in `fuzz/` searches for counterexamples; the tests here run
//! the seeds.

use std::fmt::Debug;

use crate::{
    auth::access_token::AccessToken,
    aws::{
        client::Client,
        keys::Keys,
        region::Region,
        sts::{Role, assume_role, assume_role_with_web_identity, caller},
        xml,
    },
    error::Result,
    secret::Secret,
    system::{
        Clock,
        fake::FakeSystem,
        fuzz::{check_error, leaks, responses},
    },
};

/// Long enough that no other text contains a part of one by chance.
const SECRET: &str = "Sq7madeupsecretaccesskeySq9";
const SESSION_TOKEN: &str = "Tq7madeupsessiontokenTq9";
const PROOF: &str = "Pq7madeup.proof-of_the_jobPq9";

/// The secrets of a signed request.
const SIGNED: [&str; 2] = [SECRET, SESSION_TOKEN];

/// The answers of STS to each of its actions: requests go to one URL, and the outcome is a session of words that has
/// not expired, an ARN, or an error without a secret.
///
/// # Panics
///
/// If that does not hold.
pub fn answers(said: &[u8]) {
    let keys = Keys {
        access_key_id: "AKIDADA".to_owned(),
        secret_access_key: Secret::new(SECRET.to_owned()),
        session_token: Some(Secret::new(SESSION_TOKEN.to_owned())),
        expires: None,
    };
    let role = Role { arn: "arn:aws:iam::111122223333:role/Reader".to_owned(), ..Role::default() };
    let (Some(region), Ok(proof)) = (Region::parse("eu-west-1"), AccessToken::parse(PROOF)) else {
        panic!("there are a region and a token")
    };
    let ask = |action: &dyn Fn(&FakeSystem, &Client)| {
        let fake = FakeSystem::default().answers(responses(said));
        let Ok(client) = Client::new(&fake, None, None) else { panic!("nothing is configured") };
        action(&fake, &client);
        for request in fake.requests() {
            assert_eq!(request.url.as_str(), "https://sts.eu-west-1.amazonaws.com/");
        }
    };
    ask(&|fake, client| check_session(fake, assume_role(fake, client, &region, &keys, &role), &SIGNED));
    ask(&|fake, client| {
        check_session(fake, assume_role_with_web_identity(fake, client, &region, &proof, &role), &[PROOF]);
    });
    ask(&|fake, client| {
        if let Some(arn) = check(caller(fake, client, &region, &keys), &SIGNED) {
            assert!(arn.starts_with("arn:") && !leaks(&arn, SECRET) && !leaks(&arn, SESSION_TOKEN), "{arn}");
        }
    });
    for response in responses(said) {
        let document = String::from_utf8_lossy(&response.body);
        if let Some(text) = xml::text(&document, "SessionToken") {
            assert!(text.len() <= document.len());
        }
    }
}

fn check_session(fake: &FakeSystem, outcome: Result<Keys>, sent: &[&str]) {
    let Some(session) = check(outcome, sent) else { return };
    let Some(token) = &session.session_token else { panic!("a session has a token") };
    for text in [&session.access_key_id, session.secret_access_key.expose(), token.expose()] {
        assert!(AccessToken::parse(text).is_ok());
    }
    assert!(session.expires.is_none_or(|end| end > fake.now()));
}

/// The outcome of a request that carried these secrets: an answer that has those of another is not about them.
fn check<Outcome: Debug>(outcome: Result<Outcome>, sent: &[&str]) -> Option<Outcome> {
    outcome.map_err(|error| check_error(&error, sent)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("aws_sts") {
            answers(&seed);
        }
    }

    #[test]
    fn the_seeds_lead_to_a_session() {
        let is_session = |response: &crate::system::http::Response| {
            let body = String::from_utf8_lossy(&response.body);
            response.is_success() && xml::text(&body, "SessionToken").as_deref() == Some("made-up")
        };
        assert!(seeds("aws_sts").iter().any(|seed| responses(seed).iter().any(is_session)));
    }

    proptest! {
        #[test]
        fn any_answer_is_a_session_or_an_error_without_secrets(
            status in prop_oneof![Just(200_u16), 201_u16..600],
            name in "AccessDenied|ExpiredToken|SignatureDoesNotMatch|Throttling|[A-Za-z&;#<>]{0,12}",
            words in "[^<&]{0,20}",
            secret in prop_oneof![Just(SECRET), Just(SESSION_TOKEN), Just(PROOF)],
            time in "2026-11-2[0-9]T[0-9]{2}:00:00Z|[0-9TZ:.-]{0,20}",
        ) {
            let body = format!(
                "<R><Code>{name}</Code><Message>{words}{secret}</Message><Arn>arn:{secret}</Arn>\
                 <AccessKeyId>A1</AccessKeyId><SecretAccessKey>{words}</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>{time}</Expiration></R>"
            );
            let one = format!("{status}\nDate: Sun, 22 Nov 2026 03:00:00 GMT\n\n{body}");
            answers([one.as_str(); 3].join("\n--\n").as_bytes());
        }
    }
}
