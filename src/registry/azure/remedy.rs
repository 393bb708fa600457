//! What the error codes of Entra ID mean, and what to do.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

/// The meaning of a code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    /// The numbers, without `AADSTS`.
    codes: &'static [&'static str],
    /// What is wrong: a clause.
    pub(super) meaning: &'static str,
    /// What to do; empty if the meaning says it. `{login}` stands for the command that signs in, and `{resource}` for the
    /// application that the token is for.
    pub(super) next: &'static str,
}

impl Remedy {
    /// Whether it is about the variables of an application.
    #[must_use]
    pub(super) fn names_variables(&self) -> bool {
        self.meaning.contains("AZURE_") || self.next.contains("AZURE_")
    }
}

const fn remedy(codes: &'static [&'static str], meaning: &'static str, next: &'static str) -> Remedy {
    Remedy { codes, meaning, next }
}

/// The code of an assertion that has expired or is not valid yet.
pub(super) const OUTSIDE_TIME_RANGE: &str = "700024";

/// A code whose longer forms mean the same.
const NO_FEDERATED_CREDENTIAL: &str = "70021";

/// The remedies.
static REMEDIES: [Remedy; 16] = [
    remedy(&["7000215"], "AZURE_CLIENT_SECRET is not the value of a current secret of the application", ""),
    remedy(&["7000222"], "the application's secret has expired", "create a new one"),
    remedy(&["700027"], "the certificate in AZURE_CLIENT_CERTIFICATE_PATH is not registered for the application", ""),
    remedy(
        &[OUTSIDE_TIME_RANGE],
        "the assertion has expired or is not valid yet",
        "renew it, or correct this machine's clock",
    ),
    remedy(&["700016"], "AZURE_CLIENT_ID is not an application of this tenant", "check it and AZURE_TENANT_ID"),
    remedy(
        &[NO_FEDERATED_CREDENTIAL],
        "the application has no federated credential for this issuer, subject and audience",
        "add one",
    ),
    remedy(&["7000218"], "the application is not a public client", "allow public client flows in its registration"),
    remedy(&["50011", "500113"], "the application has no redirect URI http://localhost", "add it to the registration"),
    remedy(
        &["500011", "500014"],
        "Azure DevOps is unknown or disabled in this tenant",
        "check that it is the tenant of the feed",
    ),
    remedy(&["90002", "50059"], "there is no such tenant", "check AZURE_TENANT_ID"),
    // The policy may be for this resource alone, which a sign-in without the scope does not meet.
    remedy(
        &["50076", "50079", "50078", "50158", "50074"],
        "multi-factor authentication is required",
        "run `{login} --scope {resource}/.default`",
    ),
    remedy(
        &["50173", "700082", "70043", "70008", "50089"],
        "the login has ended: new password, long unused, or a policy",
        "run `{login}`",
    ),
    remedy(
        &["50097", "50129", "50155", "53000", "53001", "530002", "530003"],
        "a registered or managed device is required",
        "run `{login}` on one, with a browser and not a device code",
    ),
    remedy(
        &["53003", "53004", "50005"],
        "a Conditional Access policy forbids this sign-in",
        "sign in with a browser and not a device code, or ask the administrator of the tenant",
    ),
    remedy(
        &["65001", "65002", "65004", "90094", "90095", "50105"],
        "the application lacks consent or an assignment",
        "ask the administrator of the tenant to grant it",
    ),
    remedy(
        &["50020", "90072", "50034"],
        "the account is not in this tenant",
        "run `{login}` with another account, or be invited",
    ),
];

/// The remedy for a code, written without `AADSTS`.
#[must_use]
pub(super) fn of_code(code: &str) -> Option<&'static Remedy> {
    REMEDIES.iter().find(|remedy| {
        remedy.codes.iter().any(|known| {
            code == *known || (*known == NO_FEDERATED_CREDENTIAL && code.starts_with(NO_FEDERATED_CREDENTIAL))
        })
    })
}

/// The codes in a text, without `AADSTS`. Some are prefixes of longer ones, so all digits are taken.
pub(super) fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("AADSTS").filter_map(|(start, prefix)| {
        let rest = &text[start + prefix.len()..];
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|code| !code.is_empty())
    })
}

/// Every code of the table.
#[cfg(test)]
pub(super) fn all_codes() -> impl Iterator<Item = &'static str> {
    REMEDIES.iter().flat_map(|remedy| remedy.codes.iter().copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_has_one_remedy() {
        let all: Vec<_> = all_codes().collect();
        for code in &all {
            assert_eq!(all.iter().filter(|other| other == &code).count(), 1, "{code}");
            assert!(of_code(code).is_some_and(|remedy| remedy.codes.contains(code)), "{code}");
        }
        assert_eq!(of_code("700213").map(|remedy| remedy.next), Some("add one"));
        for code in ["500760", "5007", "", "7000"] {
            assert_eq!(of_code(code), None, "{code}");
        }
    }

    #[test]
    fn codes_are_read_whole() {
        let text = "said AADSTS7000215: no, AADSTS: nothing, (AADSTS50076)";
        assert_eq!(codes(text).collect::<Vec<_>>(), ["7000215", "50076"]);
    }

    proptest! {
        #[test]
        fn reading_codes_never_fails(text in "\\PC{0,20}(AADSTS\\PC{0,20}){0,2}") {
            for code in codes(&text) {
                let _ = of_code(code);
            }
        }
    }
}
