//! Who is compared, exactly.

use std::collections::BTreeMap;
use std::process::Command;

use crate::peer::Peer;

/// What this program was built from.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// Returns the versions of all that take part, by the names that people read.
pub(crate) fn versions(guests: &[(Peer, String)]) -> BTreeMap<String, String> {
    let crates = [
        "axum",
        "corosensei",
        "eventlet",
        "futures",
        "hyper",
        "may",
        "smol",
        "tokio",
        "tokio-rustls",
        "tokio-tungstenite",
    ];
    let mut versions: BTreeMap<String, String> =
        crates.iter().filter_map(|name| Some((name.to_string(), locked(name)?))).collect();
    versions.insert("rustc".to_owned(), env!("RUSTC_VERSION").to_owned());
    versions
        .extend(guests.iter().map(|(peer, version)| (peer.title().to_owned(), version.clone())));
    if let Some(commit) = commit() {
        versions
            .entry("eventlet".to_owned())
            .and_modify(|version| version.push_str(&format!(" at {commit}")));
    }
    versions
}

fn locked(name: &str) -> Option<String> {
    let package =
        LOCK.split("[[package]]").find(|text| text.contains(&format!("\nname = \"{name}\"\n")))?;
    let line = package.lines().find(|line| line.starts_with("version = "))?;
    Some(line.trim_start_matches("version = ").trim_matches('"').to_owned())
}

/// The commit of the sources, where there is a repository.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_that_is_a_crate_has_a_version() {
        let versions = versions(&[(Peer::Go, "1.22".to_owned())]);
        for name in ["axum", "eventlet", "tokio", "may", "smol", "futures", "rustc", "Go"] {
            assert!(versions[name].starts_with(|first: char| first.is_ascii_digit()), "{name}");
        }
    }
}
