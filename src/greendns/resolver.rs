//! Resolves names: numeric ones, those of the hosts file, and by name servers.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::future::join;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::config::Config;
use super::error::{about, unresolved};
use super::hosts::Hosts;
use super::servers::servers;
use crate::resolve;
use crate::runtime::{Resolve, Resolving};

/// Which addresses are requested.
///
/// Corresponds to `AF_UNSPEC`, `AF_INET` and `AF_INET6`.
///
/// # Examples
///
/// ```
/// use eventlet::greendns::Family;
///
/// assert_eq!(Family::default(), Family::Any);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Both, IPv6 first.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn has(self, ip: &IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }
}

/// Resolves names by name servers, caches their answers, and shares one query among concurrent
/// lookups.
///
/// A clone is the same resolver. Hubs may share one; each keeps answers of its own.
///
/// Corresponds to eventlet's `ResolverProxy`.
///
/// # Examples
///
/// ```
/// use eventlet::greendns::{Config, Family, Resolver};
/// use eventlet::runtime::Builder;
///
/// let resolver = Resolver::new(Config::system());
/// Builder::new().resolver(resolver.clone()).run(async move {
///     let ips = resolver.resolve("127.0.0.1", Family::Any).await.unwrap();
///     assert_eq!(ips, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct Resolver {
    config: Arc<Config>,
    hosts: Arc<Hosts>,
}

impl Resolver {
    /// Makes a resolver. Nothing is asked yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::greendns::{Config, Resolver};
    ///
    /// let mut config = Config::system();
    /// config.ndots = 2;
    /// let _resolver = Resolver::new(config);
    /// ```
    pub fn new(config: Config) -> Resolver {
        Resolver { hosts: Arc::new(Hosts::new(&config.hosts)), config: Arc::new(config) }
    }

    /// Finds the addresses of a name, of one family or both.
    ///
    /// Corresponds to eventlet's `resolve`.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, if name servers have to be asked. A hub is in one.
    ///
    /// # Yields
    ///
    /// Until name servers have answered; not at all when the answer is known.
    ///
    /// # Killed
    ///
    /// The query is dropped at once, unless others wait for the same answer.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no such name, or no address of this family;
    /// [`TimedOut`](ErrorKind::TimedOut) if no server answered in time;
    /// [`InvalidInput`](ErrorKind::InvalidInput) for an invalid name; another, with the name
    /// server's message, if that failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::greendns::{Config, Family, Resolver};
    ///
    /// # eventlet::run(async {
    /// let resolver = Resolver::new(Config::system());
    /// let ips = resolver.resolve("localhost", Family::V4).await.unwrap();
    /// assert!(ips[0].is_loopback());
    /// # });
    /// ```
    pub async fn resolve(&self, name: &str, family: Family) -> io::Result<Vec<IpAddr>> {
        match self.known(name, family)? {
            Some(ips) => Ok(ips),
            None => self.asked(name, family).await,
        }
    }

    /// Finds addresses that need no query.
    fn known(&self, name: &str, family: Family) -> io::Result<Option<Vec<IpAddr>>> {
        if let Ok(ip) = name.parse::<IpAddr>() {
            let none = "it is an address of the other family";
            let fits = family.has(&ip).then(|| Some(vec![ip]));
            return fits.ok_or_else(|| about(name, ErrorKind::NotFound, none));
        }
        let hosts = self.hosts.entries();
        let found = hosts.addresses(name).iter().copied().filter(|ip| family.has(ip));
        let found = ipv6_first(found.collect());
        Ok((!found.is_empty()).then_some(found))
    }

    async fn asked(&self, name: &str, family: Family) -> io::Result<Vec<IpAddr>> {
        let of_kind = async |kind| Ok(addresses(&self.search(name, kind).await?.1));
        let found = match family {
            Family::V4 => of_kind(RecordType::A).await?,
            Family::V6 => of_kind(RecordType::AAAA).await?,
            Family::Any => match join(of_kind(RecordType::AAAA), of_kind(RecordType::A)).await {
                (Ok(v6), Ok(v4)) => [v6, v4].concat(),
                (Ok(one), Err(_)) | (Err(_), Ok(one)) => one,
                (Err(one), Err(other)) => return Err(worse(one, other)),
            },
        };
        let none = "the name has no address of the requested family";
        let found = (!found.is_empty()).then_some(found);
        found.ok_or_else(|| about(name, ErrorKind::NotFound, none))
    }

    /// Tries the names that a text may stand for one by one, as the C library does, until one has
    /// an answer or no server answers. Returns that name, too.
    async fn search(&self, text: &str, kind: RecordType) -> io::Result<(Name, Lookup)> {
        let mut failure = None;
        for name in self.config.candidates(text)? {
            let error = match self.ask(&name, kind).await {
                Ok(found) => return Ok((name, found)),
                Err(error) => unresolved(text, &error),
            };
            if error.kind() == ErrorKind::TimedOut {
                return Err(error);
            }
            failure = Some(match failure {
                Some(earlier) => worse(earlier, error),
                None => error,
            });
        }
        Err(failure.unwrap_or_else(|| about(text, ErrorKind::InvalidInput, "it is not a name")))
    }

    async fn ask(
        &self,
        name: &Name,
        kind: RecordType,
    ) -> Result<Lookup, hickory_resolver::ResolveError> {
        servers(&self.config).ask(name, kind).await
    }

    /// Finds the addresses of a name, and gives each the port.
    ///
    /// Corresponds to eventlet's `getaddrinfo` with `AF_UNSPEC`; for one family there is
    /// [`resolve`](Resolver::resolve).
    ///
    /// # Panics, Yields, Killed, Errors
    ///
    /// As for [`resolve`](Resolver::resolve). An address with an interface, such as `fe80::1%eth0`,
    /// is parsed by the system, without a query.
    ///
    /// # Examples
    ///
    /// See [`getaddrinfo`](super::getaddrinfo).
    pub async fn getaddrinfo(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if resolve::is_for_system(host) {
            return resolve::lookup_in_system(host, port).await;
        }
        let ips = self.resolve(host, Family::Any).await?;
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// Finds an IPv4 address of a name.
    ///
    /// Corresponds to eventlet's `gethostbyname`.
    ///
    /// # Panics, Yields, Killed, Errors
    ///
    /// As for [`resolve`](Resolver::resolve).
    ///
    /// # Examples
    ///
    /// See [`gethostbyname`](super::gethostbyname).
    pub async fn gethostbyname(&self, host: &str) -> io::Result<Ipv4Addr> {
        let found = self.ipv4(host).await?;
        found.first().copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn ipv4(&self, host: &str) -> io::Result<Vec<Ipv4Addr>> {
        let found = self.resolve(host, Family::V4).await?;
        Ok(found.into_iter().filter_map(as_ipv4).collect())
    }

    /// Finds the canonical name of a host, its aliases and its IPv4 addresses.
    ///
    /// Corresponds to eventlet's `gethostbyname_ex`.
    ///
    /// # Panics, Yields, Killed, Errors
    ///
    /// As for [`resolve`](Resolver::resolve).
    ///
    /// # Examples
    ///
    /// See [`gethostbyname_ex`](super::gethostbyname_ex).
    pub async fn gethostbyname_ex(
        &self,
        host: &str,
    ) -> io::Result<(String, Vec<String>, Vec<Ipv4Addr>)> {
        let ips = self.ipv4(host).await?;
        let mut names = self.names(host).await?;
        let canonical = names.pop().unwrap_or_else(|| host.to_owned());
        Ok((canonical, names, ips))
    }

    /// Finds the canonical name of a host: the end of its `CNAME` records, or the first in its line
    /// of the hosts file.
    ///
    /// Corresponds to eventlet's `resolve_cname`.
    ///
    /// # Panics, Yields, Killed, Errors
    ///
    /// As for [`resolve`](Resolver::resolve).
    ///
    /// # Examples
    ///
    /// See [`resolve_cname`](super::resolve_cname).
    pub async fn resolve_cname(&self, host: &str) -> io::Result<String> {
        Ok(self.names(host).await?.pop().unwrap_or_else(|| host.to_owned()))
    }

    /// Finds the aliases from this name to its canonical name, excluding this one and including
    /// that.
    ///
    /// Corresponds to eventlet's `getaliases`.
    ///
    /// # Panics, Yields, Killed, Errors
    ///
    /// As for [`resolve`](Resolver::resolve).
    ///
    /// # Examples
    ///
    /// See [`getaliases`](super::getaliases).
    pub async fn getaliases(&self, host: &str) -> io::Result<Vec<String>> {
        let names = self.names(host).await?;
        Ok(names.into_iter().filter(|name| !name.eq_ignore_ascii_case(host)).collect())
    }

    /// The names of a host, the canonical one last. An address has none.
    async fn names(&self, host: &str) -> io::Result<Vec<String>> {
        if host.parse::<IpAddr>().is_ok() {
            return Ok(Vec::new());
        }
        let known = self.hosts.entries().names_beside(host);
        if !known.is_empty() {
            return Ok(known.into_iter().rev().collect());
        }
        let (name, found) = self.search(host, RecordType::A).await?;
        Ok(chain(&name, &found))
    }

    /// Finds the name of an address, and gives the port as text. An address without a name is given
    /// in numbers.
    ///
    /// Corresponds to eventlet's `getnameinfo`.
    ///
    /// # Panics, Yields, Killed
    ///
    /// As for [`resolve`](Resolver::resolve).
    ///
    /// # Errors
    ///
    /// As for [`resolve`](Resolver::resolve), but a missing name is not an error.
    ///
    /// # Differences
    ///
    /// There are no flags, and services have no names. Both families have names.
    ///
    /// # Examples
    ///
    /// See [`getnameinfo`](super::getnameinfo).
    pub async fn getnameinfo(&self, addr: SocketAddr) -> io::Result<(String, String)> {
        let ip = addr.ip().to_canonical();
        let name = match self.name_of(ip).await {
            Err(error) if error.kind() == ErrorKind::NotFound => ip.to_string(),
            name => name?,
        };
        Ok((name, addr.port().to_string()))
    }

    async fn name_of(&self, ip: IpAddr) -> io::Result<String> {
        if let Some(name) = self.hosts.entries().names(ip).first() {
            return Ok(name.clone());
        }
        let text = ip.to_string();
        let found = self.ask(&Name::from(ip), RecordType::PTR).await;
        let found = found.map_err(|error| unresolved(&text, &error))?;
        let mut names = found.iter().filter_map(RData::as_ptr).map(|name| without_dot(&name.0));
        names.next().ok_or_else(|| about(&text, ErrorKind::NotFound, "it has no name"))
    }
}

fn addresses(found: &Lookup) -> Vec<IpAddr> {
    found.iter().filter_map(RData::ip_addr).collect()
}

fn as_ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

/// Keeps the order within each family.
fn ipv6_first(mut ips: Vec<IpAddr>) -> Vec<IpAddr> {
    ips.sort_by_key(IpAddr::is_ipv4);
    ips
}

/// `NotFound` is returned only if all agree.
fn worse(one: io::Error, other: io::Error) -> io::Error {
    if one.kind() == ErrorKind::NotFound { other } else { one }
}

/// The names from the one that was asked for to the one that has the records.
fn chain(name: &Name, found: &Lookup) -> Vec<String> {
    let mut names = vec![name];
    while let Some(next) = alias(found, names[names.len() - 1]) {
        if names.contains(&next) {
            break;
        }
        names.push(next);
    }
    names.into_iter().map(without_dot).collect()
}

fn alias<'a>(found: &'a Lookup, name: &Name) -> Option<&'a Name> {
    found.record_iter().filter(|record| record.name() == name).find_map(|record| {
        let alias = record.data().as_cname()?;
        Some(&alias.0)
    })
}

fn without_dot(name: &Name) -> String {
    let name = name.to_utf8();
    name.strip_suffix('.').map(str::to_owned).unwrap_or(name)
}

impl Resolve for Resolver {
    fn resolve(&self, name: &str) -> Resolving {
        let (resolver, name) = (self.clone(), name.to_owned());
        Box::pin(async move { resolver.resolve(&name, Family::Any).await })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("config", &self.config).finish_non_exhaustive()
    }
}
