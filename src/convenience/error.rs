//! An `io::Error` that says what was being done, and where.

use std::error::Error;
use std::fmt;
use std::io;

/// Adds to an error the operation that failed and its address.
///
/// The kind stays. The error of the operating system, with its number, becomes the source.
pub(super) fn about(doing: &'static str, address: String, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), Failure { doing, address, cause })
}

#[derive(Debug)]
struct Failure {
    doing: &'static str,
    address: String,
    cause: io::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.address, self.cause)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// Replaces the function of that name in `ssl`: without that feature there are no handshakes.
#[cfg(not(feature = "ssl"))]
pub(super) fn is_handshake_error(_: &(dyn Error + 'static)) -> bool {
    false
}
