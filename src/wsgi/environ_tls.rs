//! The client's certificates in the environ.

use super::environ::Environ;
use crate::ssl::CertificateDer;

impl Environ {
    /// Returns the client's chain of certificates, its own first. Clients show one if the server's
    /// context [requires](crate::ssl::Context::require_client_cert) it. Only connections over TCP
    /// and Unix sockets have one here.
    ///
    /// Corresponds to `getpeercert` of the socket that `Input.get_socket` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// async fn whoami(env: Environ) -> String {
    ///     match env.peer_certificates() {
    ///         Some([own, ..]) => format!("a certificate of {} bytes", own.len()),
    ///         _ => "nobody".to_owned(),
    ///     }
    /// }
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(whoami, "GET /").await, "nobody");
    /// # });
    /// ```
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.0.connection.session.get()?.peer_certificates()
    }
}
