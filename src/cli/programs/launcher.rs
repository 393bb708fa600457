//! The interpreter that a launcher names: the `.exe` that pip and uv write for a script on Windows.

/// The signature of the end record of a ZIP archive (APPNOTE.TXT, section 4.3.16), and the record's length without comment.
const END_RECORD: &[u8] = b"PK\x05\x06";
const END_RECORD_LENGTH: usize = 22;

/// How far before the archive the first line of the script may begin.
const LINE_CAP: usize = 1024;

/// The last bytes of launchers by earlier versions of uv, after the path and its length.
const UV_MARKS: [&[u8]; 2] = [b"UVSC", b"UVPY"];

/// The resource of uv's launchers with the path.
/// <https://github.com/astral-sh/uv/tree/main/crates/uv-trampoline-builder>
const UV_RESOURCE: &str = "UV_PYTHON_PATH";

/// The identifier of resources that are raw data (RT_RCDATA).
const RAW_DATA: u32 = 10;

/// The interpreter that a launcher names, as it is written there; `None` for other programs.
pub(in crate::cli) fn interpreter(program: &[u8]) -> Option<String> {
    if !program.starts_with(b"MZ") {
        return None;
    }
    let named = of_uv(program).or_else(|| of_old_uv(program)).or_else(|| of_distlib(program))?;
    let named = std::str::from_utf8(named).ok()?.trim();
    (!named.is_empty() && !named.contains(char::is_control)).then(|| named.to_owned())
}

/// The launcher of pip and distlib: a program, the first line of the script, and an archive with the rest.
/// <https://github.com/pypa/distlib/blob/0.4.0/distlib/scripts.py>
fn of_distlib(program: &[u8]) -> Option<&[u8]> {
    let end = program.len().checked_sub(END_RECORD_LENGTH)?;
    let record = program.get(end..).filter(|record| record.starts_with(END_RECORD))?;
    // The offset of the central directory counts from the start of the archive.
    let archive = end.checked_sub(number(record, 12)?)?.checked_sub(number(record, 16)?)?;
    let before = program.get(archive.saturating_sub(LINE_CAP)..archive)?;
    let line = before.get(memchr::memmem::rfind(before, b"#!")? + 2..)?.trim_ascii();
    match line.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next(),
        None => line.split(u8::is_ascii_whitespace).next(),
    }
}

fn of_old_uv(program: &[u8]) -> Option<&[u8]> {
    let rest = UV_MARKS.iter().find_map(|mark| program.strip_suffix(*mark))?;
    let path_end = rest.len().checked_sub(4)?;
    rest.get(path_end.checked_sub(number(rest, path_end)?)?..path_end)
}

/// The resource of a launcher of uv, in the three levels of the resource directory: type, name and language.
/// <https://learn.microsoft.com/windows/win32/debug/pe-format>
fn of_uv(program: &[u8]) -> Option<&[u8]> {
    let headers = program.get(number(program, 0x3c)?..).filter(|headers| headers.starts_with(b"PE\0\0"))?;
    let (sections, optional_length) = (half(headers, 6)?, half(headers, 20)?);
    let optional = headers.get(24..)?;
    // PE32+ has wider fields before the list of directories.
    let directories = if half(optional, 0)? == 0x20b { 112 } else { 96 };
    let address = number(optional, directories + 2 * 8)?;
    let table = optional.get(optional_length..)?;
    let section = table.chunks_exact(40).take(sections).find(|section| {
        let (start, length) = (number(section, 12).unwrap_or_default(), number(section, 16).unwrap_or_default());
        address != 0 && (start..start.saturating_add(length)).contains(&address)
    })?;
    let (start, length, offset) = (number(section, 12)?, number(section, 16)?, number(section, 20)?);
    let content = program.get(offset..offset.checked_add(length)?)?;
    let resources = content.get(address - start..)?;
    let names = below(entry(resources, 0, |name| u32::try_from(name).ok() == Some(RAW_DATA))?)?;
    let languages = below(entry(resources, names, |name| is_named(resources, name, UV_RESOURCE))?)?;
    let data = entry(resources, languages, |_| true)?;
    let found = number(resources, data)?.checked_sub(start)?;
    content.get(found..found.checked_add(number(resources, data.checked_add(4)?)?)?)
}

/// The highest bit: set in an entry's name, that is a string; set in its offset, the entry is a directory.
const FLAG: usize = 1 << 31;

/// The offset in the first entry of a resource directory whose name fits.
fn entry(resources: &[u8], directory: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let count = half(resources, directory.checked_add(12)?)? + half(resources, directory.checked_add(14)?)?;
    let entries = resources.get(directory.checked_add(16)?..)?.chunks_exact(8).take(count);
    let found = entries.into_iter().find(|entry| number(entry, 0).is_some_and(&fits))?;
    number(found, 4)
}

/// The directory at the offset of an entry.
fn below(offset: usize) -> Option<usize> {
    (offset & FLAG != 0).then_some(offset & !FLAG)
}

/// Whether the name of an entry is this string: its length, then UTF-16.
fn is_named(resources: &[u8], name: usize, expected: &str) -> bool {
    let Some(text) = below(name).and_then(|start| resources.get(start..)) else { return false };
    let units: Vec<u8> = expected.encode_utf16().flat_map(u16::to_le_bytes).collect();
    half(text, 0) == Some(units.len() / 2) && text.get(2..).is_some_and(|text| text.starts_with(&units))
}

fn half(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(found.try_into().ok()?).into())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(found.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        cli::fuzz,
        system::fuzz::{seed, seeds},
    };

    const PYTHON: &str = r"C:\Users\ada\venv\Scripts\python.exe";

    /// A launcher of distlib with this first line.
    fn with_line(line: &str) -> Vec<u8> {
        let script = b"import sys";
        let mut record = [END_RECORD, &[0; END_RECORD_LENGTH - 4]].concat();
        // The script stands for the entry and the central directory of an archive.
        record[12..16].copy_from_slice(&4_u32.to_le_bytes());
        record[16..20].copy_from_slice(&6_u32.to_le_bytes());
        [b"MZ stub #!not/this", line.as_bytes(), script, &record].concat()
    }

    fn found(program: &[u8]) -> Option<String> {
        interpreter(program)
    }

    #[test]
    fn launchers_of_pip_hold_the_line_of_a_script() {
        assert_eq!(found(&with_line(&format!("#!{PYTHON}\n"))).as_deref(), Some(PYTHON));
        assert_eq!(found(&with_line(&format!("#!{PYTHON} -E\r\n"))).as_deref(), Some(PYTHON));
        let quoted = r"C:\Program Files\Python\python.exe";
        assert_eq!(found(&with_line(&format!("#!\"{quoted}\" -E\n"))).as_deref(), Some(quoted));
        assert_eq!(found(&with_line("\n")).as_deref(), Some("not/this"));
        assert_eq!(found(&with_line("#!\n")), None);
    }

    #[test]
    fn launchers_of_uv_hold_the_path() {
        let length = u32::try_from(PYTHON.len()).unwrap().to_le_bytes();
        let of = |mark: &[u8]| [b"MZ stub", PYTHON.as_bytes(), &length, mark].concat();
        assert_eq!(found(&of(b"UVSC")).as_deref(), Some(PYTHON));
        assert_eq!(found(&of(b"UVPY")).as_deref(), Some(PYTHON));
        assert_eq!(found(&of(b"UVxx")), None);
        assert_eq!(found(b"MZ\xff\xff\xff\xffUVSC"), None);
        assert_eq!(found(&seed("launcher", "resource")).as_deref(), Some(PYTHON));
    }

    #[test]
    fn other_programs_name_no_interpreter() {
        for program in [&b""[..], b"MZ", b"#!/usr/bin/python3\n", b"\x7fELF"] {
            assert_eq!(found(program), None);
        }
        assert_eq!(found(&with_line("#!a\x1b[31m\n")), None);
    }

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("launcher") {
            fuzz::launcher(&seed);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_fault(at in 0_usize..2048, bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
            for name in ["resource", "distlib"] {
                let mut program = seed("launcher", name);
                let at = at % program.len();
                let end = (at + bytes.len()).min(program.len());
                program.splice(at..end, bytes.clone());
                fuzz::launcher(&program);
            }
        }
    }
}
