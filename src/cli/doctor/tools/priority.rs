//! Backends of other packages that keyring chooses instead of its chainer, which asks all others in turn.

use std::path::Path;

use super::{Finding, Machine, State};
use crate::{
    cli::{
        backend_choice::{CHAINER, VARIABLE},
        programs::beside::Beside,
        shown,
    },
    error::Result,
};

/// The priority of keyring's chainer. keyring takes the backend with the highest priority; of several, any one.
/// <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/backends/chainer.py>
const CHAINER_PRIORITY: f64 = 10.0;

/// A backend with the priority of the chainer or a higher one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rival {
    class: String,
    priority: f64,
}

/// The backend with the highest priority in the output of `keyring --list-backends`, if it rivals the chainer.
pub(super) fn rival(listing: &str) -> Option<Rival> {
    let rivals = listing.lines().filter_map(|line| {
        let (class, rest) = line.trim().split_once(" (priority: ")?;
        let priority = rest.strip_suffix(')')?.parse().ok()?;
        let is_rival = priority >= CHAINER_PRIORITY && class != CHAINER;
        is_rival.then(|| Rival { class: class.to_owned(), priority })
    });
    rivals.max_by(|one, other| one.priority.total_cmp(&other.priority))
}

impl Machine<'_> {
    /// The finding of a tool that imports the keyring of its environment, or its failure if that asks something else.
    pub(super) fn if_imported(&self, tool: Finding, beside: &Beside) -> Result<Finding> {
        let rival = if self.choice.is_by_name { None } else { self.keyrings.rival_beside(&beside.python)? };
        Ok(self.choice.applied_to(self.with_rival(tool, rival), false))
    }

    /// The finding of a tool that runs the first `keyring` on PATH outside a folder, or its failure if that asks something
    /// else. The native program asks ringbearer's index backends first, whatever their priority.
    pub(super) fn if_run(&self, tool: Finding, skipped: Option<&Path>) -> Result<Finding> {
        let Some((program, _)) = self.keyrings.first(skipped)? else { return Ok(tool) };
        let is_native = self.keyrings.is_native(&program)?;
        Ok(self.choice.applied_to(self.with_rival(tool, self.rival_in(&program)?), is_native))
    }

    /// The backend that may be chosen in a `keyring` on PATH.
    pub(super) fn rival_in(&self, program: &Path) -> Result<Option<Rival>> {
        let is_settled = self.choice.is_by_name || self.keyrings.is_native(program)?;
        Ok(if is_settled { None } else { self.keyrings.rival(program) })
    }

    /// The finding or, if there is a rival, a failure that names it.
    pub(super) fn with_rival(&self, tool: Finding, rival: Option<Rival>) -> Finding {
        let Some(Rival { class, priority }) = rival else { return tool };
        let is = if priority > CHAINER_PRIORITY { "is" } else { "may be" };
        let class = shown(&class);
        let detail =
            format!("{}, but {class} (priority {priority}) {is} chosen instead of keyring's chainer", tool.detail);
        Finding { state: State::Bad, detail, ..tool }.with_fix(self.shell.set(VARIABLE, CHAINER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_at_or_above_the_chainer_is_a_rival() {
        let rival = |listing: &str| rival(listing).map(|rival| (rival.class, rival.priority));
        let ours = "ringbearer.backends.SomeKeyring (priority: 9.9)\r\n";
        let chainer = "keyring.backends.chainer.ChainerBackend (priority: 10)\r\n";
        for (line, expected) in [
            ("", None),
            ("some.Backend (priority: 9.99)", None),
            ("some.Backend (priority: nan)", None),
            ("some.Backend (priority: 10", None),
            ("a notice", None),
            ("some.Backend (priority: 10)", Some(10.0)),
            ("some.Backend (priority: 10.0)\nother.Backend (priority: 9)", Some(10.0)),
            ("other.Backend (priority: 10)\nsome.Backend (priority: 100)", Some(100.0)),
            ("some.Backend (priority: inf)", Some(f64::INFINITY)),
        ] {
            let expected = expected.map(|priority| ("some.Backend".to_owned(), priority));
            assert_eq!(rival(&format!("{ours}{chainer}{line}\n")), expected, "{line}");
        }
    }
}
