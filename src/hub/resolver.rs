//! Who resolves the names of hosts instead of the system.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The future of the addresses that a name has: what [`Resolve::resolve`] returns.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name, for [`Builder::resolver`](crate::runtime::Builder::resolver).
///
/// Closures from a name to a [`Resolving`] are resolvers. With the feature `greendns`, so is
/// `greendns::Resolver`.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use eventlet::runtime::{Builder, Resolving};
///
/// // Whatever the name, it is this machine.
/// let here = |_name: &str| -> Resolving { Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) }) };
/// Builder::new().resolver(here).run(async {
///     let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
///     let port = listener.local_addr().unwrap().port();
///     eventlet::connect(("far.example", port)).await.unwrap();
/// }).unwrap();
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// Finds the addresses of a name. They are tried in this order.
    ///
    /// # Killed
    ///
    /// The future is dropped, and should leave nothing behind.
    ///
    /// # Errors
    ///
    /// When there is no such name, or nobody knows: the error becomes that of `connect`.
    fn resolve(&self, name: &str) -> Resolving;
}

impl<F: Fn(&str) -> Resolving + Send + Sync + 'static> Resolve for F {
    fn resolve(&self, name: &str) -> Resolving {
        self(name)
    }
}
