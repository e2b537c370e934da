//! The resolver with the settings of the system's files.

use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use super::config::Config;
use super::resolver::Resolver;
use crate::hub;
use crate::runtime::{Resolve, Resolving};

/// Eventlet's `greendns.resolver`: made when it is first needed, and again after a [`reset`].
static RESOLVER: Mutex<Option<Resolver>> = Mutex::new(None);

/// Makes this hub resolve names here from now on: those of [`connect`](crate::connect),
/// [`listen`](crate::listen) and `green::net`.
///
/// With the environment variable `EVENTLET_NO_GREENDNS` set to `yes`, nothing changes.
///
/// Corresponds to importing eventlet where dnspython is installed.
///
/// # Panics
///
/// If there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// eventlet::greendns::install();
/// # });
/// ```
#[track_caller]
pub fn install() {
    let hub = hub::expect("installing greendns");
    if env::var("EVENTLET_NO_GREENDNS").is_ok_and(|no| no.eq_ignore_ascii_case("yes")) {
        tracing::debug!("greendns is not installed, as EVENTLET_NO_GREENDNS says");
        return;
    }
    let ask = |name: &str| -> Resolving { Resolve::resolve(&resolver(), name) };
    hub.set_resolver(Some(Arc::new(ask)));
}

/// Forgets all answers, and reads the system's files again.
///
/// Corresponds to eventlet's `reset`.
///
/// # Examples
///
/// ```
/// eventlet::greendns::reset();
/// ```
pub fn reset() {
    *RESOLVER.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

pub(super) fn resolver() -> Resolver {
    let mut resolver = RESOLVER.lock().unwrap_or_else(PoisonError::into_inner);
    resolver.get_or_insert_with(|| Resolver::new(Config::system())).clone()
}
