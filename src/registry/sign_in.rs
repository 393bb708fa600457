//! Signing a person in to a registry, with a browser or a device code: `ringbearer login`.

use std::time::{Duration, SystemTime};

use crate::{error::Result, registry::Credential, service::Service, system::System};

/// A registry that people sign in to without another program.
pub(crate) trait SignIn {
    /// Signs in, checks that the service accepts the account, and keeps the login. `show` takes each step as it happens.
    ///
    /// The login is kept even if the service refuses the account: the error says so.
    fn sign_in(&self, system: &dyn System, wanted: &Wanted<'_>, show: &mut dyn FnMut(&Step<'_>)) -> Result<SignedIn>;

    /// Why no lookup may start a sign-in for a service, by the registry's own variables, in a clause; `None` if one may.
    fn never_prompts(&self, system: &dyn System) -> Option<String>;

    /// Whether the user has signed in for this service, or for another of its organisation, before.
    fn has_approved(&self, system: &dyn System, service: &Service) -> bool;

    /// The kept logins, newest first. Reads no secret.
    fn logins(&self, system: &dyn System) -> Result<Vec<Login>>;

    /// Forgets the logins of an account, or all. Returns those that it forgot.
    fn sign_out(&self, system: &dyn System, account: Option<&str>) -> Result<Vec<Login>>;
}

/// How to sign in, and for which service.
pub(crate) struct Wanted<'all> {
    /// The index, which names organisation and tenant.
    pub(crate) service: &'all Service,
    /// The method; `None` for the best one here.
    pub(crate) method: Option<Method>,
    /// Another tenant than that of the index.
    pub(crate) tenant: Option<&'all str>,
    /// The account that is expected.
    pub(crate) account: Option<&'all str>,
    /// Whether the password is asked for again.
    pub(crate) is_fresh: bool,
    /// Whether it is an error if no place can keep the login. Otherwise such a login serves once.
    pub(crate) must_be_kept: bool,
}

/// The method of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A browser on this machine.
    Browser,
    /// A code to type into a browser on any machine.
    DeviceCode,
}

/// A step of a sign-in, to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<'all> {
    /// It begins.
    Begins {
        /// The index, by host and organisation.
        index: &'all str,
        /// The organisation.
        organisation: &'all str,
        /// The tenant.
        tenant: &'all str,
    },
    /// The page to open in a browser here. `is_opened` says whether a browser was started.
    Browser {
        /// The page.
        url: &'all str,
        /// The port that the browser is redirected to.
        port: u16,
        /// Whether a browser was started.
        is_opened: bool,
    },
    /// The page to open in any browser, and the code to type.
    Code {
        /// The page.
        url: &'all str,
        /// The code.
        code: &'all str,
        /// How long the code is valid.
        expires_in: Duration,
    },
    /// It waits for the person.
    Waits {
        /// The time left.
        remaining: Duration,
    },
}

/// A sign-in that succeeded.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// The login.
    pub(crate) login: Login,
    /// The credential for the service.
    pub(crate) credential: Credential,
}

/// A login, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The account: a user name such as `ada@contoso.example`.
    pub(crate) account: String,
    /// The organisations that the person signed in for.
    pub(crate) organisations: Vec<String>,
    /// Where the refresh token is kept, in a phrase; `None` if it is not kept.
    pub(crate) kept_in: Option<String>,
    /// When the person signed in.
    pub(crate) signed_in: SystemTime,
    /// How long the login lasts, in a clause.
    pub(crate) life: String,
}
