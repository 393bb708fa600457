//! The trusted certificate authorities.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::RootCertStore;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::{Environment, files};
use crate::{
    error::{Error, Kind, Result},
    system::{http::CaBundle, io_message},
};

/// The variables that name a CA bundle, highest priority first: those of pip, uv and curl. The first one that is set
/// replaces the platform's trust store, as it does for those tools.
const BUNDLE_VARIABLES: [&str; 5] =
    ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", DIRECTORIES_VARIABLE];

/// The variable that may hold a list of directories.
const DIRECTORIES_VARIABLE: &str = "SSL_CERT_DIR";

/// The largest CA bundle accepted, in bytes. Mozilla's whole list in PEM has about 220 KiB.
const BUNDLE_CAP: usize = 16 * 1024 * 1024;

/// The most files read from a directory.
const DIRECTORY_CAP: usize = 4096;

/// The system's CA bundle in Linux distributions, in the order of the crate `openssl-probe`.
/// <https://docs.rs/openssl-probe>
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A source of trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TrustStore {
    /// A CA bundle: the variable that names it, and its path.
    Named(&'static str, OsString),
    /// The system's CA bundle on Linux. The platform verifier reads it too, and then a file per certificate, which takes
    /// longer than the rest of a lookup.
    SystemBundle,
    /// The platform verifier.
    Platform,
}

impl TrustStore {
    /// That of a request, or else the one that the environment names.
    pub(super) fn of(ca_bundle: Option<&CaBundle>, environment: &Environment) -> Self {
        ca_bundle.map_or_else(
            || Self::from_environment(environment),
            |bundle| Self::Named(bundle.named_by, bundle.path.clone().into_os_string()),
        )
    }

    fn from_environment(environment: &Environment) -> Self {
        let named = BUNDLE_VARIABLES.iter().find_map(|&variable| {
            let path = environment.raw(variable)?;
            (!path.is_empty()).then(|| Self::Named(variable, path.clone()))
        });
        named.unwrap_or(if cfg!(target_os = "linux") { Self::SystemBundle } else { Self::Platform })
    }

    /// The larger trust store to try if this one rejects a certificate: the system may trust certificates beside its
    /// bundle.
    pub(super) fn wider(&self) -> Option<Self> {
        (*self == Self::SystemBundle).then_some(Self::Platform)
    }

    /// Loads the certificates. The error names the variable and the file.
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
        // OpenSSL skips missing directories of a list.
        if certificates.is_empty() {
            let message = broken.unwrap_or_else(|| format!("{variable} names no directory"));
            return Err(Error::new(Kind::Configuration, message)
                .with_hint(format!("correct {variable}, or unset it to use the system's trust store")));
        }
        Ok(RootCerts::Specific(Arc::new(certificates)))
    }
}

/// The paths in a variable: SSL_CERT_DIR may be a list, as in OpenSSL; the others name one file or directory.
fn paths(variable: &str, value: &OsString) -> Vec<PathBuf> {
    if variable == DIRECTORIES_VARIABLE {
        std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect()
    } else {
        vec![PathBuf::from(value)]
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {}", io_message(error))
}

/// Reads the certificates of a file or directory. The error completes a sentence whose subject is the path.
fn read(path: &Path) -> std::result::Result<Vec<Certificate<'static>>, String> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    let mut certificates = Vec::new();
    if metadata.is_dir() {
        for file in directory_files(path).map_err(|error| format!("cannot be listed: {}", io_message(&error)))? {
            // A directory may hold other files too; only a file that is named must be valid.
            if let Ok(content) = files::read(&file, BUNDLE_CAP) {
                certificates.extend(parse_pem(&content).filter_map(|item| certificate(item.ok()?)));
            }
        }
    } else {
        let content = files::read(path, BUNDLE_CAP).map_err(|error| unreadable(&error))?;
        for item in parse_pem(&content) {
            certificates.extend(certificate(item.map_err(|_| "is not valid PEM")?));
        }
    }
    // The verifier silently skips certificates that it cannot parse, as old bundles may hold, so at least one must parse.
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

fn directory_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.take(DIRECTORY_CAP).map(|entry| Ok(entry?.path())).collect()
}
