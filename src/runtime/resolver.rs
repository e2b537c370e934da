//! The resolver of a hub.

use std::sync::Arc;

use crate::hub::{self, Resolve};

/// Returns the resolver of this hub, as given to [`Builder::resolver`](super::Builder::resolver).
/// `None` if it is the system's, or if there is no hub.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use eventlet::runtime::{self, Builder, Resolving};
///
/// let here = |_name: &str| -> Resolving { Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) }) };
/// Builder::new().resolver(here).run(async {
///     let resolver = runtime::resolver().unwrap();
///     assert_eq!(resolver.resolve("far.example").await.unwrap(), [Ipv4Addr::LOCALHOST]);
/// }).unwrap();
/// assert!(runtime::resolver().is_none());
/// ```
pub fn resolver() -> Option<Arc<dyn Resolve>> {
    hub::current()?.resolver()
}
