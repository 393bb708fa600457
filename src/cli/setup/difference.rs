//! What changes in a file, as `diff -u` shows it. Lines are only ever added.

/// How many lines are shown around an addition.
const CONTEXT: usize = 3;

/// The additions, each with some lines around it.
pub(super) fn of(name: &str, before: &str, after: &str) -> String {
    let mut old = before.lines().peekable();
    let lines: Vec<(bool, &str)> = after
        .lines()
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
            shown.push(format!("{}{line}", if *is_new { '+' } else { ' ' }));
        }
        in_hunk = is_near(place);
        old_line += usize::from(!is_new);
    }
    shown.join("\n") + "\n"
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
        assert_eq!(of("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    }
}
