//! Which certificate authorities are trusted.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::{Environment, files};
use crate::error::{Error, Kind, Result};

/// Where a bundle is named, most telling first: what pip's and uv's users set already. The first one
/// that is set replaces the platform's trust store, as it does for those tools.
const BUNDLE_VARIABLES: [&str; 5] = [
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The most bytes a bundle may have. Mozilla's whole list in PEM has about 220 KiB.
const BUNDLE_CAP: usize = 16 * 1024 * 1024;

/// The most files of a directory that are read.
const DIRECTORY_CAP: usize = 4096;

/// Which trust the environment asks for: the bundle's variable and path, or `None` for the platform's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Choice(Option<(&'static str, OsString)>);

impl Choice {
    pub(super) fn from_environment(environment: &Environment) -> Self {
        Self(BUNDLE_VARIABLES.iter().find_map(|&variable| {
            let path = environment.raw(variable)?;
            (!path.is_empty()).then(|| (variable, path.clone()))
        }))
    }

    /// Loads what was chosen. The error names the variable and the file.
    pub(super) fn load(&self) -> Result<RootCerts> {
        let Some((variable, path)) = &self.0 else {
            return Ok(RootCerts::PlatformVerifier);
        };
        let path = Path::new(path);
        let broken = |why: String| {
            Error::new(
                Kind::Configuration,
                format!("{variable} names {}, which {why}", path.display()),
            )
            .with_hint(format!(
                "correct {variable}, or unset it to trust what the system trusts"
            ))
        };
        let metadata = fs::metadata(path).map_err(|error| broken(format!("cannot be read: {}", error.kind())))?;
        let mut certificates = Vec::new();
        if metadata.is_dir() {
            for file in directory_files(path).map_err(|error| broken(format!("cannot be listed: {}", error.kind())))? {
                // A directory of trust holds other things too; only a file that was named must be whole.
                if let Ok(content) = files::read(&file, BUNDLE_CAP) {
                    certificates.extend(parse_pem(&content).filter_map(|item| certificate(item.ok()?)));
                }
            }
        } else {
            let content = files::read(path, BUNDLE_CAP).map_err(|error| broken(format!("cannot be read: {error}")))?;
            for item in parse_pem(&content) {
                let item = item.map_err(|_| broken("is not valid PEM".to_owned()))?;
                certificates.extend(certificate(item));
            }
        }
        if certificates.is_empty() {
            return Err(broken("holds no certificate in PEM form".to_owned()));
        }
        Ok(RootCerts::Specific(Arc::new(certificates)))
    }
}

fn certificate(item: PemItem<'static>) -> Option<Certificate<'static>> {
    match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    }
}

fn directory_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?
        .take(DIRECTORY_CAP)
        .map(|entry| Ok(entry?.path()))
        .collect()
}
