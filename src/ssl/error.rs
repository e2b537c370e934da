//! Why a handshake failed.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{CertificateError, Error as TlsError, InvalidMessage};

/// The error of a handshake, inside the [`io::Error`] that a stream gives.
///
/// Any client can cause one, so [`serve`](crate::serve()) passes it to `tracing` at DEBUG, and does
/// not report it as a failure of the handler.
#[derive(Debug)]
pub struct HandshakeError {
    cause: io::Error,
    /// The message, with a hint.
    message: String,
}

impl HandshakeError {
    /// Wraps what the handshake failed with. The kind stays.
    pub(super) fn wrap(cause: io::Error) -> io::Error {
        let mut message = format!("TLS handshake failed: {cause}");
        if let Some(cure) = cause.get_ref().and_then(|error| error.downcast_ref()).and_then(cure) {
            message = format!("{message} ({cure})");
        }
        io::Error::new(cause.kind(), HandshakeError { cause, message })
    }

    /// Repeats an error for later uses of the stream.
    pub(super) fn repeat(kind: io::ErrorKind, message: &str) -> io::Error {
        io::Error::new(kind, HandshakeError { cause: kind.into(), message: message.to_owned() })
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for HandshakeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

fn cure(error: &TlsError) -> Option<&'static str> {
    match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Some("if its issuer is to be trusted, name it with `Context::ca_file`")
        }
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            Some("the peer does not speak TLS on this port")
        }
        _ => None,
    }
}

/// Returns whether an error is that of a failed handshake.
pub(crate) fn is_handshake_error(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let is_one =
        error.is::<HandshakeError>() || inner.is_some_and(|inner| inner.is::<HandshakeError>());
    is_one || error.source().is_some_and(is_handshake_error)
}
