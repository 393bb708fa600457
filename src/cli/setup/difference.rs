//! What changes in a file, as `diff -u` shows it. Lines are only ever added.

use std::borrow::Cow;

/// How many lines are shown around an addition.
const CONTEXT: usize = 3;

/// The additions, each with some lines around it.
pub(super) fn of(name: &str, before: &str, after: &str) -> String {
    let mut old = lines_of(before).peekable();
    let lines: Vec<(bool, &str)> = lines_of(after)
        .map(|line| {
            let is_old = old.next_if_eq(&line).is_some();
            (!is_old, line)
        })
        .collect();
    let is_near = |place: usize| {
        let (from, to) = (place.saturating_sub(CONTEXT), (place + CONTEXT + 1).min(lines.len()));
        lines[from..to].iter().any(|(is_new, _)| *is_new)
    };
    let mut shown = vec![format!("--- {name}"), format!("+++ {name}")];
    let (mut in_hunk, mut old_line) = (false, 1);
    for (place, (is_new, line)) in lines.iter().enumerate() {
        if is_near(place) {
            if !in_hunk {
                let length = lines[place..].iter().enumerate().take_while(|(more, _)| is_near(place + more));
                let (new, kept) =
                    length.fold((0, 0), |(new, kept), (_, (is_new, _))| (new + 1, kept + usize::from(!is_new)));
                let from = if kept == 0 { old_line - 1 } else { old_line };
                shown.push(format!("@@ -{from},{kept} +{},{new} @@", place + 1));
            }
            shown.push(format!("{}{}", if *is_new { '+' } else { ' ' }, without_password(line)));
        }
        in_hunk = is_near(place);
        old_line += usize::from(!is_new);
    }
    shown.join("\n") + "\n"
}

/// A line without the password of a URL in it: what is shown may end up in a log.
fn without_password(line: &str) -> Cow<'_, str> {
    let authority = line.find("://").map(|place| place + "://".len());
    let hidden = authority.and_then(|begin| {
        let rest = line.get(begin..)?;
        let length = rest.find(['/', ' ', '"', '\'']).unwrap_or(rest.len());
        let (user, _) = rest.get(..length)?.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{}{name}:(hidden){}", line.get(..begin)?, rest.get(user.len()..)?))
    });
    hidden.map_or(Cow::Borrowed(line), Cow::Owned)
}

/// The lines of a text, with what Windows has in front of a line end.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').take(text.matches('\n').count() + usize::from(!text.is_empty() && !text.ends_with('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_are_shown_with_some_lines_around_them() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let after = "1\nnew\n2\n3\n4\n5\n6\n7\n8\n9\nlast\n";
        let shown = "--- f\n+++ f\n@@ -1,4 +1,5 @@\n 1\n+new\n 2\n 3\n 4\n@@ -7,3 +8,4 @@\n 7\n 8\n 9\n+last\n";
        assert_eq!(of("f", before, after), shown);
        assert_eq!(without_password("u = https://a:b@c/d"), "u = https://a:(hidden)@c/d");
        assert_eq!(without_password("u = https://a@c/d:e@f"), "u = https://a@c/d:e@f");
        assert_eq!(of("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    }
}
