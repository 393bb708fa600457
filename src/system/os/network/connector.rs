//! Tells an error of the connection to a proxy from one of the connection through it.

use std::fmt;

use ureq::{
    http::Uri,
    unversioned::transport::{ConnectionDetails, Connector, DefaultConnector},
};

/// ureq's connector, which calls itself to connect to a proxy.
#[derive(Debug)]
pub(super) struct LabellingConnector {
    connector: DefaultConnector,
    proxy: Option<Uri>,
}

impl LabellingConnector {
    /// The connector of an agent with this proxy.
    pub(super) fn new(proxy: Option<&ureq::Proxy>) -> Self {
        Self { connector: DefaultConnector::default(), proxy: proxy.map(|proxy| proxy.uri().clone()) }
    }
}

impl Connector for LabellingConnector {
    type Out = <DefaultConnector as Connector>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        let result = self.connector.connect(details, chained);
        if details.config.proxy().is_none() && self.proxy.as_ref() == Some(details.uri) {
            return result.map_err(|error| ureq::Error::Other(Box::new(AtProxy(error))));
        }
        result
    }
}

/// An error of the connection to the proxy.
#[derive(Debug)]
pub(super) struct AtProxy(pub(super) ureq::Error);

impl fmt::Display for AtProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no connection to the proxy")
    }
}

impl std::error::Error for AtProxy {}
