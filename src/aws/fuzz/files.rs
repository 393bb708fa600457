//! The configuration files, times, and what `credential_process` prints.

use std::time::{Duration, SystemTime};

use crate::{
    auth::{command_line, timestamp},
    aws::{config::Config, expiry, sources::process},
    error::{Error, single_line},
    system::{
        Clock, Platform,
        fake::FakeSystem,
        fuzz::{check_error, split_at_marker},
    },
};

/// A secret in files and output, which occurs nowhere else.
const MARK: &str = "Mq7madeupMq9";

/// The configuration files, which have the same text: whatever it is, a section that follows is read, and no value is
/// shown.
///
/// # Panics
///
/// If that does not hold.
pub fn aws_config(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let more = format!(
        "[sso-session last]\nsso_region = {MARK}\n[services last]\nsts =\n  endpoint_url = {MARK}\n[profile last]\nservices = a\n"
    );
    let secret = format!("[last]\naws_secret_access_key = {MARK}\nservices = last\n");
    let system = FakeSystem::default()
        .home("/home/ada")
        .file("/home/ada/.aws/config", &format!("{text}\n{more}"))
        .file("/home/ada/.aws/credentials", &format!("{text}\n{secret}"));
    let config = Config::read(&system).unwrap_or_else(|error| panic!("{error}"));
    let last = config.profile("last").unwrap_or_else(|| panic!("it is not in {config:?}"));
    assert_eq!((last.value("aws_secret_access_key"), last.service_endpoint("sts")), (Some(MARK), Some(MARK)));
    assert_eq!(config.sso_session("last").map(|session| session.region).as_deref(), Some(MARK));
    for name in config.names() {
        assert!(!name.is_empty() && name == name.trim(), "{name:?}");
        assert!(config.profile(name).is_some_and(|profile| profile.name() == name));
    }
    assert!(text.contains(MARK) || !format!("{config:?}").contains(MARK));
}

/// A time, or a number: no number is too large, and a time that is written out is read as the same.
///
/// # Panics
///
/// If that does not hold.
pub fn aws_expiry(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Some(time) = expiry::parse(&text) {
        let written = timestamp::to_rfc3339(time).unwrap_or_else(|| panic!("{time:?}"));
        assert_eq!(expiry::parse(&written), Some(time));
        assert_eq!(expiry::parse(&written.replace('Z', "UTC")), Some(time));
    }
    let after_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if let Some(time) = text.trim().parse().ok().and_then(expiry::from_seconds) {
        assert!(after_1970(time) >= Duration::ZERO);
    }
}

/// The command of a program (the first line) and what it printed: words that are quoted are read as the same, and keys are
/// read or an error says why not, without them.
///
/// # Panics
///
/// If that does not hold.
pub fn aws_process(text: &[u8]) {
    let (line, printed) = split_at_marker(text, b"\n");
    let line = String::from_utf8_lossy(line);
    for platform in [Platform::Linux, Platform::MacOs, Platform::Windows] {
        for word in command_line::split(&line, platform).unwrap_or_default() {
            let quoted = format!("'{}'", word.replace('\'', r"'\''"));
            assert_eq!(command_line::split(&quoted, Platform::Linux), Some(vec![word]));
        }
    }
    let now = FakeSystem::default().now();
    match process::read(printed.unwrap_or_default(), now) {
        Ok(keys) => {
            assert!(!keys.access_key_id.is_empty() && !keys.secret_access_key.expose().is_empty());
            assert_eq!(keys.access_key_id, single_line(&keys.access_key_id));
            assert!(keys.expires.is_none_or(|expires| expires > now));
        }
        Err((kind, what)) => check_error(&Error::new(kind, what), &[MARK]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold() {
        for (name, target) in
            [("aws_config", aws_config as fn(&[u8])), ("aws_expiry", aws_expiry), ("aws_process", aws_process)]
        {
            for seed in seeds(name) {
                target(&seed);
            }
        }
    }

    proptest! {
        #[test]
        fn a_section_after_any_text_is_read(text in "((\\[?(profile |sso-session |services )?\"?[a-z \"]{0,5}\\]?|[ \t]{0,2}[a-z]{0,3} ?[=:]? ?[a-z#;]{0,3})([\n\r\u{feff}]|\\PC{0,2})){0,9}") {
            aws_config(text.as_bytes());
        }

        #[test]
        fn no_number_is_too_large(text in "-?[0-9]{1,25}(\\.[0-9]{0,9})?(e[0-9]{1,3})?|\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(Z|UTC|[+-]\\d\\d:\\d\\d)?") {
            aws_expiry(text.as_bytes());
        }

        #[test]
        fn any_output_is_read_or_refused(line in "[a-c '\"\\\\]{0,9}", members in "(\"(Version|AccessKeyId|SecretAccessKey|SessionToken|Expiration)\":(1|null|\"[a-z0-9: ]{0,5}\"),?){0,6}") {
            aws_process(format!("{line}\n{{{members}}}").as_bytes());
        }
    }
}
