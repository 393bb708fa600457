//! Whether this is a job of a CI system, where nobody can sign in.

use crate::system::System;

/// The variables that CI systems set in every job. `CI` is set by most of them.
const VARIABLES: [&str; 8] = [
    "CI",
    "TF_BUILD",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "CODEBUILD_BUILD_ID",
    "BITBUCKET_BUILD_NUMBER",
];

/// The variable by which this is a CI job; `None` if it is not.
pub(crate) fn is_ci(system: &dyn System) -> Option<&'static str> {
    let is_set = |name: &&str| {
        system.setting(name).is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "0" | "false"))
    };
    VARIABLES.into_iter().find(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn a_variable_that_says_false_is_no_job() {
        let found = |name: &str, value: &str| is_ci(&FakeSystem::default().variable(name, value));
        assert_eq!(found("CI", "true"), Some("CI"));
        assert_eq!(found("TF_BUILD", "True"), Some("TF_BUILD"));
        assert_eq!((found("CI", "False"), found("CI", ""), found("CI", "0")), (None, None, None));
        assert_eq!(is_ci(&FakeSystem::default()), None);
    }
}
