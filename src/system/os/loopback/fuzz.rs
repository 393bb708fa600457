//! Properties of the reader of requests. The target in `fuzz/` searches for a counterexample; the tests here vary
//! requests.

use super::request::{MAX_REQUEST, parse};

/// The bytes that a client sends: the outcome is the same however they are split, and a request holds nothing else.
///
/// # Panics
///
/// If that does not hold.
pub fn browser_request(received: &[u8]) {
    let received = &received[..received.len().min(MAX_REQUEST)];
    let whole = parse(received);
    // The first part that decides.
    let first = (0..=received.len()).find(|&length| !matches!(parse(&received[..length]), Ok(None)));
    let Some(length) = first else {
        assert!(matches!(whole, Ok(None)) && received.len() < MAX_REQUEST);
        return;
    };
    match (parse(&received[..length]), whole) {
        (Err(early), Err(late)) => assert_eq!(early, late),
        (Ok(Some(early)), Ok(Some(late))) => {
            assert!(early.method == late.method && early.target == late.target && early.host == late.host);
            assert!(early.body == late.body && early.content_type == late.content_type);
            assert!(received[..length].ends_with(&early.body));
            let has_control = |text: &str| text.contains(|character: char| character.is_ascii_control());
            assert!(!has_control(&early.method) && !has_control(&early.target) && !early.target.is_empty());
            assert!(early.host.is_none_or(|host| !host.is_empty() && host == host.trim_ascii()));
        }
        _ => panic!("the rest of the bytes changes the outcome"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("browser_request") {
            browser_request(&seed);
        }
    }

    proptest! {
        #[test]
        fn a_request_reads_the_same_however_it_arrives(
            start in "(GET|POST|[A-Z ]{0,4}) ?/?[a-z?=%/]{0,9} ?(HTTP/1\\.[01]|HTTP/[0-9.]{0,3})?\r?\n",
            headers in proptest::collection::vec(
                "(Host|Content-Length|Content-Type|Expect|[A-Za-z -]{0,5}): ?([0-9]{1,6}|[a-z/; =]{0,9}|\\PC{0,4})(\r\n|\n|\r)", 0..6),
            body in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            browser_request(&[start.as_bytes(), headers.concat().as_bytes(), b"\r\n", &body].concat());
        }
    }
}
