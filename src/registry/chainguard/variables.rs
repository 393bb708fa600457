//! Tokens in the environment.

use super::{AUDIENCE, Known, credential, is_for_libraries};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::{Error, Kind, Result},
    registry::Credential,
    system::System,
};

/// The user name of a pull token: the id of its identity, two hexadecimal numbers with a slash between them.
/// <https://www.chainguard.dev/docs/platform/chainctl-usage/pull-token-output/>
pub(super) const IDENTITY_VARIABLE: &str = "CHAINGUARD_PYTHON_IDENTITY_ID";

/// The password of a pull token.
pub(super) const TOKEN_VARIABLE: &str = "CHAINGUARD_PYTHON_TOKEN";

/// A token that chainctl uses instead of its login.
pub(super) const AUTH_TOKEN_VARIABLE: &str = "CHAINCTL_AUTH_TOKEN";

/// A pull token, as `chainctl auth pull-token create --output=env` prints it.
pub(crate) struct PullToken;

impl TokenProvider<Known, Credential> for PullToken {
    fn name(&self) -> &'static str {
        "pull_token"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        let has_token = system.secret_setting(TOKEN_VARIABLE).is_some();
        Origin::Explicit(if has_token { TOKEN_VARIABLE } else { IDENTITY_VARIABLE }.into())
    }

    fn token(&self, system: &dyn System, _known: &Known) -> Result<Attempt<Credential>> {
        let missing = |there: &str, missing: &str| {
            Err(Error::new(Kind::Configuration, format!("{there} is set and {missing} is not")).with_hint(format!(
                "set {missing} too: `chainctl auth pull-token create --repository=python --output=env` prints both"
            )))
        };
        match (system.setting(IDENTITY_VARIABLE), AccessToken::from_variable(system, TOKEN_VARIABLE)?) {
            (Some(username), Some(token)) => Ok(Attempt::Token(Credential { username, ..credential(token) })),
            (Some(_), None) => missing(IDENTITY_VARIABLE, TOKEN_VARIABLE),
            (None, Some(_)) => missing(TOKEN_VARIABLE, IDENTITY_VARIABLE),
            (None, None) => Ok(Attempt::not_configured(format!("no {TOKEN_VARIABLE}"))),
        }
    }
}

/// The token in chainctl's variable, if it is for the libraries: many are for the vendor's console.
pub(crate) struct TokenVariable;

impl TokenProvider<Known, Credential> for TokenVariable {
    fn name(&self) -> &'static str {
        "token_variable"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(AUTH_TOKEN_VARIABLE.into())
    }

    fn token(&self, system: &dyn System, _known: &Known) -> Result<Attempt<Credential>> {
        let Some(token) = AccessToken::from_variable(system, AUTH_TOKEN_VARIABLE)? else {
            return Ok(Attempt::not_configured(format!("no {AUTH_TOKEN_VARIABLE}")));
        };
        let claims = token.claims().ok_or_else(|| {
            Error::new(Kind::Configuration, format!("{AUTH_TOKEN_VARIABLE} does not hold a token"))
                .with_hint(format!("set it to what `chainctl auth token --audience={AUDIENCE}` prints, or unset it"))
        })?;
        if is_for_libraries(&claims) == Some(true) {
            Ok(Attempt::Token(credential(token)))
        } else {
            Ok(Attempt::not_configured(format!("{AUTH_TOKEN_VARIABLE} is not for {AUDIENCE}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{auth::jwt::token_of, system::fake::FakeSystem};

    #[test]
    fn a_pull_token_has_a_user_name_of_its_own() {
        let fake = FakeSystem::default().variable(IDENTITY_VARIABLE, "0a/1b").variable(TOKEN_VARIABLE, " token\n");
        let Attempt::Token(found) = PullToken.token(&fake, &Known::default()).unwrap() else { panic!("no token") };
        assert_eq!((found.username.as_str(), found.password.expose()), ("0a/1b", "token"));
    }

    #[test]
    fn half_a_pull_token_is_an_error_that_names_the_other_half() {
        for (there, missing) in [(IDENTITY_VARIABLE, TOKEN_VARIABLE), (TOKEN_VARIABLE, IDENTITY_VARIABLE)] {
            let error =
                PullToken.token(&FakeSystem::default().variable(there, "x-secret"), &Known::default()).unwrap_err();
            assert!(error.to_string().contains(&format!("set {missing} too")), "{error}");
            assert!(!error.to_string().contains("x-secret"));
        }
    }

    #[test]
    fn the_token_variable_serves_only_tokens_for_the_libraries() {
        let ask = |token: &str| {
            TokenVariable.token(&FakeSystem::default().variable(AUTH_TOKEN_VARIABLE, token), &Known::default())
        };
        for audience in [json!(AUDIENCE), json!([AUDIENCE]), json!(["x", "https://libraries.cgr.dev/"])] {
            let token = token_of(&json!({"aud": audience}));
            assert!(matches!(ask(&token), Ok(Attempt::Token(_))), "{audience}");
        }
        for claims in
            [json!({"aud": "https://console-api.enforce.dev"}), json!({}), json!({"aud": 7}), json!({"aud": []})]
        {
            assert!(matches!(ask(&token_of(&claims)), Ok(Attempt::NotConfigured(_))), "{claims}");
        }
        let error = ask("x-secret").unwrap_err();
        assert!(error.to_string().contains(AUTH_TOKEN_VARIABLE) && !error.to_string().contains("x-secret"), "{error}");
    }
}
