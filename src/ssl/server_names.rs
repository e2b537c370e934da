//! The certificate that a server shows for each name.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of a server, by the name that a client asks for (SNI).
#[derive(Debug)]
pub(super) struct ServerNames {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl ServerNames {
    pub(super) fn new(default: Arc<CertifiedKey>) -> ServerNames {
        ServerNames { default, by_name: HashMap::new() }
    }

    pub(super) fn add(&mut self, name: &str, certificate: Arc<CertifiedKey>) {
        self.by_name.insert(name.to_ascii_lowercase(), certificate);
    }

    /// Finds the certificate of a name, or else of `*.` and the name without its first label.
    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let wildcard = || name.split_once('.').map(|(_first, rest)| format!("*.{rest}"));
        self.by_name.get(&name).or_else(|| self.by_name.get(&wildcard()?))
    }
}

impl ResolvesServerCert for ServerNames {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = match hello.server_name() {
            Some(name) if !self.by_name.is_empty() => self.find(name),
            _ => None,
        };
        Some(Arc::clone(named.unwrap_or(&self.default)))
    }
}
