//! Resolves the names of hosts by asking name servers, without an OS thread for each.
//!
//! By default [`connect`](crate::connect) and `green::net` call the system's `getaddrinfo`, which
//! uses every source that the system is configured with, and takes an OS thread for each name. A
//! program with thousands of names, such as a crawler, can use this instead:
//!
//! | for | call |
//! |---|---|
//! | all names of this hub | [`install`] |
//! | all names of a new hub | [`Builder::resolver`](crate::runtime::Builder::resolver) with a [`Resolver`] |
//! | one name | [`getaddrinfo`], [`gethostbyname`], [`gethostbyname_ex`], [`getnameinfo`], [`resolve`], [`resolve_cname`], [`getaliases`] |
//!
//! # How a name is resolved
//!
//! - Numeric addresses never leave the process. Those that only the system parses, such as
//!   `fe80::1%eth0` and `127.1`, go to the system.
//! - `/etc/hosts` comes first. A change to it is noticed within ten seconds.
//! - Then name servers are asked as `/etc/resolv.conf` says: `nameserver`, `search`, `ndots`,
//!   `timeout`, `attempts`, `rotate`. A malformed line is skipped with a warning; without a server,
//!   that of this machine is asked. A name with a trailing dot is absolute. A truncated answer is
//!   requested again by TCP.
//! - Both families are queried at once, and the failure of one does not affect the other. IPv6
//!   comes first.
//! - Names in other scripts are encoded (IDNA).
//! - Answers are cached for their TTL, at most 1,024 of them, and negative ones for at most 30
//!   seconds.
//! - Lookups of one name at the same time share one query. A query whose waiters have all gone is
//!   dropped at once: it has no OS thread, and its socket is closed.
//! - At most 128 queries are sent at a time; others wait in a queue.
//! - A query that no server answers takes what `resolv.conf` says, the wait in the queue included:
//!   `timeout` for each server and each of the `attempts`, usually 10 seconds. That ends the
//!   lookup, even if other names could be searched.
//!
//! Corresponds to `eventlet.support.greendns`.
//!
//! # Differences
//!
//! Eventlet uses greendns wherever dnspython is installed, and its users were surprised by names
//! that only the system resolves: those of mDNS, LDAP and other modules of `nsswitch.conf`. So here
//! it is opt-in.
//!
//! # Examples
//!
//! ```
//! use eventlet::greendns;
//!
//! # eventlet::run(async {
//! greendns::install();
//! let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
//! let port = listener.local_addr().unwrap().port();
//! eventlet::connect(("localhost", port)).await.unwrap();
//! # });
//! ```

mod config;
mod error;
mod functions;
mod hosts;
mod resolver;
mod servers;
mod system;

pub use config::Config;
pub use functions::{
    getaddrinfo, getaliases, gethostbyname, gethostbyname_ex, getnameinfo, is_ip_addr,
    is_ipv4_addr, is_ipv6_addr, resolve, resolve_cname,
};
pub use resolver::{Family, Resolver};
pub use system::{install, reset};
