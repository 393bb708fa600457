//! What the error codes of Entra ID mean, and what to do.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use super::sign_in_command::SignInCommand;

/// Who signs in. It decides which variables, options and commands the advice names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// An application, set up by variables or a file.
    Application,
    /// A person, by this command.
    Person(SignInCommand),
}

/// The meaning of a code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    /// Whom it is for.
    identities: &'static [Identity],
    /// The numbers, without `AADSTS`.
    codes: &'static [&'static str],
    /// What is wrong: a clause.
    pub(super) meaning: &'static str,
    /// What to do; empty if the meaning says it. `{login}` stands for the command that signs in, and `{resource}` for the
    /// application that the token is for.
    pub(super) next: &'static str,
}

const fn remedy(
    identities: &'static [Identity],
    codes: &'static [&'static str],
    meaning: &'static str,
    next: &'static str,
) -> Remedy {
    Remedy { identities, codes, meaning, next }
}

// Whom a remedy is for. The login of az may be that of an application.
const AZ_LOGIN: Identity = Identity::Person(SignInCommand::Az);
const RINGBEARER_LOGIN: Identity = Identity::Person(SignInCommand::Ringbearer);
const APPLICATION: &[Identity] = &[Identity::Application];
const AZ: &[Identity] = &[AZ_LOGIN];
const RINGBEARER: &[Identity] = &[RINGBEARER_LOGIN];
const PERSON: &[Identity] = &[AZ_LOGIN, RINGBEARER_LOGIN];
const APPLICATION_OR_AZ: &[Identity] = &[Identity::Application, AZ_LOGIN];
const ANYBODY: &[Identity] = &[Identity::Application, AZ_LOGIN, RINGBEARER_LOGIN];

/// The code of an assertion that has expired or is not valid yet.
pub(super) const OUTSIDE_TIME_RANGE: &str = "700024";

/// A code whose longer forms mean the same.
const NO_FEDERATED_CREDENTIAL: &str = "70021";

// Codes whose advice depends on who signs in.
const UNKNOWN_APPLICATION: &[&str] = &["700016"];
const NO_SUCH_TENANT: &[&str] = &["90002", "50059"];
const SECOND_FACTOR: &[&str] = &["50076", "50079", "50078", "50158", "50074"];
const DEVICE: &[&str] = &["50097", "50129", "50155", "53000", "53001", "530002", "530003"];
const CONDITIONAL_ACCESS: &[&str] = &["53003", "53004", "50005"];
const CONSENT: &[&str] = &["65001", "65002", "65004", "90094", "90095"];

/// The remedies.
static REMEDIES: [Remedy; 25] = [
    remedy(
        APPLICATION,
        &["7000215"],
        "AZURE_CLIENT_SECRET is not the value of a current secret of the application",
        "",
    ),
    remedy(ANYBODY, &["7000222"], "the application's secret has expired", "create a new one"),
    remedy(
        APPLICATION,
        &["700027"],
        "the certificate in AZURE_CLIENT_CERTIFICATE_PATH is not registered for the application",
        "",
    ),
    remedy(
        ANYBODY,
        &[OUTSIDE_TIME_RANGE],
        "the assertion has expired or is not valid yet",
        "renew it, or correct this machine's clock",
    ),
    remedy(
        ANYBODY,
        &[NO_FEDERATED_CREDENTIAL],
        "the application has no federated credential for this issuer, subject and audience",
        "add one",
    ),
    remedy(
        APPLICATION,
        UNKNOWN_APPLICATION,
        "AZURE_CLIENT_ID is not an application of this tenant",
        "check it and AZURE_TENANT_ID",
    ),
    remedy(
        RINGBEARER,
        UNKNOWN_APPLICATION,
        "the application to sign in to is unknown or disabled in this tenant",
        "check RINGBEARER_AZURE_LOGIN_CLIENT_ID, and that it is the tenant of the feed",
    ),
    remedy(
        ANYBODY,
        &["7000218"],
        "the application is not a public client",
        "allow public client flows in its registration",
    ),
    remedy(
        ANYBODY,
        &["50011", "500113"],
        "the application has no redirect URI http://localhost",
        "add it to the registration",
    ),
    remedy(
        ANYBODY,
        &["500011", "500014"],
        "Azure DevOps is unknown or disabled in this tenant",
        "check that it is the tenant of the feed",
    ),
    remedy(APPLICATION, NO_SUCH_TENANT, "there is no such tenant", "check AZURE_TENANT_ID"),
    remedy(
        RINGBEARER,
        NO_SUCH_TENANT,
        "there is no such tenant",
        "name that of the feed: run `ringbearer login URL --tenant TENANT`",
    ),
    // The policy may be for this resource alone, which a sign-in of az without the scope does not meet.
    remedy(AZ, SECOND_FACTOR, "multi-factor authentication is required", "run `{login} --scope {resource}/.default`"),
    remedy(RINGBEARER, SECOND_FACTOR, "multi-factor authentication is required", "run `{login}`"),
    remedy(
        PERSON,
        &["50173", "700082", "700081", "700084", "70043", "70008", "50089"],
        "the login has ended: new password, long unused, or a policy",
        "run `{login}`",
    ),
    remedy(
        AZ,
        DEVICE,
        "a registered or managed device is required",
        "run `{login}` on one, with a browser and not a device code",
    ),
    remedy(
        RINGBEARER,
        DEVICE,
        "a registered or managed device is required",
        "run `{login} --browser` on one; on Linux, only Edge and az with its broker can prove that it is one",
    ),
    remedy(
        APPLICATION,
        CONDITIONAL_ACCESS,
        "a Conditional Access policy forbids this sign-in",
        "ask the administrator of the tenant",
    ),
    remedy(
        AZ,
        CONDITIONAL_ACCESS,
        "a Conditional Access policy forbids this sign-in",
        "sign in with a browser and not a device code, or ask the administrator of the tenant",
    ),
    remedy(
        RINGBEARER,
        CONDITIONAL_ACCESS,
        "a Conditional Access policy forbids this sign-in",
        "if it was by device code, run `{login} --browser`; otherwise ask the administrator of the tenant",
    ),
    remedy(
        APPLICATION_OR_AZ,
        CONSENT,
        "the application lacks consent",
        "ask the administrator of the tenant to grant it",
    ),
    remedy(
        RINGBEARER,
        CONSENT,
        "the application lacks consent",
        "run `{login}` and accept, or ask the administrator of the tenant to grant it",
    ),
    remedy(
        ANYBODY,
        &["50105"],
        "the account is not assigned to the application",
        "ask the administrator of the tenant to assign it",
    ),
    remedy(PERSON, &["50057"], "the account is disabled", "ask the administrator of the tenant"),
    remedy(
        PERSON,
        &["50020", "90072", "50034"],
        "the account is not in this tenant",
        "run `{login}` with another account, or be invited",
    ),
];

/// The remedy for a code, written without `AADSTS`.
#[must_use]
pub(super) fn of_code(code: &str, identity: Identity) -> Option<&'static Remedy> {
    REMEDIES.iter().filter(|remedy| remedy.identities.contains(&identity)).find(|remedy| {
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

/// Every code with a remedy for this identity.
#[cfg(test)]
pub(super) fn all_codes(identity: Identity) -> impl Iterator<Item = &'static str> {
    let remedies = REMEDIES.iter().filter(move |remedy| remedy.identities.contains(&identity));
    remedies.flat_map(|remedy| remedy.codes.iter().copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_has_one_remedy() {
        for &identity in ANYBODY {
            let all: Vec<_> = all_codes(identity).collect();
            for code in &all {
                assert_eq!(all.iter().filter(|other| other == &code).count(), 1, "{code}");
                assert!(of_code(code, identity).is_some_and(|remedy| remedy.codes.contains(code)), "{code}");
            }
            assert_eq!(of_code("700213", identity).map(|remedy| remedy.next), Some("add one"));
            for code in ["500760", "5007", "", "7000"] {
                assert_eq!(of_code(code, identity), None, "{code}");
            }
        }
    }

    #[test]
    fn advice_names_only_what_the_identity_uses() {
        for remedy in &REMEDIES {
            let text = format!("{} {}", remedy.meaning, remedy.next);
            let only = |identities: &[Identity]| remedy.identities.iter().all(|identity| identities.contains(identity));
            assert!(!text.contains("{login}") || only(PERSON), "{text}");
            assert!(!text.contains("--browser") && !text.contains("RINGBEARER_") || only(RINGBEARER), "{text}");
            assert!(!text.replace("RINGBEARER_AZURE_", "").contains("AZURE_") || only(APPLICATION), "{text}");
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
                let _ = of_code(code, Identity::Application);
            }
        }
    }
}
