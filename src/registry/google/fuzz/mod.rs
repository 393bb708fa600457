//! The fuzz targets of Google's credentials.

mod gcloud;

pub use self::gcloud::google_gcloud;
