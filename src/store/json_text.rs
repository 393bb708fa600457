//! JSON strings as Python's `json.dumps` writes them, and as `json.loads` reads them.
//!
//! Python's strings may hold unpaired surrogates, which JSON can say (`\udc80`) and UTF-8 cannot. Here
//! such a half has the three bytes that UTF-8 would give it (WTF-8), so that what Python wrote comes back.

use zeroize::Zeroizing;

/// Writes a string in quotes: ASCII alone, everything else as `\uXXXX` in lower case, beyond the first
/// plane as a pair. `text` is WTF-8; a byte that is not is left out.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text);
        return out.push(b'"');
    }
    for_each_character(text, |code| match code {
        0x22 => out.extend_from_slice(b"\\\""),
        0x5c => out.extend_from_slice(b"\\\\"),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0d => out.extend_from_slice(b"\\r"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        0x20..=0x7e => out.extend(u8::try_from(code)),
        0x1_0000.. => {
            let offset = code - 0x1_0000;
            push_unit(0xd800 + (offset >> 10), out);
            push_unit(0xdc00 + (offset & 0x3ff), out);
        }
        _ => push_unit(code, out),
    });
    out.push(b'"');
}

/// Whether a string stands in quotes as it is: ASCII that can be seen, without quotes and backslashes.
pub(super) fn is_plain(text: &[u8]) -> bool {
    memchr::memchr2(b'"', b'\\', text).is_none() && is_printable(text)
}

/// Whether a string is ASCII that can be seen, from the blank to the tilde. Stores are long, and this looks at eight
/// bytes at once.
pub(super) fn is_printable(text: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST_BITS: u64 = ONES * 128;
    let (words, rest) = text.as_chunks();
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_le_bytes(*word);
        // Below the blank: the subtraction borrows. Above the tilde: the addition, or the byte, has the highest bit.
        odd | word.wrapping_sub(ONES * u64::from(b' ')) & !word | word.wrapping_add(ONES * u64::from(127 - b'~')) | word
    });
    odd & HIGHEST_BITS == 0 && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The most bytes that [`escape`] writes for a text of this length: a control character becomes six.
#[must_use]
pub(crate) fn longest_escape(length: usize) -> usize {
    length.saturating_mul(6).saturating_add(2)
}

fn push_unit(unit: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.extend(char::from_digit((unit >> shift) & 0xf, 16).and_then(|digit| u8::try_from(digit).ok()));
    }
}

/// Reads WTF-8, one code point at a time.
fn for_each_character(text: &[u8], mut see: impl FnMut(u32)) {
    let mut bytes = text.iter().copied().map(u32::from);
    while let Some(first) = bytes.next() {
        let (mut code, following) = match first {
            0x00..=0x7f => (first, 0),
            0xc0..=0xdf => (first & 0x1f, 1),
            0xe0..=0xef => (first & 0x0f, 2),
            0xf0..=0xf7 => (first & 0x07, 3),
            _ => continue,
        };
        for _ in 0..following {
            code = code << 6 | bytes.next().unwrap_or_default() & 0x3f;
        }
        see(code);
    }
}

/// Reads a JSON string with its quotes, as it stands in a document that a parser has found sound; `None`
/// if it is none. The answer is WTF-8, in a buffer that never grew: no half of it is left behind.
pub(super) fn unescape(raw: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut text = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            text.push(first);
            continue;
        }
        let (&escaped, after) = rest.split_first()?;
        rest = after;
        match escaped {
            b'"' | b'\\' | b'/' => text.push(escaped),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(0x08),
            b'f' => text.push(0x0c),
            b'u' => {
                let mut code = unit(&mut rest)?;
                if (0xd800..0xdc00).contains(&code) {
                    code = with_second_half(code, &mut rest);
                }
                push_character(code, &mut text);
            }
            _ => return None,
        }
    }
    Some(text)
}

/// The four hexadecimal digits after `\u`.
fn unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// The character that a first half makes with the second half that follows; the first half alone if
/// something else follows.
fn with_second_half(first: u32, rest: &mut &[u8]) -> u32 {
    let mut ahead = *rest;
    let second = ahead.strip_prefix(b"\\u").and_then(|after| {
        ahead = after;
        unit(&mut ahead).filter(|second| (0xdc00..0xe000).contains(second))
    });
    match second {
        Some(second) => {
            *rest = ahead;
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        }
        None => first,
    }
}

fn push_character(code: u32, text: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        // Half of a pair: always in 0xd800..0xe000.
        None => text.extend(
            [0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f].into_iter().flat_map(u8::try_from),
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_written_as_python_writes_them() {
        // json.dumps('"\\/\x08\x0c\n\r\t\x00\x1f\x7f é\u2028😀')
        let text = "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f} é\u{2028}😀";
        let expected = r#""\"\\/\b\f\n\r\t\u0000\u001f\u007f \u00e9\u2028\ud83d\ude00""#;
        assert_eq!(escaped(text.as_bytes()), expected);
    }

    #[test]
    fn every_byte_that_cannot_be_seen_is_found_at_every_place() {
        for length in [1, 7, 8, 9, 23] {
            let mut text = vec![b'~'; length];
            assert!(is_printable(&text));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    text[place] = byte;
                    assert_eq!(is_printable(&text), (b' '..=b'~').contains(&byte), "{byte} at {place} of {length}");
                }
                text[place] = b' ';
            }
        }
    }

    #[test]
    fn halves_of_pairs_come_back() {
        for raw in [r#""\udc80\ud800""#, r#""\ud800x""#, r#""\ud800\ud800\udc00""#, r#""\ud83d\n""#] {
            let text = unescape(raw).unwrap();
            assert!(std::str::from_utf8(&text).is_err());
            if !raw.contains("\\udc00") {
                assert_eq!(escaped(&text), raw);
            }
        }
        assert_eq!(unescape(r#""\ud83d\ude00""#).unwrap().as_slice(), "😀".as_bytes());
        // What Python's surrogatepass makes of '\udc80'.
        assert_eq!(unescape(r#""\udc80""#).unwrap().as_slice(), [0xed, 0xb2, 0x80]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_here_and_by_serde(text in "\\PC*|[\\x00-\\x7f]*") {
            let raw = escaped(text.as_bytes());
            prop_assert!(raw.is_ascii() && raw.len() <= longest_escape(text.len()));
            let read = unescape(&raw).unwrap();
            prop_assert_eq!(read.as_slice(), text.as_bytes());
            prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text);
        }

        #[test]
        fn whatever_is_read_fits_its_buffer_and_never_fails_hard(raw in "\"([a-z\\\\\"u/dDcC089]|\\\\u[dD][89abcdef][0-9]{2}|é)*\"") {
            if let Some(text) = unescape(&raw) {
                prop_assert!(text.len() <= raw.len());
                let _ = escaped(&text);
            }
        }

        #[test]
        fn any_bytes_can_be_written(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(escaped(&text).is_ascii());
        }
    }
}
