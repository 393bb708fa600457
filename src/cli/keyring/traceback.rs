//! Removes the tracebacks of the next keyring from its standard error.
//!
//! The next keyring runs after this program has printed why there is no credential. Without a usable backend it prints a
//! traceback, of which only the last line is informative; not even that one is if no backend is installed.

/// The first line of a traceback.
const FIRST_LINE: &[u8] = b"Traceback (most recent call last):";

/// The lines between the tracebacks of an exception and of its cause.
const LINKS: [&[u8]; 2] = [
    b"During handling of the above exception, another exception occurred:",
    b"The above exception was the direct cause of the following exception:",
];

/// The start of the last line if no backend is installed. This program's own message says enough.
const NO_BACKEND: &[u8] = b"keyring.errors.NoKeyringError:";

/// The maximum length of a buffered line of a traceback, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// Passes a stream on as it comes, prompts included, without tracebacks.
#[derive(Default)]
pub(crate) struct TracebackFilter {
    state: State,
    /// The beginning of a line that may belong to a traceback.
    line: Vec<u8>,
}

#[derive(Default)]
enum State {
    /// At the beginning of a line.
    #[default]
    LineStart,
    /// In a line that is passed on.
    InLine,
    /// In the lines of a traceback before the last.
    Frames,
    /// After the last line of a traceback, which is shown unless another traceback follows.
    LastLine(Vec<u8>),
}

impl TracebackFilter {
    /// What to pass on after these bytes; `None` is the end of the stream.
    pub(crate) fn pass(&mut self, bytes: Option<&[u8]>) -> Vec<u8> {
        let mut passed = Vec::new();
        if let Some(bytes) = bytes {
            for byte in bytes {
                self.pass_byte(*byte, &mut passed);
            }
        } else {
            self.show_last_line(&mut passed);
            passed.append(&mut self.line);
        }
        passed
    }

    fn pass_byte(&mut self, byte: u8, passed: &mut Vec<u8>) {
        if matches!(self.state, State::InLine) {
            passed.push(byte);
            if byte == b'\n' {
                self.state = State::LineStart;
            }
            return;
        }
        if self.line.len() < LONGEST_LINE || byte == b'\n' {
            self.line.push(byte);
        }
        if byte == b'\n' {
            self.end_line(passed);
        } else if !self.may_belong_to_a_traceback() {
            self.show_last_line(passed);
            passed.append(&mut self.line);
            self.state = State::InLine;
        }
    }

    /// Whether the line so far can become one that is not passed on.
    fn may_belong_to_a_traceback(&self) -> bool {
        let is_beginning = |whole: &[u8]| whole.starts_with(self.line.trim_ascii_end());
        match self.state {
            State::Frames => true,
            State::LastLine(_) => is_beginning(FIRST_LINE) || LINKS.iter().any(|link| is_beginning(link)),
            State::LineStart | State::InLine => is_beginning(FIRST_LINE),
        }
    }

    fn end_line(&mut self, passed: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii_end();
        match &self.state {
            _ if text == FIRST_LINE => self.state = State::Frames,
            State::Frames if text.is_empty() || text.starts_with(b" ") => {}
            State::Frames => self.state = State::LastLine(line),
            State::LastLine(_) if text.is_empty() || LINKS.contains(&text) => {}
            _ => {
                self.show_last_line(passed);
                passed.extend(line);
                self.state = State::LineStart;
            }
        }
    }

    fn show_last_line(&mut self, passed: &mut Vec<u8>) {
        if let State::LastLine(line) = std::mem::take(&mut self.state)
            && !line.starts_with(NO_BACKEND)
        {
            passed.extend(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"keyring\", line 8, in <module>\n    sys.exit(main())\n             ^^^^^^\n";

    /// What is passed on if the stream comes in pieces of this length.
    fn filter(text: &str, length: usize) -> String {
        let mut filter = TracebackFilter::default();
        let mut passed: Vec<u8> = text.as_bytes().chunks(length).flat_map(|piece| filter.pass(Some(piece))).collect();
        passed.extend(filter.pass(None));
        String::from_utf8(passed).unwrap()
    }

    #[test]
    fn a_traceback_is_reduced_to_its_last_line() {
        let no_backend = "keyring.errors.NoKeyringError: No recommended backend was available.\n";
        let link = format!("\n{}\n\n", String::from_utf8_lossy(LINKS[0]));
        for (text, passed) in [
            (format!("{TRACEBACK}ImportError: no module\n"), "ImportError: no module\n".to_owned()),
            (format!("{TRACEBACK}{no_backend}"), String::new()),
            (
                format!("note\n{TRACEBACK}KeyError: 'a'\n{link}{TRACEBACK}ImportError: b\n"),
                "note\nImportError: b\n".to_owned(),
            ),
            (format!("{TRACEBACK}KeyError: 'a'\n{link}{TRACEBACK}{no_backend}"), String::new()),
            (format!("{TRACEBACK}{no_backend}Password: "), "Password: ".to_owned()),
            (
                format!("{TRACEBACK}Error: two\nlines\nTraceback of mine\n"),
                "Error: two\nlines\nTraceback of mine\n".to_owned(),
            ),
            (TRACEBACK.replace('\n', "\r\n") + "Error: x\r\n", "Error: x\r\n".to_owned()),
        ] {
            for length in [1, 7, 4096] {
                assert_eq!(filter(&text, length), passed, "{text}");
            }
        }
    }

    #[test]
    fn a_prompt_is_passed_on_before_its_line_ends() {
        let mut filter = TracebackFilter::default();
        assert_eq!(filter.pass(Some(b"Password for T")), b"Password for T");
        assert_eq!(filter.pass(Some(b": \nTrace")), b": \n");
        assert_eq!(filter.pass(Some(b" it? ")), b"Trace it? ");
    }

    proptest! {
        #[test]
        fn other_text_is_passed_on_unchanged(text in "([A-Z ]{0,3}[^T]{0,20}\n?){0,5}", length in 1_usize..9) {
            prop_assert_eq!(filter(&text, length), text);
        }
    }
}
