//! The authorities that sign certificates.

use std::io;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls_platform_verifier::Verifier;

use super::pem::Pem;

#[cfg(not(feature = "webpki-roots"))]
#[path = "roots/absent.rs"]
mod mozilla;
#[cfg(feature = "webpki-roots")]
#[path = "roots/mozilla.rs"]
mod mozilla;

/// Reads the authorities of some files.
pub(super) fn read(files: &[Pem]) -> io::Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for file in files {
        for (line, certificate) in file.certificates()? {
            roots.add(certificate).map_err(|error| file.wrong(Some(line), error))?;
        }
    }
    Ok(Arc::new(roots))
}

/// Makes a verifier of servers against some authorities.
pub(super) fn verifier(
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> io::Result<Arc<dyn ServerCertVerifier>> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
    Ok(verifier.map_err(io::Error::other)?)
}

/// Makes a verifier of servers that works as the operating system's.
pub(super) fn system(provider: Arc<CryptoProvider>) -> io::Result<Arc<dyn ServerCertVerifier>> {
    match Verifier::new(Arc::clone(&provider)) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => match mozilla::roots() {
            Some(roots) => verifier(roots, provider),
            None => Err(no_roots(&error)),
        },
    }
}

fn no_roots(error: &rustls::Error) -> io::Error {
    let message = format!(
        "the system has no certificates of authorities to verify a server against ({error}): install them \
         (`ca-certificates`), name a file with `Context::ca_file`, or build with the feature `webpki-roots`"
    );
    io::Error::new(io::ErrorKind::NotFound, message)
}
