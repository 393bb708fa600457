//! Jobs of CI systems, where no person is present to sign in.

use crate::{system::System, variable::Variable};

/// The variables that mark a job. Most CI systems set CI, besides one of their own.
pub(crate) static VARIABLES: &[Variable] = &[
    Variable::session("BUILDKITE", "marks a job (set by Buildkite)"),
    Variable::session("CI", "marks a job (set by most CI systems)"),
    Variable::session("CODEBUILD_BUILD_ID", "marks a job (set by AWS CodeBuild)"),
    Variable::session("GITLAB_CI", "marks a job (set by GitLab)"),
    Variable::session("JENKINS_URL", "marks a job (set by Jenkins)"),
    Variable::session("TEAMCITY_VERSION", "marks a job (set by TeamCity)"),
    Variable::session("TF_BUILD", "marks a job (set by Azure Pipelines)"),
];

/// Marks a job on GitHub Actions. It is listed with the variables of [`job_token`](super::job_token).
const GITHUB_VARIABLE: &str = "GITHUB_ACTIONS";

/// The variable that marks a job of a CI system; `None` outside one. A variable that is `false` or `0` marks none.
#[must_use]
pub(crate) fn job_variable(system: &dyn System) -> Option<&'static str> {
    let is_set =
        |name: &&str| system.setting(name).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0");
    VARIABLES.iter().map(|variable| variable.name).chain([GITHUB_VARIABLE]).find(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn a_job_is_marked_by_a_variable_that_does_not_deny_it() {
        for (name, value, expected) in [
            ("CI", "true", Some("CI")),
            ("CI", "1", Some("CI")),
            ("CI", " False ", None),
            ("CI", "0", None),
            ("CI", " ", None),
            ("GITHUB_ACTIONS", "true", Some("GITHUB_ACTIONS")),
            ("TF_BUILD", "True", Some("TF_BUILD")),
            ("JENKINS_URL", "https://jenkins.example/", Some("JENKINS_URL")),
            ("USER", "ada", None),
        ] {
            assert_eq!(job_variable(&FakeSystem::default().variable(name, value)), expected, "{name}={value}");
        }
        let fake = FakeSystem::default().variable("CI", "false").variable("GITLAB_CI", "true");
        assert_eq!(job_variable(&fake), Some("GITLAB_CI"));
    }
}
