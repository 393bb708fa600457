//! Workload and workforce identity federation: `external_account`. <https://google.aip.dev/auth/4117>
//!
//! - `subject_token`: the token of another identity provider for this workload
//! - `sts`: exchanges it for an access token

mod sts;
mod subject_token;

use std::path::PathBuf;

use serde::Deserialize;

use self::{
    sts::{Client, Exchange},
    subject_token::{Source, Wanted},
};
use super::impersonation::Impersonation;
use crate::{
    error::Result,
    registry::google::{
        endpoint::{self, Service},
        grant::Grant,
        location::Location,
    },
    secret::Secret,
    system::System,
};

/// The role that lets an identity of a pool impersonate a service account.
const ROLE: &str = "roles/iam.workloadIdentityUser";

/// The longest value of a field that is sent or passed on, in bytes.
const LONGEST: usize = 1024;

/// The credentials.
#[derive(Debug)]
pub(in crate::registry::google) struct ExternalAccount {
    exchange: Exchange,
    source: Source,
    impersonation: Option<Impersonation>,
}

#[derive(Deserialize)]
struct Document {
    audience: Option<String>,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    credential_source: Option<subject_token::Document>,
    service_account_impersonation_url: Option<String>,
    service_account_impersonation: Option<ImpersonationOptions>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    workforce_pool_user_project: Option<String>,
}

#[derive(Deserialize)]
struct ImpersonationOptions {
    token_lifetime_seconds: Option<u64>,
}

impl ExternalAccount {
    /// Reads the document. The addresses in it are checked, since another person may have written it.
    pub(super) fn read(document: &[u8], location: &Location) -> Result<Self> {
        let document: Document = serde_json::from_slice(document)
            .map_err(|_| location.broken("is not an external_account of the form that Google documents"))?;
        let required = |field: &str, value: Option<String>| {
            value.filter(|value| is_word(value)).ok_or_else(|| location.broken(&format!("has no usable {field}")))
        };
        let optional = |field: &str, value: Option<String>| match value.filter(|value| !value.is_empty()) {
            Some(value) => required(field, Some(value)).map(Some),
            None => Ok(None),
        };
        let source = document.credential_source.ok_or_else(|| location.broken("has no credential_source"))?;
        // Before `token_url`, which is another host for sign-ins with a client certificate.
        let source = Source::read(source, location)?;
        let token_url = required("token_url", document.token_url)?;
        let token_url = endpoint::checked(Service::SecurityToken, "token_url", &token_url)
            .map_err(|error| location.refused(&error))?;
        let client = optional("client_id", document.client_id)?.map(|id| Client { id, secret: document.client_secret });
        let exchange = Exchange {
            token_url,
            audience: required("audience", document.audience)?,
            subject_token_type: required("subject_token_type", document.subject_token_type)?,
            client,
            user_project: optional("workforce_pool_user_project", document.workforce_pool_user_project)?,
        };
        let lifetime = document.service_account_impersonation.and_then(|options| options.token_lifetime_seconds);
        let impersonation = match document.service_account_impersonation_url.filter(|address| !address.is_empty()) {
            Some(address) => Some(Impersonation::read(&address, Vec::new(), lifetime, location)?),
            None => None,
        };
        Ok(Self { exchange, source, impersonation })
    }

    /// The file whose content says which workload this is, if the credentials name one.
    pub(super) fn subject_file(&self) -> Option<PathBuf> {
        self.source.file()
    }

    /// Exchanges the identity of this workload for an access token, of a service account if the document names one.
    pub(super) fn grant(&self, system: &dyn System, location: &Location) -> Result<Grant> {
        let open_ahead = || self.impersonation.iter().for_each(|impersonation| impersonation.open_ahead(system));
        let is_asked = self.source.is_service();
        if is_asked {
            system.open_ahead(&self.exchange.token_url, None);
            open_ahead();
        }
        let account = self.impersonation.as_ref().map(Impersonation::account);
        let Exchange { audience, subject_token_type, .. } = &self.exchange;
        let subject = self.source.token(system, &Wanted { audience, subject_token_type, account }, location)?;
        if !is_asked {
            open_ahead();
        }
        let federated = self.exchange.send(system, &subject)?;
        let may_change_unnoticed = self.source.is_program();
        Ok(match &self.impersonation {
            Some(impersonation) => Grant {
                token: impersonation.exchange(system, &federated, ROLE)?,
                account: Some(impersonation.account().to_owned()),
                may_change_unnoticed,
            },
            None => Grant { token: federated, account: Some(self.exchange.provider()), may_change_unnoticed },
        })
    }
}

/// Whether a text is one word of printable ASCII, so that a header and a variable can carry it.
fn is_word(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
