//! The addresses that a host's name has: the one place where names are resolved.
//!
//! [`connect`](crate::connect), [`listen`](crate::listen) and `green::net` call this. It uses the
//! hub's resolver, [`Builder::resolver`](crate::runtime::Builder::resolver), or else the system.
//!
//! The system's `getaddrinfo` blocks an OS thread, for ten seconds and more if a name server is
//! silent. So lookups have OS threads of their own, which all hubs share: they and closures of
//! `spawn_blocking`, calls of `green::fs` and jobs of `tpool` do not delay each other, and an
//! ending hub waits for no lookup. A cancelled one keeps its OS thread until it is answered.

#[cfg(not(feature = "test-util"))]
#[path = "clock_free.rs"]
mod clock;
#[cfg(feature = "test-util")]
#[path = "clock_held.rs"]
mod clock;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::hub::{self, Resolving};
use crate::tpool::{Pool, execute_on};
use crate::uninterruptible::{self, What};

/// How many names can be looked up at a time.
const LOOKUPS: usize = 64;

/// How long an OS thread waits for the next lookup.
const IDLE: Duration = Duration::from_secs(10);

static POOL: LazyLock<Arc<Pool>> =
    LazyLock::new(|| Pool::new("eventlet-lookup", LOOKUPS).leave_after(IDLE).into());

/// Looks up the addresses of a host, and gives each the port: by the hub's resolver if it has one,
/// else by the system's.
pub(crate) async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let Some(resolving) = ask_resolver_of_hub(host) else {
        return lookup_in_system(host, port).await;
    };
    let ips = resolving.await?;
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

fn ask_resolver_of_hub(host: &str) -> Option<Resolving> {
    if is_for_system(host) {
        return None;
    }
    let resolver = hub::current()?.resolver()?;
    Some(resolver.resolve(host))
}

/// Whether a host is a numeric address that only the system parses, such as `fe80::1%eth0` or
/// `127.1`. It needs no query.
pub(crate) fn is_for_system(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or(host);
    let in_numbers = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    host.contains('%') || in_numbers && host.parse::<IpAddr>().is_err()
}

/// Asks `getaddrinfo`.
///
/// # Killed
///
/// A lookup that has not begun never does. One that has begun goes on in its OS thread, and its
/// answer is dropped.
pub(crate) async fn lookup_in_system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = host.to_owned();
    let system = move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
    in_turn(host, system).await
}

/// Makes a call for the addresses of a host when there is an OS thread for it.
async fn in_turn<T: Send + 'static>(host: &str, system: impl FnOnce() -> T + Send + 'static) -> T {
    let asked = uninterruptible::ask(What::Lookup(host.to_owned()));
    let call = asked.call();
    let _held = clock::hold();
    execute_on(Arc::clone(&POOL), move || call.make(system)).await
}

/// Looks up `host:port`.
pub(crate) async fn lookup_text(text: &str) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = split(text)?;
    lookup(host, port).await
}

/// Splits a host from its port, with `std`'s error messages.
fn split(text: &str) -> io::Result<(&str, u16)> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let (host, port) = text.rsplit_once(':').ok_or_else(|| invalid("invalid socket address"))?;
    Ok((host, port.parse().map_err(|_| invalid("invalid port value"))?))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::greenthread::{sleep, spawn};
    use crate::runtime::run;
    use crate::timeout::with_timeout;

    /// A silent name server delays no other lookup.
    #[test]
    fn lookups_that_do_not_end_hold_up_other_lookups_and_nothing_else() {
        let (begun, has_begun) = channel();
        let (answer, waits_for_answer) = channel::<()>();
        let waits_for_answer = Arc::new(std::sync::Mutex::new(waits_for_answer));
        let silent = move || {
            let (begun, answer) = (begun.clone(), Arc::clone(&waits_for_answer));
            move || {
                begun.send(()).unwrap();
                let _disconnected = answer.lock().map(|answer| answer.recv());
            }
        };
        run(async move {
            let lookups: Vec<_> =
                (0..600).map(|_| spawn(in_turn("silent.example", silent()))).collect();
            sleep(Duration::ZERO).await;
            (0..LOOKUPS).for_each(|_| has_begun.recv().unwrap());

            assert!(with_timeout(Duration::from_millis(1), lookup("localhost", 80)).await.is_err());
            assert_eq!(tokio::task::spawn_blocking(|| 42).await.unwrap(), 42);
            assert_eq!(crate::tpool::execute(|| 42).await, 42);

            drop(lookups);
            assert!(has_begun.try_recv().is_err(), "no more than so many at a time");
        });
        // The hub has ended, though all of them still go on.
        drop(answer);
        assert!(run(async { lookup("localhost", 80).await }).is_ok());
    }

    #[cfg(feature = "test-util")]
    #[test]
    fn a_paused_clock_waits_for_a_lookup() {
        crate::waiters::stepping::paused(async {
            let limit = Duration::from_secs(60);
            assert!(with_timeout(limit, lookup("localhost", 80)).await.unwrap().is_ok());
        });
    }

    #[test]
    fn numbers_that_only_the_system_understands_are_for_it() {
        for (host, is) in [
            ("fe80::1%lo", true),
            ("127.1", true),
            ("2130706433", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("one2", false),
            ("7.example", false),
            ("", false),
        ] {
            assert_eq!(is_for_system(host), is, "{host}");
        }
    }

    #[test]
    fn a_text_is_parted_as_std_does() {
        assert_eq!(split("localhost:80").unwrap(), ("localhost", 80));
        for text in ["localhost", "localhost:", "localhost:http", "localhost:65536"] {
            let (ours, stds) = (split(text).unwrap_err(), text.to_socket_addrs().unwrap_err());
            assert_eq!((ours.kind(), ours.to_string()), (stds.kind(), stds.to_string()));
        }
    }
}
