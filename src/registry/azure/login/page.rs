//! The pages that the browser shows after a sign-in. They load nothing.

use crate::{error::Error, system::loopback::Page};

/// The outcome that a page shows, as the color above its text.
#[derive(Clone, Copy)]
enum Mark {
    Done,
    Failed,
    Neither,
}

/// The page after a sign-in that succeeded.
pub(super) fn signed_in(organisation: &str, account: &str) -> Page {
    let (organisation, account) = (escaped(organisation), escaped(account));
    let text = format!(
        "<p>ringbearer is signed in to <strong>{organisation}</strong> as <strong>{account}</strong>.</p>\n\
         <p class=\"aside\">You can close this window.</p>"
    );
    document(200, "Signed in", Mark::Done, &text)
}

/// The page after a sign-in that failed.
pub(super) fn failed(organisation: &str, error: &Error) -> Page {
    let (organisation, what) = (escaped(organisation), escaped(error.message()));
    let paragraph = |clause: Option<&str>| {
        clause.map(|clause| format!("<p>{}</p>\n", code(&escaped(&sentence(clause))))).unwrap_or_default()
    };
    let (hint, note) = (paragraph(error.hint()), paragraph(error.note()));
    let text = format!(
        "<p>ringbearer could not sign in to <strong>{organisation}</strong>: {what}</p>\n{hint}{note}\
         <p class=\"aside\">The terminal shows the same. You can close this window.</p>"
    );
    document(400, "Sign-in failed", Mark::Failed, &text)
}

/// The page for a browser that comes without an answer of the sign-in page.
pub(super) fn waiting() -> Page {
    let text = "<p>ringbearer is waiting for the sign-in page, which is open in another window.</p>";
    document(200, "Not signed in yet", Mark::Neither, text)
}

/// The page for a request that is not the answer of the sign-in page.
pub(super) fn refused(why: &str) -> Page {
    let text =
        format!("<p>ringbearer refused this request: {}. It still waits for the sign-in page.</p>", escaped(why));
    document(400, "Request refused", Mark::Neither, &text)
}

/// The page for a second answer.
pub(super) fn late() -> Page {
    let text = "<p>ringbearer has received an answer already. You can close this window.</p>";
    document(409, "Already answered", Mark::Neither, text)
}

fn document(status: u16, title: &str, mark: Mark, text: &str) -> Page {
    let class = match mark {
        Mark::Done => "done",
        Mark::Failed => "failed",
        Mark::Neither => "neither",
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} - ringbearer</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main class=\"{class}\">\n<h1>{title}</h1>\n{text}\n</main>\n</body>\n\
         </html>\n"
    );
    Page { status, html }
}

/// Legible in light and dark, and on a telephone.
const STYLE: &str = "\
:root { color-scheme: light dark; --text: #1a1a1a; --aside: #5c5c5c; --page: #f6f6f7; --card: #fff; --line: #d8d8dc; \
--done: #107c41; --failed: #c42b1c }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --aside: #a8a8ad; --page: #18181a; --card: #232326; \
--line: #3a3a3f; --done: #4cc38a; --failed: #ff7b72 } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 12vh 1rem }
main { max-width: 34rem; margin: 0 auto; padding: .5rem 1.75rem .75rem; background: var(--card); \
border: 1px solid var(--line); border-top: .3rem solid var(--line); border-radius: .4rem; overflow-wrap: anywhere }
main.done { border-top-color: var(--done) }
main.failed { border-top-color: var(--failed) }
h1 { font-size: 1.5rem }
code { font-size: .95em; padding: .1em .3em; background: var(--page); border-radius: .25em }
.aside { color: var(--aside); font-size: .9rem }
";

/// A clause with a capital letter.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Text that HTML shows as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Shows what stands between backquotes as code.
fn code(text: &str) -> String {
    let mut parts = text.split('`');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    while let Some(command) = parts.next() {
        let rest = parts.next().unwrap_or_default();
        for part in ["<code>", command, "</code>", rest] {
            shown.push_str(part);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;

    #[test]
    fn the_page_names_organisation_and_account() {
        let page = signed_in("pkgs.dev.azure.com/contoso", "ada@contoso.example");
        assert_eq!(page.status, 200);
        for part in
            ["<strong>pkgs.dev.azure.com/contoso</strong>", "<strong>ada@contoso.example</strong>", "close this"]
        {
            assert!(page.html.contains(part), "{part}");
        }
    }

    #[test]
    fn the_page_of_a_failure_says_what_to_run() {
        let error = Error::new(Kind::Rejected, "declined <b>")
            .with_hint("run `ringbearer login URL`, or ask")
            .with_note("kept");
        let page = failed("contoso", &error);
        assert!(page.html.contains("declined &lt;b&gt;") && page.status == 400, "{}", page.html);
        assert!(page.html.contains("Run <code>ringbearer login URL</code>, or ask"), "{}", page.html);
        assert!(page.html.contains("<p>Kept</p>"), "{}", page.html);
    }

    proptest! {
        #[test]
        fn a_page_loads_nothing_and_holds_no_markup_of_others(text in "[<>\"'&a-z:/=`]{0,40}") {
            let pages = |text: &str| {
                let error = Error::new(Kind::Rejected, text).with_hint(text).with_note(text);
                [signed_in(text, text), failed(text, &error), refused(text)]
            };
            for (page, plain) in pages(&text).into_iter().zip(pages("a")) {
                let markup = |html: &str| {
                    html.replace("<code>", "").replace("</code>", "").matches(['<', '"', '\'']).count()
                };
                prop_assert_eq!(markup(&page.html), markup(&plain.html), "{}", page.html);
                prop_assert!(!["src=", "href=", "url(", "@import"].iter().any(|word| plain.html.contains(word)));
            }
        }
    }
}
