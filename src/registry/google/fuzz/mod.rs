//! The fuzz targets of Google's credentials.
//!
//! - `sts`: the answers of the services that an external account asks in turn

mod sts;

pub use self::sts::google_sts;
