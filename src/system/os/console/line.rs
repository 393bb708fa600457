//! The editing of a line that is typed without echo.

use zeroize::Zeroizing;

use super::MAX_LINE;
use crate::error::{Error, Kind, Result};

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// The line so far.
pub(super) struct Line(Zeroizing<Vec<u8>>);

impl Line {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(MAX_LINE)))
    }

    /// Adds a byte from the keyboard. Returns the line if the byte ends it.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Self(line) = self;
        match byte {
            b'\n' | b'\r' => return Ok(Some(std::mem::take(line))),
            CTRL_C => return Err(Error::new(Kind::Cancelled, "the lookup was cancelled")),
            CTRL_D if line.is_empty() => return Err(Error::new(Kind::Usage, "no password was typed")),
            CTRL_D => return Ok(Some(std::mem::take(line))),
            // Removes a whole UTF-8 character.
            BACKSPACE | DELETE => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            CTRL_U => line.clear(),
            byte if line.len() < MAX_LINE => line.push(byte),
            _ => return Err(Error::new(Kind::Usage, "the line is too long")),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of these bytes; `None` if it does not end.
    fn typed(bytes: &[u8]) -> Result<Option<String>> {
        let mut line = Line::new();
        for &byte in bytes {
            if let Some(line) = line.push(byte)? {
                return Ok(Some(String::from_utf8(line.to_vec()).unwrap()));
            }
        }
        Ok(None)
    }

    #[test]
    fn enter_and_ctrl_d_end_a_line() {
        for end in ["\r", "\n", "\u{4}"] {
            assert_eq!(typed(format!("secret{end}more").as_bytes()).unwrap().unwrap(), "secret");
        }
        assert_eq!(typed(b"\r").unwrap().unwrap(), "");
        assert_eq!(typed(b"secret").unwrap(), None);
    }

    #[test]
    fn backspace_removes_a_whole_character() {
        assert_eq!(typed("a\u{e9}\u{1f511}\u{8}\u{7f}b\r".as_bytes()).unwrap().unwrap(), "ab");
        assert_eq!(typed(b"\x08\x08a\r").unwrap().unwrap(), "a");
    }

    #[test]
    fn ctrl_u_removes_the_line() {
        assert_eq!(typed(b"wrong\x15right\r").unwrap().unwrap(), "right");
    }

    #[test]
    fn ctrl_c_cancels_and_an_empty_line_at_its_end_is_refused() {
        assert_eq!(typed(b"secret\x03").unwrap_err().kind(), Kind::Cancelled);
        assert_eq!(typed(b"\x04").unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn a_line_has_a_cap() {
        assert_eq!(typed(&vec![b'a'; MAX_LINE]).unwrap(), None);
        assert_eq!(typed(&vec![b'a'; MAX_LINE + 1]).unwrap_err().kind(), Kind::Usage);
    }
}
