//! The file of names that are known without asking.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tracing::warn;

/// How long a change to the file may go unseen.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Checks the file from time to time, and reads it if it has changed.
pub(super) struct Hosts {
    path: PathBuf,
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    at: Instant,
    modified: Option<SystemTime>,
    entries: Arc<Entries>,
}

impl Hosts {
    pub(super) fn new(path: &Path) -> Hosts {
        Hosts { path: path.to_owned(), seen: Mutex::new(None) }
    }

    pub(super) fn entries(&self) -> Arc<Entries> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(seen) = seen.as_mut() {
            if now.duration_since(seen.at) < LOOK_AGAIN {
                return Arc::clone(&seen.entries);
            }
            seen.at = now;
            if seen.modified == modified(&self.path) {
                return Arc::clone(&seen.entries);
            }
        }
        let modified = modified(&self.path);
        let entries = Arc::new(self.read());
        *seen = Some(Seen { at: now, modified, entries: Arc::clone(&entries) });
        entries
    }

    fn read(&self) -> Entries {
        match fs::read(&self.path) {
            Ok(text) => Entries::parse(&String::from_utf8_lossy(&text)),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!("cannot read {}: {error}", self.path.display());
                }
                Entries::default()
            }
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// What the file says.
#[derive(Default)]
pub(super) struct Entries {
    addresses: HashMap<String, Vec<IpAddr>>,
    /// The names of each address: the canonical one first.
    names: HashMap<IpAddr, Vec<String>>,
}

impl Entries {
    fn parse(text: &str) -> Entries {
        let mut entries = Entries::default();
        for line in text.lines() {
            let line = line.split_once('#').map_or(line, |(line, _comment)| line);
            let mut words = line.split_whitespace();
            // `fe80::1%eth0` is left to the system.
            let Some(Ok(ip)) = words.next().map(str::parse::<IpAddr>) else { continue };
            for name in words {
                entries.add(ip, name);
            }
        }
        entries
    }

    fn add(&mut self, ip: IpAddr, name: &str) {
        let addresses = self.addresses.entry(key(name)).or_default();
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
        let names = self.names.entry(ip).or_default();
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }

    pub(super) fn addresses(&self, name: &str) -> &[IpAddr] {
        self.addresses.get(&key(name)).map_or(&[], Vec::as_slice)
    }

    /// The canonical one first.
    pub(super) fn names(&self, ip: IpAddr) -> &[String] {
        self.names.get(&ip).map_or(&[], Vec::as_slice)
    }

    /// All names of a name's address, the canonical one first.
    pub(super) fn names_beside(&self, name: &str) -> Vec<String> {
        self.addresses(name).first().map_or_else(Vec::new, |ip| self.names(*ip).to_vec())
    }
}

/// Case does not matter, nor does the dot of an absolute name.
fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_as_the_system_does() {
        let entries = Entries::parse(
            "# 192.0.2.9 comment\n192.0.2.1\tOne.example one # two\n\n::1 one\nnonsense two\n\
             192.0.2.1 uno\nfe80::1%lo scoped\n",
        );
        let ips = |name| entries.addresses(name).iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(ips("one"), ["192.0.2.1", "::1"]);
        assert_eq!(ips("ONE.example."), ["192.0.2.1"]);
        for name in ["two", "comment", "scoped", "other"] {
            assert!(ips(name).is_empty(), "{name}");
        }
        assert_eq!(entries.names("192.0.2.1".parse().unwrap()), ["One.example", "one", "uno"]);
        assert_eq!(entries.names_beside("uno"), ["One.example", "one", "uno"]);
    }
}
