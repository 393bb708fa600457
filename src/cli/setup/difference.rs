//! The change to a file as `diff -U0` shows it: added lines only, since existing lines may contain passwords.

/// The added lines, with the line numbers where they go.
pub(super) fn additions(name: &str, before: &str, after: &str) -> String {
    let mut old = lines_of(before).peekable();
    let mut shown = vec![format!("--- {name}"), format!("+++ {name}")];
    let mut added: Vec<&str> = Vec::new();
    let mut kept = 0;
    for (place, line) in lines_of(after).map(Some).chain([None]).enumerate() {
        match line {
            Some(line) if old.next_if_eq(&line).is_none() => added.push(line),
            _ => {
                if !added.is_empty() {
                    shown.push(format!("@@ -{kept},0 +{},{} @@", place + 1 - added.len(), added.len()));
                    shown.extend(added.drain(..).map(|line| format!("+{line}")));
                }
                kept += 1;
            }
        }
    }
    shown.join("\n") + "\n"
}

/// The lines of a text, each with its carriage return if it has one.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').take(text.matches('\n').count() + usize::from(!text.is_empty() && !text.ends_with('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn existing_lines_are_not_shown() {
        let before = "1\n2\n3\n";
        let after = "1\nnew\n2\n3\nlast\nof all\n";
        assert_eq!(
            additions("f", before, after),
            "--- f\n+++ f\n@@ -1,0 +2,1 @@\n+new\n@@ -3,0 +5,2 @@\n+last\n+of all\n"
        );
        assert_eq!(additions("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    }
}
