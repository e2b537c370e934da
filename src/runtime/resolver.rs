//! Who resolves names for a hub.

use std::sync::Arc;

use crate::hub::{self, Resolve};

/// Returns who resolves the names of hosts for this hub: what
/// [`Builder::resolver`](super::Builder::resolver) was given. `None` where the system does, and
/// where there is no hub.
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
