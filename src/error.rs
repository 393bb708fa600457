//! What went wrong, where, and what to do next.

use std::fmt;

use memchr::memmem;
use percent_encoding::percent_decode;

/// The sort of a failure: what a caller may do about it, and which Python exception it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A setting is wrong: an unknown provider, an unreadable file, a host that is not allowed.
    Configuration,
    /// The command line is wrong.
    Usage,
    /// The network did not carry the request: name, connection, proxy, TLS.
    Network,
    /// A time limit ran out.
    Timeout,
    /// The person at the keyboard, or the calling program, gave up.
    Cancelled,
    /// The service understood the request and refused it.
    Rejected,
    /// The service, or a child process, answered with something that cannot be used.
    Protocol,
    /// A child process could not be run, or failed.
    Process,
    /// Every source of a credential was asked and none served.
    Exhausted,
    /// The service is ours and nothing is known that would serve it: answered with nothing.
    NotConfigured,
    /// The store cannot be unlocked: no ssh-agent, not the right key in it, or its owner said no.
    Locked,
    /// The store does not hold what it should.
    Corrupted,
    /// The store has no such record.
    NotFound,
    /// The store cannot be read or written: permissions, a full disk, a lock that another keeps.
    Storage,
    /// A fault of this program.
    Internal,
}

/// A failure that is meant to be read: one line that says what failed and for which host, and, where
/// there is something to do, what to do next.
///
/// Neither part ever holds a secret, the body of a response, or the `Debug` form of a foreign type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    concerns_one_url: bool,
    name: Option<&'static str>,
    status: Option<u16>,
}

/// The result of everything here that can fail.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of this kind. `message` has no final stop, and starts with a lower-case letter unless it is
    /// one that the users of a package that this one replaces know by heart.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: single_line(&message.into()),
            hint: None,
            concerns_one_url: false,
            name: None,
            status: None,
        }
    }

    /// The same failure with what to do next, a full clause such as ``run `az login` ``.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(single_line(&hint.into()));
        self
    }

    /// The same failure, said with what was being done: `context: message`.
    #[must_use]
    pub(crate) fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = single_line(&format!("{context}: {}", self.message));
        self
    }

    /// The same failure by the name of the exception that a package which this one replaces raises for it: a
    /// class of `ringbearer.errors`, more exact than its kind.
    #[must_use]
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// The same failure with the HTTP status that it came with.
    #[must_use]
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The name of the exception, where the kind is not all.
    #[must_use]
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// The HTTP status that a service answered with, where programs ask for it.
    #[must_use]
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    /// The sort of the failure.
    #[must_use]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What failed, without the hint.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do next, if anything is known.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same failure, said to be what one URL answered with.
    #[must_use]
    pub(crate) fn of_one_url(mut self) -> Self {
        self.concerns_one_url = true;
        self
    }

    /// Whether another URL of the same organisation may fare better, which it will not where the network
    /// is down or a login is missing.
    #[must_use]
    pub(crate) fn concerns_one_url(&self) -> bool {
        self.concerns_one_url
    }

    /// Whether the whole lookup is over, so that no other source may be asked.
    #[must_use]
    pub(crate) fn ends_the_lookup(&self) -> bool {
        self.kind == Kind::Cancelled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(formatter, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The most characters that a quotation of a service's own words may have.
const QUOTATION_LIMIT: usize = 300;

/// How many characters of a service's words are looked at.
const CONSIDERED: usize = 4096;

/// How many bytes of a secret in a row give it away.
const TELLING_PART: usize = 8;

/// How often over a service may have encoded what it repeats.
const MOST_ENCODINGS: usize = 5;

/// Quotes what a service or a child process said of itself: one line, without control characters,
/// cut to a readable length, and without any of `hidden`, the secrets that were sent to it, as they are
/// or as a form has them: a service may well repeat what it does not like.
#[must_use]
pub(crate) fn quote(words: &str, hidden: &[&str]) -> String {
    let mut line: String = words.chars().take(CONSIDERED).collect();
    for secret in hidden.iter().filter(|secret| !secret.is_empty()) {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        line = line.replace(secret, "(hidden)").replace(&encoded, "(hidden)");
        // What stands on two lines is about to stand on one.
        let folded = single_line(&line);
        if repeats(&line, secret) || repeats(&folded, secret) || repeats(&folded, &single_line(secret)) {
            return "(hidden)".to_owned();
        }
    }
    let line = single_line(&line);
    match line.char_indices().nth(QUOTATION_LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Whether a part of a secret is in a line. There are more ways to escape one, or to cut it, than can be listed: each
/// leaves a part as it is.
fn repeats(line: &str, secret: &str) -> bool {
    if secret.is_empty() {
        return false;
    }
    let mut written = [line.as_bytes().to_vec(), line.replace('+', " ").into_bytes()];
    // A service that puts an address into an address encodes it again.
    for _ in 0..MOST_ENCODINGS {
        let mut parts = secret.as_bytes().windows(TELLING_PART.min(secret.len()));
        if parts.any(|part| written.iter().any(|text| memmem::find(text, part).is_some())) {
            return true;
        }
        written = written.map(|text| percent_decode(&text).collect());
    }
    false
}

/// Folds white space, control characters (a terminal would act on them) and those that turn the
/// direction of what follows (a reader would be misled) to single blanks.
#[must_use]
pub(crate) fn single_line(words: &str) -> String {
    let cleaned = words.replace(|character: char| character.is_control() || turns_direction(character), " ");
    let mut line = String::with_capacity(cleaned.len());
    for word in cleaned.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The formatting characters of Unicode's bidirectional algorithm (UAX #9, section 2).
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_line_with_what_to_do_next() {
        let error = Error::new(Kind::Network, "no answer\nfrom host").with_hint("check the proxy");
        assert_eq!(error.to_string(), "no answer from host; check the proxy");
    }

    #[test]
    fn a_quotation_has_no_control_characters_and_an_end() {
        let quoted = quote(&format!("red\u{1b}[31m\r\n\u{202e}{}", "x".repeat(5000)), &[]);
        assert!(quoted.chars().all(|character| !character.is_control() && character != '\u{202e}'));
        assert!(quoted.chars().count() <= QUOTATION_LIMIT + 1);
    }

    #[test]
    fn a_quotation_hides_what_was_sent() {
        assert_eq!(quote("bad secret hunter2!", &["", "hunter2"]), "bad secret (hidden)!");
        assert_eq!(quote("bad=a%2Bb%20c or a+b", &["a+b"]), "bad=(hidden)%20c or (hidden)");
        assert_eq!(quote("bad a  b", &["a  b"]), "bad (hidden)");
        assert_eq!(quote("bad four\nwords of it", &["four words"]), "(hidden)");
        assert_eq!(quote("four\twords", &["four  words"]), "(hidden)");
        assert_eq!(quote("a  b", &["  "]), "a(hidden)b");
        for written in ["a%252fb%252520c", "a%2fb%20c", "a%2fb+c", "%61/b%20c", "a/b%20%63"] {
            assert_eq!(quote(&format!("bad {written} x"), &["a/b c"]), "(hidden)", "{written}");
        }
        let secret = "first-part&second-part";
        for written in ["first-part&amp;second-part", "first-part\\u0026second-part", "first-part&s..."] {
            assert_eq!(quote(&format!("bad {written}"), &[secret]), "(hidden)", "{written}");
        }
    }
}
