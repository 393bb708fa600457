//! Mistakes in a URL that a lookup does not show.

use url::Url;

use super::report::{Finding, State};
use crate::{cli::World, tools::Index};

/// A space and a no-break space, which copy and paste leave at the ends of a name.
const SPACES: [&str; 2] = ["%20", "%C2%A0"];

/// What is wrong with the URL of an index.
pub(super) fn examine(world: &World<'_>, index: &Index) -> Vec<Finding> {
    let service = index.service();
    let bad =
        |what: String, url: &Url| Finding::new(State::Bad, "URL", what).with_fix(format!("write the URL as {url}"));
    let space = service.url().and_then(without_spaces).map(|(segment, url)| {
        bad(format!("`{segment}` in its path begins or ends with a space, as left by copy and paste"), &url)
    });
    // A URL on the command line may be meant for uploads.
    let source = index.source.as_ref();
    let upload = source.and_then(|source| {
        let candidate = world.memory.keyring.candidates(world.system, &service).next()?;
        let url = candidate.source.index_url(&service)?;
        Some(bad(format!("{source} names the URL for uploads, from which nothing is installed"), &url))
    });
    space.into_iter().chain(upload).collect()
}

/// The first segment that begins or ends with a space, and the URL without such spaces.
fn without_spaces(url: &Url) -> Option<(&str, Url)> {
    let segments: Vec<_> = url.path_segments()?.collect();
    let wrong = segments.iter().find(|segment| trimmed(segment).len() < segment.len())?;
    let mut right = url.clone();
    right.set_path(&segments.iter().map(|segment| trimmed(segment)).collect::<Vec<_>>().join("/"));
    Some((wrong, right))
}

/// A segment without the spaces at its ends.
fn trimmed(segment: &str) -> &str {
    let mut rest = segment;
    let cut = |text: &str, at_start: bool| {
        SPACES.iter().find_map(|space| {
            let (start, end) =
                if at_start { (0, space.len()) } else { (text.len().checked_sub(space.len())?, text.len()) };
            text.get(start..end).filter(|part| part.eq_ignore_ascii_case(space)).map(|_| (start, end))
        })
    };
    while let Some((_, end)) = cut(rest, true) {
        rest = &rest[end..];
    }
    while let Some((start, _)) = cut(rest, false) {
        rest = &rest[..start];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_at_the_ends_of_segments_are_removed() {
        for (path, expected) in [
            ("contoso/_packaging/feed%20/pypi/simple/", Some(("feed%20", "contoso/_packaging/feed/pypi/simple/"))),
            ("%20contoso%c2%a0%20/My%20Project/", Some(("%20contoso%c2%a0%20", "contoso/My%20Project/"))),
            ("contoso/My%20Project/_packaging/feed/", None),
            ("%20/a", Some(("%20", "a"))),
            ("", None),
        ] {
            let url = Url::parse(&format!("https://a.example/{path}")).unwrap();
            let found = without_spaces(&url).map(|(segment, url)| (segment.to_owned(), url.to_string()));
            let expected = expected.map(|(segment, path)| (segment.to_owned(), format!("https://a.example/{path}")));
            assert_eq!(found, expected, "{path}");
        }
    }
}
