//! The text of an element of an XML document: all that the answers of STS need.
//! <https://www.w3.org/TR/xml/>

/// The longest text, in bytes. A session token, the longest one in use, has a few thousand.
const CAP: usize = 64 * 1024;

/// The text of the first element of a name, whatever its namespace prefix and its attributes, with its entities
/// decoded. `None` if there is none, if it holds other elements, or if the document is not plain XML before its end.
pub(super) fn text(document: &str, element: &str) -> Option<String> {
    let mut rest = document;
    loop {
        let (_, markup) = rest.split_once('<')?;
        let (tag, after) = match after_hidden(markup)? {
            Some(after) => {
                rest = after;
                continue;
            }
            None => split_tag(markup)?,
        };
        rest = after;
        let (name, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (name(tag), true),
            None => (name(tag), false),
        };
        if local(name) == element {
            return if is_empty { Some(String::new()) } else { content(after, name) };
        }
    }
}

/// The text after what is neither text nor a tag: a comment, a CDATA section or a processing instruction; `Some(None)`
/// if the markup is a tag. `None` for declarations, which could define entities, and if the end is missing.
#[expect(clippy::option_option, reason = "no end, and no such markup, are different")]
fn after_hidden(markup: &str) -> Option<Option<&str>> {
    for (start, end) in [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")] {
        if let Some(hidden) = markup.strip_prefix(start) {
            return hidden.split_once(end).map(|(_, after)| Some(after));
        }
    }
    (!markup.starts_with('!')).then_some(None)
}

/// A tag without its angle brackets, and what follows it. A bracket in the value of an attribute does not end it.
fn split_tag(markup: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = markup.find(|character: char| {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        quote.is_none() && character == '>'
    })?;
    Some((&markup[..end], &markup[end + 1..]))
}

/// The name that a tag begins with.
fn name(tag: &str) -> &str {
    tag.split(|character: char| character.is_ascii_whitespace()).next().unwrap_or_default()
}

/// A name without its namespace prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The text up to the end tag of `name`, without comments.
fn content(document: &str, name: &str) -> Option<String> {
    let mut rest = document;
    // Room for all of it at once: a copy that growing leaves behind would not be wiped.
    let mut text = String::with_capacity(document.len().min(CAP));
    loop {
        let (piece, markup) = rest.split_once('<')?;
        decode(piece, &mut text)?;
        if let Some(comment) = markup.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        let (end, _) = markup.strip_prefix('/')?.split_once('>')?;
        return (end.trim_ascii_end() == name).then_some(text);
    }
}

/// Appends a text with its entities decoded; `None` for an unknown entity, and for too long a text.
fn decode(piece: &str, text: &mut String) -> Option<()> {
    let mut rest = piece;
    while !rest.is_empty() {
        let (plain, entity) = rest.split_once('&').map_or((rest, None), |(plain, entity)| (plain, Some(entity)));
        let mut decoded = None;
        rest = match entity {
            Some(entity) => {
                let (name, after) = entity.split_once(';')?;
                decoded = Some(character(name)?);
                after
            }
            None => "",
        };
        if text.len() + plain.len() + decoded.map_or(0, char::len_utf8) > CAP {
            return None;
        }
        text.push_str(plain);
        text.extend(decoded);
    }
    Some(())
}

/// The character of an entity: one of the five that every document knows, or a number.
fn character(entity: &str) -> Option<char> {
    let number = |digits: &str, radix: u32| {
        let is_number = digits.chars().all(|digit| digit.is_digit(radix));
        let code = u32::from_str_radix(digits, radix).ok().filter(|code| is_number && *code != 0)?;
        char::from_u32(code)
    };
    match (entity, entity.strip_prefix("#x"), entity.strip_prefix('#')) {
        ("amp", ..) => Some('&'),
        ("lt", ..) => Some('<'),
        ("gt", ..) => Some('>'),
        ("quot", ..) => Some('"'),
        ("apos", ..) => Some('\''),
        (_, Some(digits), _) => number(digits, 16),
        (_, None, Some(digits)) => number(digits, 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_of_the_first_element_is_read() {
        for (document, expected) in [
            ("<A>text</A>", Some("text")),
            ("<?xml version=\"1.0\"?>\n<R xmlns=\"https://sts.example/\"><A>text</A><A>other</A></R>", Some("text")),
            ("<s:A xmlns:s='x'> te xt </s:A >", Some(" te xt ")),
            ("<A\n b='>' c=\"<A>\">text</A\n>", Some("text")),
            ("<A/>", Some("")),
            ("<A b='1' />", Some("")),
            ("<A></A>", Some("")),
            ("<A>&lt;&amp;&gt;&quot;&apos;&#65;&#x42;&#X;</A>", None),
            ("<A>&lt;&amp;amp;&gt;&quot;&apos;&#65;&#x42;</A>", Some("<&amp;>\"'AB")),
            ("<A>te<!-- </A> -->xt</A>", Some("text")),
            ("<!-- <A>no</A> --><A>text</A>", Some("text")),
            ("<![CDATA[<A>no</A>]]><A>text</A>", Some("text")),
            ("<B c='<A>no</A>'/><AA>no</AA><A-B>no</A-B><A>text</A>", Some("text")),
            ("<B>A</B></A><A>text</A>", Some("text")),
        ] {
            assert_eq!(text(document, "A").as_deref(), expected, "{document}");
        }
    }

    #[test]
    fn what_is_no_plain_text_is_none() {
        for document in [
            "",
            "A",
            "<A",
            "<A>",
            "<A>text",
            "<A>text</B>",
            "<s:A>text</A>",
            "<A>te<B>x</B>t</A>",
            "<A><![CDATA[text]]></A>",
            "<A>&unknown;</A>",
            "<A>&amp</A>",
            "<A>&#;</A>",
            "<A>&#+65;</A>",
            "<A>&#0;</A>",
            "<A>&#xD800;</A>",
            "<A>&#4294967361;</A>",
            "<a>text</a>",
            "<!-- <A>text</A>",
            "<!DOCTYPE R [<!ENTITY e \"x\">]><A>text</A>",
            "<!doctype html><A>text</A>",
        ] {
            assert_eq!(text(document, "A"), None, "{document}");
        }
        let long = |length: usize| text(&format!("<A>{}</A>", "x".repeat(length)), "A").map(|text| text.len());
        assert_eq!((long(CAP), long(CAP + 1)), (Some(CAP), None));
    }

    proptest! {
        #[test]
        fn any_document_is_read_without_a_panic(document in "([</>A&;#x!'\" é-]|<A>|</A>|<!--|-->|&lt;){0,40}") {
            if let Some(text) = text(&document, "A") {
                prop_assert!(text.len() <= document.len());
            }
        }

        #[test]
        fn an_encoded_text_is_read_as_it_was(plain in "[^\u{0}]{0,40}") {
            let escaped = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let numbered: Vec<String> = plain.chars().map(|character| format!("&#{};", u32::from(character))).collect();
            for written in [escaped, numbered.concat()] {
                let document = format!("<R><B b='<A>'>A</B><n:A c=\"/\">{written}</n:A></R>");
                prop_assert_eq!(text(&document, "A"), Some(plain.clone()));
            }
        }
    }
}
