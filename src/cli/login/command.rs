//! The options of `ringbearer login` and `ringbearer logout`.

use crate::{cli::arguments::Arguments, error::Result, registry::sign_in::Method};

/// A command about logins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LoginCommand {
    /// Sign in.
    SignIn(SignInOptions),
    /// List the logins.
    List {
        /// As JSON.
        json: bool,
    },
    /// Forget logins.
    SignOut {
        /// The account; `None` for all.
        account: Option<String>,
    },
}

/// How to sign in, and for which index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SignInOptions {
    /// The index's URL, instead of the first one in the settings of tools.
    pub(in crate::cli) url: Option<String>,
    /// The method; `None` for the best one here.
    pub(in crate::cli) method: Option<Method>,
    /// Another tenant than that of the index.
    pub(in crate::cli) tenant: Option<String>,
    /// The account that is expected.
    pub(in crate::cli) account: Option<String>,
    /// Whether the password is asked for again.
    pub(in crate::cli) is_fresh: bool,
    /// Whether the steps are printed as JSON.
    pub(in crate::cli) json: bool,
}

impl LoginCommand {
    /// Reads `login`.
    pub(in crate::cli) fn read_login(arguments: &Arguments) -> Result<Self> {
        let url = arguments.operand("URL").map(|url| arguments.as_text(&url)).transpose()?;
        let json = arguments.has("json");
        let refuse = |one: &str, other: &str| Err(arguments.usage_error(&format!("{one} cannot be used with {other}")));
        if arguments.has("list") {
            if url.is_some() {
                return refuse("--list", "URL");
            }
            let others = ["browser", "device-code", "tenant", "account", "fresh"];
            return match others.into_iter().find(|option| arguments.has(option)) {
                Some(option) => refuse("--list", &format!("--{option}")),
                None => Ok(Self::List { json }),
            };
        }
        let method = match (arguments.has("browser"), arguments.has("device-code")) {
            (true, true) => return refuse("--browser", "--device-code"),
            (true, false) => Some(Method::Browser),
            (false, true) => Some(Method::DeviceCode),
            (false, false) => None,
        };
        Ok(Self::SignIn(SignInOptions {
            url,
            method,
            tenant: arguments.text("tenant")?,
            account: arguments.text("account")?,
            is_fresh: arguments.has("fresh"),
            json,
        }))
    }

    /// Reads `logout`.
    pub(in crate::cli) fn read_logout(arguments: &Arguments) -> Result<Self> {
        Ok(Self::SignOut { account: arguments.text("account")? })
    }
}
