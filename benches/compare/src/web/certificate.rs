//! The certificate of the servers that speak TLS.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::whole::loader::Opening;

const NAME: &str = "localhost";

/// Where the certificate and its key are: beside this program, so in Cargo's target directory.
pub(super) fn path() -> PathBuf {
    let this = std::env::current_exe().expect("this program knows where it is");
    this.with_file_name("eventlet-compare-tls.pem")
}

/// Makes a certificate, once for each run.
pub(super) fn make() -> io::Result<()> {
    static MADE: OnceLock<()> = OnceLock::new();
    if MADE.get().is_none() {
        let made =
            rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
        fs::write(path(), made.cert.pem() + &made.signing_key.serialize_pem())?;
        MADE.get_or_init(|| ());
    }
    Ok(())
}

/// Reads what was made.
pub(super) fn read() -> io::Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let certificate = CertificateDer::from_pem_file(path()).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(path()).map_err(io::Error::other)?;
    Ok((certificate, key))
}

/// How a client meets a server that shows it.
pub(super) fn opening() -> io::Result<Opening> {
    let mut roots = RootCertStore::empty();
    roots.add(read()?.0).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Opening::Tls(Arc::new(config), ServerName::try_from(NAME).expect("it is a name")))
}
