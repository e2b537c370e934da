//! Eventlet's functions, over the system's resolver.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::resolver::Family;
use super::system::resolver;

/// Finds the addresses of a name, and gives each the port.
///
/// Corresponds to eventlet's `greendns.getaddrinfo`; see
/// [`Resolver::getaddrinfo`](super::Resolver::getaddrinfo).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let addrs = eventlet::greendns::getaddrinfo("127.0.0.1", 80).await.unwrap();
/// assert_eq!(addrs, ["127.0.0.1:80".parse().unwrap()]);
/// # });
/// ```
pub async fn getaddrinfo(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    resolver().getaddrinfo(host, port).await
}

/// Finds the addresses of a name, of one family or both.
///
/// Corresponds to eventlet's `greendns.resolve`; see
/// [`Resolver::resolve`](super::Resolver::resolve).
///
/// # Examples
///
/// ```
/// use eventlet::greendns::{Family, resolve};
///
/// # eventlet::run(async {
/// assert!(resolve("::1", Family::V6).await.unwrap()[0].is_loopback());
/// assert!(resolve("::1", Family::V4).await.is_err());
/// # });
/// ```
pub async fn resolve(host: &str, family: Family) -> io::Result<Vec<IpAddr>> {
    resolver().resolve(host, family).await
}

/// Finds an IPv4 address of a name.
///
/// Corresponds to eventlet's `greendns.gethostbyname`; see
/// [`Resolver::gethostbyname`](super::Resolver::gethostbyname).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let ip = eventlet::greendns::gethostbyname("127.0.0.2").await.unwrap();
/// assert_eq!(ip.to_string(), "127.0.0.2");
/// # });
/// ```
pub async fn gethostbyname(host: &str) -> io::Result<Ipv4Addr> {
    resolver().gethostbyname(host).await
}

/// Finds the canonical name of a host, its aliases and its IPv4 addresses.
///
/// Corresponds to eventlet's `greendns.gethostbyname_ex`; see
/// [`Resolver::gethostbyname_ex`](super::Resolver::gethostbyname_ex).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let (name, aliases, ips) = eventlet::greendns::gethostbyname_ex("127.0.0.1").await.unwrap();
/// assert_eq!((name.as_str(), aliases.len(), ips.len()), ("127.0.0.1", 0, 1));
/// # });
/// ```
pub async fn gethostbyname_ex(host: &str) -> io::Result<(String, Vec<String>, Vec<Ipv4Addr>)> {
    resolver().gethostbyname_ex(host).await
}

/// Finds the canonical name of a host.
///
/// Corresponds to eventlet's `greendns.resolve_cname`; see
/// [`Resolver::resolve_cname`](super::Resolver::resolve_cname).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// assert_eq!(eventlet::greendns::resolve_cname("127.0.0.1").await.unwrap(), "127.0.0.1");
/// # });
/// ```
pub async fn resolve_cname(host: &str) -> io::Result<String> {
    resolver().resolve_cname(host).await
}

/// Finds the aliases from this name to its canonical name.
///
/// Corresponds to eventlet's `greendns.getaliases`; see
/// [`Resolver::getaliases`](super::Resolver::getaliases).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// assert!(eventlet::greendns::getaliases("127.0.0.1").await.unwrap().is_empty());
/// # });
/// ```
pub async fn getaliases(host: &str) -> io::Result<Vec<String>> {
    resolver().getaliases(host).await
}

/// Finds the name of an address, and gives the port as text.
///
/// Corresponds to eventlet's `greendns.getnameinfo`; see
/// [`Resolver::getnameinfo`](super::Resolver::getnameinfo).
///
/// # Examples
///
/// ```
/// # eventlet::run(async {
/// let local = "127.0.0.1:80".parse().unwrap();
/// let (_name, port) = eventlet::greendns::getnameinfo(local).await.unwrap();
/// assert_eq!(port, "80");
/// # });
/// ```
pub async fn getnameinfo(addr: SocketAddr) -> io::Result<(String, String)> {
    resolver().getnameinfo(addr).await
}

/// Whether a text is an address, of either family.
///
/// Corresponds to eventlet's `greendns.is_ip_addr`.
///
/// # Examples
///
/// ```
/// use eventlet::greendns::is_ip_addr;
///
/// assert!(is_ip_addr("::1") && is_ip_addr("127.0.0.1") && !is_ip_addr("localhost"));
/// ```
pub fn is_ip_addr(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Whether a text is an IPv4 address.
///
/// Corresponds to eventlet's `greendns.is_ipv4_addr`.
///
/// # Examples
///
/// ```
/// use eventlet::greendns::is_ipv4_addr;
///
/// assert!(is_ipv4_addr("127.0.0.1") && !is_ipv4_addr("::1"));
/// ```
pub fn is_ipv4_addr(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok()
}

/// Whether a text is an IPv6 address.
///
/// Corresponds to eventlet's `greendns.is_ipv6_addr`.
///
/// # Examples
///
/// ```
/// use eventlet::greendns::is_ipv6_addr;
///
/// assert!(is_ipv6_addr("::1") && !is_ipv6_addr("127.0.0.1"));
/// ```
pub fn is_ipv6_addr(host: &str) -> bool {
    host.parse::<Ipv6Addr>().is_ok()
}
