//! What the numbers were measured on.

use std::fs;

use nix::sys::utsname::uname;
use serde::{Deserialize, Serialize};

use crate::cores::{self, Cores};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    pub(crate) governor: String,
    pub(crate) virtual_machine: bool,
    /// Whether servers and loader had a core each.
    pub(crate) pinned: bool,
}

impl Machine {
    pub(crate) fn this() -> Machine {
        let cpus = read("/proc/cpuinfo");
        let flags = field(&cpus, "flags").unwrap_or_default();
        Machine {
            cpu: field(&cpus, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: cores::count(),
            memory: memory(),
            kernel: kernel(),
            governor: governor(),
            virtual_machine: flags.split_whitespace().any(|flag| flag == "hypervisor"),
            pinned: Cores::choose().is_some(),
        }
    }

    /// One line for people.
    pub(crate) fn sentence(&self) -> String {
        let Machine { cpu, cores, memory, kernel, governor, .. } = self;
        let kind = if self.virtual_machine { ", virtual" } else { "" };
        format!("{cpu}{kind}, {cores} cores, {memory}, {kernel}, governor {governor}")
    }
}

fn kernel() -> String {
    uname().map_or_else(
        |_| "unknown".to_owned(),
        |name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
    )
}

fn governor() -> String {
    let text = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    if text.is_empty() { "not shown".to_owned() } else { text.trim().to_owned() }
}

fn memory() -> String {
    let kilobytes = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map_or_else(
        || "unknown".to_owned(),
        |total| format!("{:.0} GiB", total / (1 << 20) as f64),
    )
}

/// Returns the resident memory of a process in bytes, counted page by page.
///
/// `VmRSS` in `status` is a sum of counters that lag behind by up to 64 pages for each core.
pub(crate) fn resident(process: u32) -> u64 {
    let text = read(&format!("/proc/{process}/smaps_rollup"));
    let kilobytes = field(&text, "Rss")
        .and_then(|rss| rss.trim_end_matches("kB").trim().parse::<u64>().ok())
        .expect("Linux tells the memory of a process of ours");
    kilobytes * 1024
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Returns the value in the first line of the form `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line =
        text.lines().find(|line| line.split(':').next().is_some_and(|n| n.trim() == name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "cpu family\t: 6\nmodel name\t: A: B\nmodel\t\t: 7\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A: B"));
        assert_eq!(field(text, "model").as_deref(), Some("7"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn memory_of_this_process_grows_with_what_it_touches() {
        let before = resident(std::process::id());
        let touched = std::hint::black_box(vec![1_u8; 32 << 20]);
        assert!(resident(std::process::id()) >= before + touched.len() as u64 / 2);
    }
}
