//! The Security Token Service, which exchanges one identity for the access keys of another.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use super::{client::Client, keys::Keys, region::Region};
use crate::{auth::access_token::AccessToken, error::Result, system::System};

/// A role to assume, as a profile or a section of keyringrc.cfg describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its ARN.
    pub(crate) arn: String,
    /// The name of the session in logs of the account; `None` for [`SESSION_NAME`].
    pub(crate) session_name: Option<String>,
    /// What the role may demand of third parties.
    pub(crate) external_id: Option<String>,
    /// How long the session lasts, in seconds; `None` for the role's own.
    pub(crate) duration: Option<u32>,
    /// The device whose codes the role demands.
    pub(crate) mfa_serial: Option<String>,
}

/// The name of a session that nothing else names.
pub(crate) const SESSION_NAME: &str = "ringbearer";

/// Assumes a role with access keys.
pub(crate) fn assume_role(
    system: &dyn System,
    client: &Client,
    region: &Region,
    keys: &Keys,
    role: &Role,
) -> Result<Keys> {
    let _ = (system, client, region, keys, role);
    todo!()
}

/// Assumes a role with the identity token of a workload.
pub(crate) fn assume_role_with_web_identity(
    system: &dyn System,
    client: &Client,
    region: &Region,
    token: &AccessToken,
    role: &Role,
) -> Result<Keys> {
    let _ = (system, client, region, token, role);
    todo!()
}

/// The ARN of the identity that keys belong to.
pub(crate) fn caller(system: &dyn System, client: &Client, region: &Region, keys: &Keys) -> Result<String> {
    let _ = (system, client, region, keys);
    todo!()
}
