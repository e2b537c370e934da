//! The settings of `resolv.conf`.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use hickory_resolver::Name;
use hickory_resolver::config::{
    NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::proto::xfer::Protocol;
use resolv_conf::ScopedIp;
use tracing::{debug, warn};

use super::error::about;

/// The port of name servers.
const PORT: u16 = 53;

/// How many answers are kept.
const CACHED: usize = 1024;

/// How long a negative answer is kept.
const NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// Which name servers a [`Resolver`](super::Resolver) asks, and how.
///
/// Corresponds to the `nameservers`, `search` and so on of a `dns.resolver.Resolver`.
///
/// # Examples
///
/// ```
/// use eventlet::greendns::Config;
///
/// let mut config = Config::parse("nameserver 192.0.2.1\nsearch example.com\noptions ndots:2 rotate");
/// assert_eq!(config.name_servers, ["192.0.2.1:53".parse().unwrap()]);
/// assert_eq!(config.search, ["example.com"]);
/// assert_eq!((config.ndots, config.rotate), (2, true));
///
/// config.name_servers = vec!["127.0.0.1:5353".parse().unwrap()];
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The servers to ask. There is no limit to their number.
    pub name_servers: Vec<SocketAddr>,
    /// The domains that are appended to names with few dots.
    pub search: Vec<String>,
    /// The number of dots from which on a name is first tried as it is.
    pub ndots: usize,
    /// How long a server may take to answer. The whole wait is at most this, times the attempts,
    /// times the servers.
    pub timeout: Duration,
    /// How many times each server is asked.
    pub attempts: usize,
    /// Whether servers take turns, instead of always starting with the first.
    pub rotate: bool,
    /// The hosts file, whose names are known without asking a server.
    pub hosts: PathBuf,
}

impl Config {
    /// Reads the system's `/etc/resolv.conf`. If that cannot be read, the name server of this
    /// machine is asked.
    ///
    /// # Yields
    ///
    /// Never: the file is small.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!eventlet::greendns::Config::system().name_servers.is_empty());
    /// ```
    pub fn system() -> Config {
        let path = "/etc/resolv.conf";
        let text = fs::read(path).unwrap_or_else(|error| {
            warn!("cannot read {path}: {error}");
            Vec::new()
        });
        Config::parse(text)
    }

    /// Parses the text of a `resolv.conf`. A line that cannot be parsed is skipped with a warning.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::greendns::Config;
    ///
    /// let config = Config::parse("nameserver nobody\nnonsense\n");
    /// assert_eq!(config.name_servers, ["127.0.0.1:53".parse().unwrap()]);
    /// ```
    pub fn parse(text: impl AsRef<[u8]>) -> Config {
        let (parsed, errors) = resolv_conf::Config::parse_with_errors(text.as_ref());
        for error in errors {
            warn!("skipped in resolv.conf: {error}");
        }
        let mut name_servers: Vec<_> = parsed.nameservers.iter().filter_map(name_server).collect();
        if name_servers.is_empty() {
            name_servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        }
        Config {
            name_servers,
            search: parsed.get_last_search_or_domain().cloned().collect(),
            ndots: parsed.ndots as usize,
            timeout: Duration::from_secs(parsed.timeout.max(1).into()),
            attempts: parsed.attempts.max(1) as usize,
            rotate: parsed.rotate,
            hosts: PathBuf::from("/etc/hosts"),
        }
    }

    pub(super) fn for_hickory(&self) -> (ResolverConfig, ResolverOpts) {
        let mut config = ResolverConfig::new();
        for server in &self.name_servers {
            config.add_name_server(NameServerConfig::new(*server, Protocol::Udp));
            config.add_name_server(NameServerConfig::new(*server, Protocol::Tcp));
        }
        (config, self.options())
    }

    /// The whole wait for a query that no server answers.
    pub(super) fn limit(&self) -> Duration {
        let times = self.attempts.max(1).saturating_mul(self.name_servers.len().max(1));
        self.timeout.saturating_mul(times.try_into().unwrap_or(u32::MAX))
    }

    /// The absolute names that a text may stand for, in the order in which they are tried.
    pub(super) fn candidates(&self, text: &str) -> io::Result<Vec<Name>> {
        let name = parse(text)?;
        if name.is_fqdn() || name.is_localhost() {
            return Ok(vec![absolute(name)]);
        }
        let search = self.search.iter().filter_map(|domain| {
            let name = parse(domain).and_then(|domain| {
                let too_long = |_| about(text, ErrorKind::InvalidInput, "the name is too long");
                name.clone().append_domain(&domain).map_err(too_long)
            });
            name.inspect_err(|error| debug!("{domain:?} is not searched: {error}")).ok()
        });
        let mut names: Vec<Name> = search.map(absolute).collect();
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        let at = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(at, absolute(name));
        Ok(names)
    }

    fn options(&self) -> ResolverOpts {
        let mut options = ResolverOpts::default();
        options.timeout = self.timeout;
        // It counts the retries.
        options.attempts = self.attempts.saturating_sub(1);
        options.num_concurrent_reqs = 1;
        options.server_ordering_strategy = match self.rotate {
            true => ServerOrderingStrategy::RoundRobin,
            false => ServerOrderingStrategy::UserProvidedOrder,
        };
        options.cache_size = CACHED;
        options.negative_max_ttl = Some(NEGATIVE_TTL);
        // Ours notices changes, and can be another file.
        options.use_hosts_file = ResolveHosts::Never;
        options
    }
}

fn name_server(ip: &ScopedIp) -> Option<SocketAddr> {
    // The system knows which number an interface has.
    let addr = (ip.to_string(), PORT).to_socket_addrs().map(|mut addrs| addrs.next());
    addr.inspect_err(|error| warn!("skipped in resolv.conf: name server {ip}: {error}")).ok()?
}

/// Non-ASCII names are encoded.
fn parse(text: &str) -> io::Result<Name> {
    let name = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
    let name = name.map_err(|error| about(text, ErrorKind::InvalidInput, &error.to_string()))?;
    // Hickory takes `a..b` for `a.b`.
    let is_name = name.iter().next().is_some() && !text.contains("..");
    is_name.then_some(name).ok_or_else(|| about(text, ErrorKind::InvalidInput, "it is not a name"))
}

fn absolute(mut name: Name) -> Name {
    name.set_fqdn(true);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_may_be_at_an_interface() {
        let config = Config::parse("nameserver fe80::1%lo\nnameserver fe80::1%nonexistent\n");
        let [SocketAddr::V6(addr)] = config.name_servers[..] else { panic!("{config:?}") };
        assert_ne!(addr.scope_id(), 0);
    }

    #[test]
    fn what_takes_no_time_or_is_never_tried_is_not_believed() {
        let config = Config::parse("nameserver ::1\nnameserver ::2\noptions timeout:0 attempts:0");
        assert_eq!((config.timeout, config.attempts), (Duration::from_secs(1), 1));
        assert_eq!(config.limit(), Duration::from_secs(2));
        assert_eq!(Config::parse("").limit(), Duration::from_secs(10));
    }

    #[test]
    fn the_root_is_searched_once() {
        let names = Config::parse("search . one.test").candidates("host").unwrap();
        let names: Vec<_> = names.iter().map(Name::to_ascii).collect();
        assert_eq!(names, ["host.one.test.", "host."]);
    }
}
