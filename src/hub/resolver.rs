//! A resolver of host names in place of the system's.

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
/// // Every name resolves to this machine.
/// let here = |_name: &str| -> Resolving { Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) }) };
/// Builder::new().resolver(here).run(async {
///     let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
///     let port = listener.local_addr().unwrap().port();
///     eventlet::connect(("far.example", port)).await.unwrap();
/// }).unwrap();
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// Finds the addresses of a name. The caller tries them in this order.
    ///
    /// # Killed
    ///
    /// The future is dropped, and should leave nothing behind.
    ///
    /// # Errors
    ///
    /// If there is no such name, or it could not be found out: the error becomes that of `connect`.
    fn resolve(&self, name: &str) -> Resolving;
}

impl<F: Fn(&str) -> Resolving + Send + Sync + 'static> Resolve for F {
    fn resolve(&self, name: &str) -> Resolving {
        self(name)
    }
}
