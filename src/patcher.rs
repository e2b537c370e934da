//! Which parts of libc are patched, so that waits of unmodified code suspend their green thread.
//!
//! The crate `eventlet-shim` patches them. A library need not depend on it to ask.
//!
//! Corresponds to `eventlet.patcher`.
//!
//! # Not here
//!
//! `import_patched` and `inject`: libc's functions are replaced in the whole program, so there is
//! no module that could be imported twice. `monkey_patch` and `original` are in `eventlet-shim`.

use std::sync::atomic::{AtomicU32, Ordering};

/// A group of functions of libc that are patched together: eventlet's keywords of `monkey_patch`.
///
/// # Examples
///
/// ```
/// use eventlet::patcher::Area;
///
/// assert!(Area::ALL.contains(&Area::Socket));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Area {
    /// Reading, writing, connecting and accepting.
    Socket,
    /// Looking names up.
    Dns,
    /// `poll`, `select`, `epoll_wait`.
    Select,
    /// Sleeping.
    Time,
    /// Pipes and terminals, opening FIFOs, locks of files, waiting for signals.
    Os,
    /// Locks of `std`, and other code that waits with futexes through libc's `syscall`.
    Thread,
    /// Waiting for child processes.
    Subprocess,
    /// Reading, writing and syncing regular files, in OS threads. Patched only where it is named.
    File,
}

impl Area {
    /// All of them.
    pub const ALL: [Area; 8] = [
        Area::Socket,
        Area::Dns,
        Area::Select,
        Area::Time,
        Area::Os,
        Area::Thread,
        Area::Subprocess,
        Area::File,
    ];

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The patched areas, a bit for each.
static PATCHED: AtomicU32 = AtomicU32::new(0);

/// Returns whether an area is patched: whether a wait by its functions on a green stack suspends
/// the green thread instead of blocking the OS thread. It costs one load.
///
/// Corresponds to `eventlet.patcher.is_monkey_patched`.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// For a library that is called on green stacks and reads from a socket of `std`:
///
/// ```
/// # #[cfg(feature = "stackful")] {
/// use std::io::{self, Read};
/// use std::net::TcpStream;
///
/// use eventlet::patcher::{Area, is_monkey_patched};
/// use eventlet::{Block, stackful, tpool};
///
/// fn read_all(mut socket: TcpStream) -> io::Result<String> {
///     let mut read = move || {
///         let mut text = String::new();
///         socket.read_to_string(&mut text).map(|_| text)
///     };
///     match is_monkey_patched(Area::Socket) {
///         true => read(),
///         false => tpool::execute(read).block(),
///     }
/// }
/// # use std::io::Write;
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// # let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
/// # listener.accept().unwrap().0.write_all(b"hello").unwrap();
///
/// assert_eq!(eventlet::run(stackful(|| read_all(socket))).unwrap(), "hello");
/// # }
/// ```
#[inline]
pub fn is_monkey_patched(area: Area) -> bool {
    PATCHED.load(Ordering::Relaxed) & area.bit() != 0
}

/// Records that an area is patched, or no longer is. It patches nothing: it is for the crate that
/// does. It may be called in the child of a `fork`, and in a signal handler.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::patcher::{Area, is_monkey_patched, note_patched};
///
/// note_patched(Area::Dns, true);
/// assert!(is_monkey_patched(Area::Dns));
/// note_patched(Area::Dns, false);
/// assert!(!is_monkey_patched(Area::Dns));
/// ```
pub fn note_patched(area: Area, patched: bool) {
    match patched {
        true => PATCHED.fetch_or(area.bit(), Ordering::SeqCst),
        false => PATCHED.fetch_and(!area.bit(), Ordering::SeqCst),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_area_is_noted_by_itself() {
        for area in Area::ALL {
            note_patched(area, true);
            let patched = Area::ALL.into_iter().filter(|area| is_monkey_patched(*area));
            assert_eq!(patched.collect::<Vec<_>>(), [area]);
            note_patched(area, false);
            assert!(!is_monkey_patched(area));
        }
    }
}
