//! Resolves the names of hosts by asking name servers, without an OS thread for each.
//!
//! By default [`connect`](crate::connect) and `green::net` ask the system's `getaddrinfo`, which
//! knows all that the system is configured to know, and takes an OS thread for each name. A program
//! with thousands of names, as a crawler, asks for this instead:
//!
//! | for | call |
//! |---|---|
//! | all names of this hub | [`install`] |
//! | all names of a new hub | [`Builder::resolver`](crate::runtime::Builder::resolver) with a [`Resolver`] |
//! | one name | [`getaddrinfo`], [`gethostbyname`], [`gethostbyname_ex`], [`getnameinfo`], [`resolve`], [`resolve_cname`], [`getaliases`] |
//!
//! # How a name is resolved
//!
//! - Addresses in numbers never leave the process. Those that only the system understands, as
//!   `fe80::1%eth0` and `127.1`, are for the system.
//! - `/etc/hosts` comes first. A change to it is seen within ten seconds.
//! - Then name servers are asked as `/etc/resolv.conf` says: `nameserver`, `search`, `ndots`,
//!   `timeout`, `attempts`, `rotate`. A line that is broken is skipped with a warning; without a
//!   server, that of this machine is asked. A name with a dot at its end is absolute. A truncated
//!   answer is asked for again by TCP.
//! - Both families are asked at once, and one that fails does not spoil the other. IPv6 comes
//!   first.
//! - Names in other scripts are encoded (IDNA).
//! - Answers are kept as long as they say, no more than 1,024 of them, and those that say no for 30
//!   seconds at most.
//! - Who asks for a name that is being asked for already waits for the same answer. A question that
//!   everybody gave up is gone at once: it has no OS thread, and its socket is closed.
//! - No more than 128 questions are asked at a time; others wait in line.
//! - A question that nobody answers costs what `resolv.conf` says, the wait in line included:
//!   `timeout` for each server and each of the `attempts`. 10 seconds are usual. It ends the
//!   lookup, whatever else could be searched.
//!
//! Corresponds to `eventlet.support.greendns`.
//!
//! # Differences
//!
//! Eventlet uses greendns wherever dnspython is installed, and its users were surprised by names
//! that the system knows and it does not: those of mDNS, LDAP and other modules of `nsswitch.conf`.
//! So it is asked for here.
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
