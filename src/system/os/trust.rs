//! Which certificate authorities are trusted.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::RootCertStore;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::{Environment, files};
use crate::error::{Error, Kind, Result};

/// Where a bundle is named, most telling first: what pip's and uv's users set already. The first one
/// that is set replaces the platform's trust store, as it does for those tools.
const BUNDLE_VARIABLES: [&str; 5] =
    ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", DIRECTORIES_VARIABLE];

/// The variable that may name several directories.
const DIRECTORIES_VARIABLE: &str = "SSL_CERT_DIR";

/// The most bytes a bundle may have. Mozilla's whole list in PEM has about 220 KiB.
const BUNDLE_CAP: usize = 16 * 1024 * 1024;

/// The most files of a directory that are read.
const DIRECTORY_CAP: usize = 4096;

/// Where Linux distributions keep the whole of what the system trusts in one file, in the order of OpenSSL's `probe`s.
/// <https://docs.rs/openssl-probe>
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Which trust is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Choice {
    /// A bundle, by the variable and the path.
    Named(&'static str, OsString),
    /// The system's bundle: on Linux the platform's verifier reads it too, and then each of its certificates once more,
    /// a file each, which takes longer than all the rest of a look-up.
    SystemBundle,
    /// What the platform trusts.
    Platform,
}

impl Choice {
    pub(super) fn from_environment(environment: &Environment) -> Self {
        let named = BUNDLE_VARIABLES.iter().find_map(|&variable| {
            let path = environment.raw(variable)?;
            (!path.is_empty()).then(|| Self::Named(variable, path.clone()))
        });
        named.unwrap_or(if cfg!(target_os = "linux") { Self::SystemBundle } else { Self::Platform })
    }

    /// What trusts more than this does, if that did not suffice: somebody may have put a certificate beside the bundle.
    pub(super) fn wider(&self) -> Option<Self> {
        (*self == Self::SystemBundle).then_some(Self::Platform)
    }

    /// Loads what was chosen. The error names the variable and the file.
    pub(super) fn load(&self) -> Result<RootCerts> {
        let (variable, value) = match self {
            Self::Named(variable, value) => (variable, value),
            Self::SystemBundle => {
                let found = SYSTEM_BUNDLES.iter().find_map(|path| read(Path::new(path)).ok());
                return Ok(found.map_or(RootCerts::PlatformVerifier, |found| RootCerts::Specific(Arc::new(found))));
            }
            Self::Platform => return Ok(RootCerts::PlatformVerifier),
        };
        let mut certificates = Vec::new();
        let mut broken = None;
        for path in paths(variable, value) {
            match read(&path) {
                Ok(found) => certificates.extend(found),
                Err(why) => broken = Some(format!("{variable} names {}, which {why}", path.display())),
            }
        }
        // In a list of directories, OpenSSL passes over those that are not there.
        if certificates.is_empty() {
            let message = broken.unwrap_or_else(|| format!("{variable} names no directory"));
            return Err(Error::new(Kind::Configuration, message)
                .with_hint(format!("correct {variable}, or unset it to trust what the system trusts")));
        }
        Ok(RootCerts::Specific(Arc::new(certificates)))
    }
}

/// SSL_CERT_DIR may be a list of directories, as OpenSSL has it; the others name one file or directory.
fn paths(variable: &str, value: &OsString) -> Vec<PathBuf> {
    if variable == DIRECTORIES_VARIABLE {
        std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect()
    } else {
        vec![PathBuf::from(value)]
    }
}

/// The certificates of a file or directory, or what is wrong with it.
fn read(path: &Path) -> std::result::Result<Vec<Certificate<'static>>, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut certificates = Vec::new();
    if metadata.is_dir() {
        for file in directory_files(path).map_err(|error| format!("cannot be listed: {error}"))? {
            // A directory of trust holds other things too; only a file that was named must be whole.
            if let Ok(content) = files::read(&file, BUNDLE_CAP) {
                certificates.extend(parse_pem(&content).filter_map(|item| certificate(item.ok()?)));
            }
        }
    } else {
        let content = files::read(path, BUNDLE_CAP).map_err(|error| format!("cannot be read: {error}"))?;
        for item in parse_pem(&content) {
            certificates.extend(certificate(item.map_err(|_| "is not valid PEM")?));
        }
    }
    // The verifier passes in silence over what it cannot read (an old list may hold some of it), so that
    // something must be left for it.
    let is_readable = |certificate: &Certificate<'_>| RootCertStore::empty().add(certificate.der().into()).is_ok();
    if certificates.iter().any(is_readable) {
        Ok(certificates)
    } else {
        Err("holds no certificate in PEM form".to_owned())
    }
}

fn certificate(item: PemItem<'static>) -> Option<Certificate<'static>> {
    match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    }
}

fn directory_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.take(DIRECTORY_CAP).map(|entry| Ok(entry?.path())).collect()
}
