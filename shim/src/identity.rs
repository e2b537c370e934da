//! What cannot work, as it knows who waits by the OS thread, which all green threads of a hub are.
//! It is noticed where that can be told for sure, and reported with what to do.
//!
//! - A thread-local queue node, as `parking_lot` has: a second green thread waits with the node of
//!   one that waits already. The queue is damaged by then. The `parking_lot_core` beside this crate
//!   has its nodes on the stacks of those who wait.
//! - A channel that knows who waits by the OS thread, where [`channel`](crate::channel) does not
//!   mend it: who sends leaves the receiver alone. No call shows that, but this does: a green
//!   thread is parked, and there is no other OS thread that could unpark it.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::fs;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use eventlet::{debug, lowlevel};

use crate::futex::Word;

static MISTAKEN: AtomicU64 = AtomicU64::new(0);

/// Returns how many waits were noticed that cannot end.
pub(crate) fn mistaken() -> u64 {
    MISTAKEN.load(Ordering::Relaxed)
}

/// Takes note of a green thread that waits where another one does, if that is a thread-local of
/// theirs.
#[cold]
pub(crate) fn waits_with(word: Word, other: u64) {
    if !is_thread_local(word.address()) {
        return;
    }
    MISTAKEN.fetch_add(1, Ordering::Relaxed);
    static REPORTED: AtomicBool = AtomicBool::new(false);
    if !REPORTED.swap(true, Ordering::Relaxed) {
        let both = vec![other, eventlet::getcurrent().id()];
        lowlevel::without_waiting(|| eventlet::spawn_n(async move { report_both(&both) }));
    }
}

/// Reports two that wait with one thread-local, from a green thread of its own: the log that hears
/// of it may take the very lock that they wait for.
fn report_both(both: &[u64]) {
    let damage = format!(
        "two green threads of one hub wait in one thread-local, and its queue is damaged: `parking_lot` has a place \
         for each OS thread in it, not for each green thread. Patch its core in `Cargo.toml`, by `[patch.crates-io]` \
         and `parking_lot_core = {{ path = \".../shim/parking_lot_core\" }}` with the path of eventlet's sources, as \
         the README there says, or lock with `std::sync` or `eventlet::green::sync` instead.\n{}",
        stacks_of(both)
    );
    lowlevel::report_error("a lock that green threads cannot share", &damage);
}

/// Returns where the code of some green threads waits.
fn stacks_of(ids: &[u64]) -> String {
    let mut text = String::new();
    for info in debug::green_threads() {
        if ids.contains(&info.greenlet.id()) {
            text += &format!("{info}\n");
            info.parked_stacks().iter().for_each(|stack| text += &format!("{stack}\n"));
        }
    }
    text
}

/// Takes note of a green thread that is parked for long, without a limit, if this OS thread is the
/// only one there is.
pub(crate) fn is_parked_for_long() {
    thread_local! {
        static REPORTED: Cell<bool> = const { Cell::new(false) };
    }
    if REPORTED.get() || !is_alone() {
        return;
    }
    REPORTED.set(true);
    MISTAKEN.fetch_add(1, Ordering::Relaxed);
    let parked = vec![eventlet::getcurrent().id()];
    eventlet::spawn_n(async move { report_parked(&parked) });
}

fn report_parked(parked: &[u64]) {
    lowlevel::report_warning(&format!(
        "a green thread is parked for half a second, and there is no other OS thread that could unpark it. If it waits \
         for a channel, another green thread of its hub may have sent, and cannot wake it: use `eventlet::Queue` or \
         `eventlet::green::sync::mpsc` instead.\n{}",
        stacks_of(parked)
    ));
}

/// Returns whether this is the only OS thread, but for those of eventlet's that run nobody's code.
fn is_alone() -> bool {
    let Ok(all) = fs::read_dir("/proc/self/task") else { return false };
    let others = all.flatten().filter(|task| {
        let name = fs::read(task.path().join("comm")).unwrap_or_default();
        !OURS.iter().any(|ours| name.starts_with(ours))
    });
    others.take(2).count() < 2
}

/// The names of OS threads, of which the kernel keeps fifteen bytes.
const OURS: [&[u8]; 2] = [b"eventlet-watchd", b"eventlet-stdin"];

/// Returns whether an address is in a thread-local of this OS thread.
pub(crate) fn is_thread_local(address: usize) -> bool {
    struct Search {
        address: usize,
        found: bool,
    }

    unsafe extern "C" fn look(
        object: *mut libc::dl_phdr_info,
        _size: usize,
        search: *mut c_void,
    ) -> c_int {
        // SAFETY: it is what was given to `dl_iterate_phdr`.
        let search = unsafe { &mut *search.cast::<Search>() };
        // SAFETY: the dynamic linker describes an object.
        let object = unsafe { &*object };
        search.found |= thread_locals_of(object).contains(&search.address);
        search.found.into()
    }

    let mut search = Search { address, found: false };
    // SAFETY: the function takes what it is given.
    unsafe { libc::dl_iterate_phdr(Some(look), ptr::from_mut(&mut search).cast()) };
    search.found
}

/// Returns where the thread-locals of an object are, of this OS thread.
fn thread_locals_of(object: &libc::dl_phdr_info) -> Range<usize> {
    let start = object.dlpi_tls_data.addr();
    if start == 0 || object.dlpi_phdr.is_null() {
        return 0..0;
    }
    // SAFETY: the dynamic linker says that there are so many.
    let parts = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum as usize) };
    let template = parts.iter().find(|part| part.p_type == libc::PT_TLS);
    start..start + template.map_or(0, |template| template.p_memsz as usize)
}
