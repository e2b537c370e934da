//! Whether the threads of a program can be green. A program whose threads cannot is passed through:
//! it runs as without this library.
//!
//! A thread-local is the OS thread's, so the green threads of a program would share it. Nobody sees
//! from outside what a program keeps there, so one that has any is passed through.

use std::env;
use std::ffi::{CStr, c_int, c_void};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use eventlet_shim::preload::{Loaded, loaded};

/// What starts a thread. A program that does not call it has nothing that could be green.
const STARTS: [&CStr; 2] = [c"pthread_create", c"thrd_create"];

/// Functions that nobody can do for a green thread, and why not.
const UNCOVERED: [(&CStr, &str); 6] = [
    (c"pthread_timedjoin_np", "waits for other threads inside libc"),
    (c"pthread_clockjoin_np", "waits for other threads inside libc"),
    (c"pause", "waits for a signal of its OS thread"),
    (c"sigsuspend", "waits for a signal of its OS thread"),
    (
        c"pthread_cancel",
        "ends an OS thread, but not where that waits in a function of this library",
    ),
    (
        c"__pthread_register_cancel",
        "is for an OS thread that is cancelled (`pthread_cleanup_push`)",
    ),
];

/// What has threads of its own kind, and a function by which it is known.
const INTERPRETERS: [(&CStr, &str); 2] = [(c"Py_BytesMain", "Python"), (c"ruby_init", "Ruby")];

/// Libraries whose thread-locals were looked at. Of libc's the shim keeps what has to last over a
/// wait, of libstdc++'s this library; the others' are caches, random numbers, and texts of errors.
const HARMLESS: [&str; 10] = [
    "ld-linux",
    "libc.so",
    "libcom_err.so",
    "libgcc_s.so",
    "libgnutls.so",
    "libjemalloc.so",
    "libmimalloc.so",
    "libp11-kit.so",
    "libstdc++.so",
    "libtcmalloc",
];

/// What is done with a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its threads are green.
    Green,
    /// It runs as without this library.
    Plain,
}

/// Whether the program is looked at: not with `EVENTLET_SHIM=off`.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// Whether it is made green whatever it is: `EVENTLET_SHIM=force`.
static FORCED: AtomicBool = AtomicBool::new(false);
/// How many objects had been loaded when it was last found fit; zero where it never was.
static FIT_WITH: AtomicU64 = AtomicU64::new(0);
static TOLD: AtomicBool = AtomicBool::new(false);

/// Returns what is to be done, before `main`. With `EVENTLET_SHIM=doctor` that is printed, and the
/// process ends.
pub(crate) fn at_start() -> Verdict {
    let set = |value: &str| env::var_os("EVENTLET_SHIM").is_some_and(|there| there == value);
    if set("off") {
        return Verdict::Plain;
    }
    WATCHED.store(true, Ordering::Relaxed);
    FORCED.store(set("force"), Ordering::Relaxed);
    let (loads, found) = (loads(), look());
    if set("doctor") {
        match &found {
            Ok(true) => println!("eventlet-preload: the threads of this program are green"),
            Ok(false) => println!("eventlet-preload: this program starts no threads"),
            Err(refusal) => println!("eventlet-preload: {refusal}"),
        }
        // This prints what the shim finds, and exits.
        eventlet_shim::monkey_patch();
    }
    match found {
        Ok(true) => {
            FIT_WITH.store(loads, Ordering::Relaxed);
            Verdict::Green
        }
        Ok(false) | Err(_) => Verdict::Plain,
    }
}

/// Returns whether a thread that the program starts may be green. Where it may not, that is said
/// once: a program that starts no thread misses nothing.
///
/// The program is looked at again if it has opened a library since.
pub(crate) fn lets_threads_be_green() -> bool {
    if !WATCHED.load(Ordering::Relaxed) {
        return false;
    }
    let loads = loads();
    if loads == FIT_WITH.load(Ordering::Relaxed) {
        return true;
    }
    let found = look();
    match &found {
        Ok(_) => FIT_WITH.store(loads, Ordering::Relaxed),
        Err(refusal) if !TOLD.swap(true, Ordering::Relaxed) => tell(&refusal.to_string()),
        Err(_) => {}
    }
    found.is_ok()
}

/// Says something on standard error.
pub(crate) fn tell(what: &str) {
    let line = format!("eventlet-preload: {what}\n");
    // SAFETY: the text is there.
    let _unheard = unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// Why a program is passed through.
enum Refusal {
    Interpreter(&'static str),
    Function(String, &'static str, &'static str),
    ThreadLocals(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Interpreter(name) => write!(f, "{name} knows its threads by OS thread")?,
            Refusal::Function(object, name, does) => {
                write!(f, "{object} calls {name}, which {does}")?;
            }
            Refusal::ThreadLocals(object) => write!(
                f,
                "{object} has thread-locals, which green threads would share: keep such values by \
                 `pthread_setspecific`, or link `eventlet-shim` into a program of Rust"
            )?,
        }
        f.write_str(
            ". So the threads of this program are OS threads, as ever. EVENTLET_SHIM=force makes them green all the \
             same, EVENTLET_SHIM=off silences this",
        )
    }
}

/// Looks at the program and its libraries, and returns whether there is something that starts
/// threads.
fn look() -> Result<bool, Refusal> {
    let mut names = STARTS.to_vec();
    names.extend(UNCOVERED.map(|(name, _)| name));
    let objects = loaded(&names);
    if !objects.iter().any(|object| STARTS.iter().any(|name| object.imports.contains(name))) {
        return Ok(false);
    }
    let interpreter = INTERPRETERS.into_iter().find(|(function, _)| is_there(function));
    match interpreter {
        _ if FORCED.load(Ordering::Relaxed) => Ok(true),
        Some((_, name)) => Err(Refusal::Interpreter(name)),
        None => objects.iter().find_map(refusal_of).map_or(Ok(true), Err),
    }
}

fn refusal_of(object: &Loaded) -> Option<Refusal> {
    if is_harmless(object) {
        return None;
    }
    let uncovered = UNCOVERED.iter().find(|(name, _)| object.imports.contains(name));
    match uncovered {
        _ if object.has_thread_locals => Some(Refusal::ThreadLocals(name_of(object))),
        Some((name, does)) => {
            Some(Refusal::Function(name_of(object), name.to_str().unwrap_or_default(), does))
        }
        None => None,
    }
}

fn is_harmless(object: &Loaded) -> bool {
    let file = Path::new(&object.file).file_name().unwrap_or_default().to_string_lossy();
    HARMLESS.iter().any(|known| file.starts_with(known))
}

fn name_of(object: &Loaded) -> String {
    if !object.file.is_empty() {
        return object.file.clone();
    }
    let program = env::current_exe().unwrap_or_default();
    program.to_string_lossy().into_owned()
}

fn is_there(function: &CStr) -> bool {
    // SAFETY: it looks a name up.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, function.as_ptr()) }.is_null()
}

/// Returns how many objects were loaded so far.
fn loads() -> u64 {
    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        loads: *mut c_void,
    ) -> c_int {
        // SAFETY: the dynamic linker describes an object.
        let count = unsafe { (*info).dlpi_adds };
        // SAFETY: it is the number below.
        unsafe { *loads.cast::<u64>() = count };
        1
    }

    let mut loads = 0_u64;
    // SAFETY: the function takes what it is given.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut loads).cast()) };
    loads
}
