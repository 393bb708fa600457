//! The pages that the browser shows after a sign-in. They load nothing.

use crate::{error::Error, system::loopback::Page};

/// The page after a sign-in that succeeded.
pub(super) fn signed_in(place: &str, account: &str) -> Page {
    let (place, account) = (escaped(place), escaped(account));
    let text = format!(
        "<p>ringbearer has signed in to <strong>{place}</strong> as <strong>{account}</strong>.</p>\
         <p>You can close this window.</p>"
    );
    document(200, "Signed in", &text)
}

/// The page after a sign-in that failed.
pub(super) fn failed(place: &str, error: &Error) -> Page {
    let (place, what) = (escaped(place), escaped(error.message()));
    let hint = error.hint().map(|hint| format!("<p>What to do: {}</p>", code(&escaped(hint)))).unwrap_or_default();
    let text = format!(
        "<p>ringbearer could not sign in to <strong>{place}</strong>: {what}</p>{hint}\
         <p>You can close this window; the terminal says the same.</p>"
    );
    document(400, "Not signed in", &text)
}

/// The page for a browser that comes without an answer of the sign-in page.
pub(super) fn waiting() -> Page {
    document(200, "Not signed in yet", "<p>ringbearer waits for the sign-in to finish in the other window.</p>")
}

/// The page for a request that is not the answer of the sign-in page.
pub(super) fn refused(why: &str) -> Page {
    document(
        400,
        "Not accepted",
        &format!("<p>This is not the answer that ringbearer waits for: {}.</p>", escaped(why)),
    )
}

/// The page for a second answer.
pub(super) fn late() -> Page {
    document(409, "Already answered", "<p>ringbearer has had its answer. You can close this window.</p>")
}

fn document(status: u16, title: &str, text: &str) -> Page {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} - ringbearer</title>\n<style>\n\
         :root {{ color-scheme: light dark; --text: #1a1a1a; --page: #fff }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ --text: #eaeaea; --page: #1b1b1d }} }}\n\
         body {{ font: 1.1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);\
          max-width: 36rem; margin: 15vh auto; padding: 0 1rem; overflow-wrap: anywhere }}\n\
         </style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{text}\n</main>\n</body>\n</html>\n"
    );
    Page { status, html }
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
        let error = Error::new(Kind::Rejected, "declined <b>").with_hint("run `ringbearer login URL`, or ask");
        let page = failed("contoso", &error);
        assert!(page.html.contains("declined &lt;b&gt;") && page.status == 400, "{}", page.html);
        assert!(page.html.contains("run <code>ringbearer login URL</code>, or ask"), "{}", page.html);
    }

    proptest! {
        #[test]
        fn a_page_loads_nothing_and_holds_no_markup_of_others(text in "[<>\"'&a-z:/=`]{0,40}") {
            let error = Error::new(Kind::Rejected, text.clone()).with_hint(text.clone());
            for page in [signed_in(&text, &text), failed(&text, &error), refused(&text)] {
                let ours = signed_in("", "").html.matches(['<', '"', '\'']).count();
                let extra = page.html.matches("<code>").count() + page.html.matches("</code>").count();
                let tags = page.html.matches(['<', '"', '\'']).count();
                prop_assert!(tags <= ours + extra + 4, "{}", page.html);
                prop_assert!(!page.html.contains("http") || text.contains("http"));
            }
        }
    }
}
