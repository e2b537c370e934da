//! Mozilla's authorities, for systems without any.

use std::sync::Arc;

use rustls::RootCertStore;

pub(super) fn roots() -> Option<Arc<RootCertStore>> {
    Some(Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()))
}
