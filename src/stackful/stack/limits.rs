//! Which limit it was that made the system refuse a stack.

use std::io;

/// Makes the error for a refused stack: it names the limit, and says what to do.
#[cold]
pub(super) fn refusal(size: usize, error: io::Error) -> io::Error {
    let limit = reached(size).map(|limit| format!(" ({limit})")).unwrap_or_default();
    let text = format!(
        "the system refuses a green stack of {size} bytes: {error}{limit}; fewer green threads at a time (a \
         `GreenPool`), smaller stacks, or a higher limit (`ulimit -v`, on Linux also `sysctl vm.max_map_count`) \
         make room"
    );
    io::Error::new(error.kind(), text)
}

/// Names the limit that stands in the way of so many more bytes.
#[cfg(target_os = "linux")]
fn reached(size: usize) -> Option<String> {
    if size > linux::ADDRESS_SPACE {
        return Some("no process has so much address space".to_owned());
    }
    linux::resource(size).or_else(linux::overcommit).or_else(linux::mappings)
}

#[cfg(not(target_os = "linux"))]
fn reached(_size: usize) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use rustix::process::{Resource, getrlimit};

    use super::super::slab::{needed_for, page_size};

    /// The address space of a process on common 64-bit machines.
    pub(super) const ADDRESS_SPACE: usize = 1 << 47;

    /// Checks whether it is one of the process's own limits.
    pub(super) fn resource(size: usize) -> Option<String> {
        let statm = fs::read_to_string("/proc/self/statm").ok()?;
        let pages = |field: usize| statm.split_whitespace().nth(field)?.parse::<usize>().ok();
        [
            ("RLIMIT_AS, `ulimit -v`", Resource::As, 0),
            ("RLIMIT_DATA, `ulimit -d`", Resource::Data, 5),
        ]
        .into_iter()
        .find_map(|(name, resource, field)| {
            let limit = getrlimit(resource).current?;
            let used = pages(field)?.saturating_mul(page_size());
            let exceeded = used.saturating_add(needed_for(size)) as u64 > limit;
            exceeded.then(|| format!("the limit is {name}, of {limit} bytes"))
        })
    }

    pub(super) fn overcommit() -> Option<String> {
        let strict = setting("overcommit_memory")? == "2";
        strict.then(|| "the limit may be `sysctl vm.overcommit_memory`, which is 2".to_owned())
    }

    pub(super) fn mappings() -> Option<String> {
        let most = setting("max_map_count")?;
        Some(format!("the limit may be `sysctl vm.max_map_count`, which is {most}"))
    }

    fn setting(name: &str) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/sys/vm/{name}")).ok()?;
        Some(text.trim().to_owned())
    }
}
