//! What went wrong, where, and what to do next.

use std::{fmt, io, sync::Arc};

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
    /// The user or the calling program cancelled the lookup.
    Cancelled,
    /// The service understood the request and refused it.
    Rejected,
    /// The response of a service or the output of a child process cannot be used.
    Protocol,
    /// A child process or a thread could not be started, or a child process failed.
    Process,
    /// Every source of a credential was asked and none served.
    Exhausted,
    /// A registry claims the service, and nothing is configured for it.
    NotConfigured,
    /// The store cannot be unlocked: no ssh-agent, not the right key in it, or its owner declined.
    Locked,
    /// The store is damaged.
    Corrupted,
    /// The store has no such record.
    NotFound,
    /// The store cannot be read or written: permissions, a full disk, a lock of another process.
    Storage,
    /// A bug in this program.
    Internal,
}

/// The class of `ringbearer.errors` that an error is raised as. The Python edge maps it to the class's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ExceptionClass {
    Authentication,
    ChainctlCommand,
    ChainctlNotFound,
    ChainctlTimeout,
    Configuration,
    Internal,
    InvalidCachedToken,
    LookupTimeout,
    M2mProfileWithoutClientCredentials,
    MendaCloudApi,
    MendaKeyRing,
    MendaNetwork,
    MendaTimeout,
    Network,
    NoCachedLogin,
    Process,
    ProfileNotFound,
    ProfileWithoutHost,
    Protocol,
    Store,
    StoreConfiguration,
    StoreCorrupted,
    StoreLocked,
    StoreNotFound,
    StoreTimeout,
}

/// A failure for a person to read: one line that says what failed and for which host, and what to do next if known.
///
/// Neither part ever holds a secret, a response body, or the `Debug` form of a foreign type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    note: Option<String>,
    concerns_one_url: bool,
    lacks_login: bool,
    class: Option<ExceptionClass>,
    status: Option<u16>,
    source: Option<Source>,
}

/// The result of everything here that can fail.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of this kind. `message` has no final full stop, and starts with a lower-case letter unless users of a
    /// replaced package know it otherwise.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: single_line(&message.into()),
            hint: None,
            note: None,
            concerns_one_url: false,
            lacks_login: false,
            class: None,
            status: None,
            source: None,
        }
    }

    /// Adds what to do next, a full clause such as ``run `az login` ``.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(single_line(&hint.into()));
        self
    }

    /// Adds a note, a full clause that follows the hint and is the first to be dropped if the text is too long.
    #[must_use]
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(single_line(&note.into()));
        self
    }

    /// Puts what was being done before the message: `context: message`.
    #[must_use]
    pub(crate) fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = single_line(&format!("{context}: {}", self.message));
        self
    }

    /// Puts the service before the message, unless it names one already: `no credential for HOST: message`. A long name
    /// loses its middle.
    #[must_use]
    pub(crate) fn no_credential_for(self, service: &str) -> Self {
        if self.message.starts_with(NO_CREDENTIAL) {
            return self;
        }
        self.within(format_args!("{NO_CREDENTIAL}{}", without_middle(service, LONGEST_NAME)))
    }

    /// Sets the exception class, where it is more exact than the kind.
    #[must_use]
    pub(crate) fn with_class(mut self, class: ExceptionClass) -> Self {
        self.class = Some(class);
        self
    }

    /// Sets the HTTP status of the response.
    #[must_use]
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Sets the cause, as [`source`](std::error::Error::source) returns it.
    #[must_use]
    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exception class, where it is more exact than the kind.
    #[must_use]
    pub(crate) fn class(&self) -> Option<ExceptionClass> {
        self.class
    }

    /// The HTTP status of the response, if there was one and callers may read it.
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

    /// What to do next, if known.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The note, if there is one.
    #[must_use]
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The text of a WARNING, in at most [`WARNING_LIMIT`] characters: message, hint, note. The note is dropped first, then
    /// the message loses its middle, where it quotes. The hint, which holds the command to run, stays whole unless it is
    /// nearly as long as the limit.
    #[must_use]
    pub(crate) fn warning(&self) -> String {
        let clause = |text: &Option<String>| text.as_deref().map(appended).unwrap_or_default();
        let length = |text: &str| text.chars().count();
        let (hint, note) = (clause(&self.hint), clause(&self.note));
        let room = WARNING_LIMIT.saturating_sub(length(&hint));
        let note = if length(&self.message) + length(&note) <= room { note } else { String::new() };
        let message = without_middle(&self.message, room.max(SHORTEST_MESSAGE));
        shorten(&format!("{message}{hint}{note}"), WARNING_LIMIT)
    }

    /// Marks the failure as the answer of one URL.
    #[must_use]
    pub(crate) fn of_one_url(mut self) -> Self {
        self.concerns_one_url = true;
        self
    }

    /// Whether another URL of the same organisation may succeed, unlike with a network that is down or a missing login.
    #[must_use]
    pub(crate) fn concerns_one_url(&self) -> bool {
        self.concerns_one_url
    }

    /// Marks the failure as the lack of a login: no source served, none that was configured on purpose failed, and the
    /// network was up.
    #[must_use]
    pub(crate) fn of_missing_login(mut self) -> Self {
        self.lacks_login = true;
        self
    }

    /// Whether a sign-in may help.
    #[must_use]
    pub(crate) fn lacks_login(&self) -> bool {
        self.lacks_login
    }

    /// Whether the lookup is over, and no other source may be asked.
    #[must_use]
    pub(crate) fn ends_the_lookup(&self) -> bool {
        self.kind == Kind::Cancelled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        for clause in [&self.hint, &self.note].into_iter().flatten() {
            formatter.write_str(&appended(clause))?;
        }
        Ok(())
    }
}

/// A clause after its separator: a full stop before a sentence, as in the messages of replaced packages, else a semicolon.
fn appended(clause: &str) -> String {
    let mut characters = clause.chars();
    let is_sentence =
        characters.next().is_some_and(char::is_uppercase) && characters.next().is_some_and(char::is_lowercase);
    format!("{} {clause}", if is_sentence { '.' } else { ';' })
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.source.as_ref()? {
            Source::Error(error) => Some(&**error),
            Source::Io(error) => Some(&**error),
        }
    }
}

/// The cause of an [`Error`]: another one, or an error of the operating system. No other type, since the text of a library's
/// error may hold a secret.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Error(Box<Error>),
    Io(Arc<io::Error>),
}

impl From<Error> for Source {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Keeps the code, and not the error that a library may have put inside.
impl From<&io::Error> for Source {
    fn from(error: &io::Error) -> Self {
        let code = error.raw_os_error().map(io::Error::from_raw_os_error);
        Self::Io(Arc::new(code.unwrap_or_else(|| {
            let error = io::Error::from(error.kind());
            // A kind without a stable name is of no use to readers.
            if error.to_string() == "uncategorized error" { io::ErrorKind::Other.into() } else { error }
        })))
    }
}

/// Equal if they read the same.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Error(one), Self::Error(other)) => one == other,
            (Self::Io(one), Self::Io(other)) => one.to_string() == other.to_string(),
            _ => false,
        }
    }
}

impl Eq for Source {}

/// The causes of an error, outermost first.
pub(crate) fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

/// The start of a message that names the service.
const NO_CREDENTIAL: &str = "no credential for ";

/// The length limit of a WARNING, in characters. With the prefix of a program ("WARNING: " of pip, "ringbearer: " of the
/// native programs) the line has at most 320, four lines of a terminal.
pub(crate) const WARNING_LIMIT: usize = 308;

/// The length that a message keeps beside a long hint, in characters: enough for the host, what failed, and why.
const SHORTEST_MESSAGE: usize = 120;

/// The longest name of a service or an account that a message shows whole, in characters.
pub(crate) const LONGEST_NAME: usize = 70;

/// The replacement for a secret in a quotation.
pub(crate) const HIDDEN: &str = "(hidden)";

/// The length limit of a quoted message, in characters.
const QUOTATION_LIMIT: usize = 300;

/// How many characters of a message are read.
const CONSIDERED: usize = 4096;

/// How many consecutive bytes of a secret reveal it.
const REVEALING_LENGTH: usize = 8;

/// How many layers of percent encoding are decoded.
const MOST_ENCODINGS: usize = 5;

/// Quotes the message of a service or a child process: one line, without control characters, cut to a readable length, and
/// without `hidden`, the secrets that were sent to it, plain or form-encoded: a service may repeat what it rejects.
#[must_use]
pub(crate) fn quote(words: &str, hidden: &[&str]) -> String {
    let mut line: String = words.chars().take(CONSIDERED).collect();
    for secret in hidden.iter().filter(|secret| !secret.is_empty()) {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        line = line.replace(secret, HIDDEN).replace(&encoded, HIDDEN);
        // Folding lines may join the parts of a secret.
        let folded = single_line(&line);
        if repeats(&line, secret) || repeats(&folded, secret) || repeats(&folded, &single_line(secret)) {
            return HIDDEN.to_owned();
        }
    }
    truncate(&single_line(&line), QUOTATION_LIMIT)
}

/// A text of at most `limit` characters, with an ellipsis if it was longer.
#[must_use]
pub(crate) fn truncate(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The maximum length of the end that [`without_middle`] keeps, in characters: enough for the reason after a path.
const LONGEST_END: usize = 44;

/// A text of at most `limit` characters; a longer one has an ellipsis before its end.
#[must_use]
pub(crate) fn without_middle(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    let end = (limit / 4).min(LONGEST_END);
    let tail: String = text.chars().skip(length - end).collect();
    format!("{}{tail}", truncate(text, limit.saturating_sub(end + 1)))
}

/// A text of at most `limit` characters, the last of which is an ellipsis if it was longer.
#[must_use]
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit { text.to_owned() } else { truncate(text, limit.saturating_sub(1)) }
}

/// Whether part of a secret is in a line. Every way to escape or cut a secret leaves some part unchanged.
fn repeats(line: &str, secret: &str) -> bool {
    if secret.is_empty() {
        return false;
    }
    let mut written = [line.as_bytes().to_vec(), line.replace('+', " ").into_bytes()];
    // A URL inside a URL is encoded twice.
    for _ in 0..MOST_ENCODINGS {
        let mut parts = secret.as_bytes().windows(REVEALING_LENGTH.min(secret.len()));
        if parts.any(|part| written.iter().any(|text| memmem::find(text, part).is_some())) {
            return true;
        }
        written = written.map(|text| percent_decode(&text).collect());
    }
    false
}

/// Folds white space, control characters (terminals act on them) and bidirectional formatting characters (they mislead
/// readers) to single blanks.
#[must_use]
pub(crate) fn single_line(words: &str) -> String {
    let cleaned = words.replace(|character: char| character.is_control() || is_bidi_control(character), " ");
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
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_line_with_what_to_do_next() {
        let error = Error::new(Kind::Network, "no answer\nfrom host").with_hint("check the proxy");
        assert_eq!(error.to_string(), "no answer from host; check the proxy");
        assert_eq!(error.with_hint("Run `it`").to_string(), "no answer from host. Run `it`");
    }

    #[test]
    fn a_warning_is_cut_where_it_quotes_and_not_where_it_advises() {
        for (unit, count) in [("x", 20), ("x", 300), ("é", 300), ("\u{1f511}", 4000)] {
            let error = Error::new(Kind::Rejected, format!("host.example: {} (403)", unit.repeat(count)));
            let warning = error.with_hint("run `log in`").with_note("9 others").warning();
            assert!(warning.chars().count() <= WARNING_LIMIT && warning.starts_with("host.example: "), "{warning}");
            let end = if count == 20 { " (403); run `log in`; 9 others" } else { " (403); run `log in`" };
            assert!(warning.ends_with(end), "{warning}");
        }
    }

    #[test]
    fn a_long_hint_displaces_the_note_and_then_the_message() {
        let error = |hint: usize| {
            let error = Error::new(Kind::Rejected, format!("host.example: {}, in short", "x".repeat(400)));
            error.with_hint(format!("run `{}`", "y".repeat(hint))).with_note("the note")
        };
        for (hint, is_whole) in [(50, true), (180, true), (181, false), (400, false)] {
            let warning = error(hint).warning();
            assert_eq!(warning.chars().count(), WARNING_LIMIT, "{warning}");
            assert!(warning.starts_with("host.example: xxxxx") && warning.contains("xxx, in short; run"), "{warning}");
            assert!(warning.ends_with("y`") == is_whole && !warning.contains("the note"), "{warning}");
        }
        assert_eq!(error(1).to_string(), format!("host.example: {}, in short; run `y`; the note", "x".repeat(400)));
    }

    #[test]
    fn the_causes_of_an_error_are_kept_without_foreign_text() {
        let io = io::Error::other("https://example/?secret=hunter2");
        let inner = Error::new(Kind::Network, "no connection").with_source(&io);
        let error = Error::new(Kind::Exhausted, "no token").with_source(inner.clone()).within("host").with_hint("wait");
        let texts: Vec<_> = causes(&error).map(ToString::to_string).collect();
        assert_eq!(texts, ["no connection".to_owned(), io::Error::from(io::ErrorKind::Other).to_string()]);
        assert_ne!(error, Error::new(Kind::Exhausted, "host: no token").with_hint("wait"));
        let denied = io::Error::from_raw_os_error(13);
        let error = inner.with_source(&denied);
        assert_eq!(causes(&error).map(ToString::to_string).collect::<Vec<_>>(), [denied.to_string()]);
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
