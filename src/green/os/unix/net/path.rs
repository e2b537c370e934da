//! Addresses as paths.

use std::borrow::Cow;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// Returns the path that names a socket for Tokio.
pub(super) fn path_of(addr: &SocketAddr) -> io::Result<Cow<'_, Path>> {
    match addr.as_pathname() {
        Some(path) => Ok(Cow::Borrowed(path)),
        None => abstract_path(addr).map(Cow::Owned).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the address of an unnamed socket leads nowhere",
            )
        }),
    }
}

/// Writes an abstract address as Tokio does: after a zero byte.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_path(addr: &SocketAddr) -> Option<std::path::PathBuf> {
    use std::ffi::OsString;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStringExt;

    let name = addr.as_abstract_name()?;
    Some(OsString::from_vec([b"\0", name].concat()).into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_path(_: &SocketAddr) -> Option<std::path::PathBuf> {
    None
}
