//! The program's `main`: the first green thread.
//!
//! # Invariants
//!
//! - **I1**: [`MAIN`] is the function that the program gave to `__libc_start_main`, which calls
//!   [`instead`] with that function's arguments.

use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use eventlet::runtime::Builder;
use eventlet::stackful;

use crate::own::{self, next};
use crate::threads;
use crate::verdict::{self, Verdict};

type Texts = *mut *mut c_char;
type Main = unsafe extern "C" fn(c_int, Texts, Texts) -> c_int;
type Function = Option<unsafe extern "C" fn()>;

static MAIN: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// A call of `main`.
#[derive(Clone, Copy)]
struct Call {
    main: Main,
    count: c_int,
    arguments: Texts,
    environment: Texts,
}

impl Call {
    fn make(self) -> c_int {
        // SAFETY: by I1.
        unsafe { (self.main)(self.count, self.arguments, self.environment) }
    }
}

/// As `__libc_start_main` of libc, which a program calls first.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn __libc_start_main(
    main: Main,
    count: c_int,
    arguments: Texts,
    init: Function,
    fini: Function,
    linker_fini: Function,
    stack_end: *mut c_void,
) -> c_int {
    MAIN.store(main as *mut c_void, Ordering::Relaxed);
    next!(c"__libc_start_main", 127, (
        instead => Main,
        count => c_int,
        arguments => Texts,
        init => Function,
        fini => Function,
        linker_fini => Function,
        stack_end => *mut c_void
    ) -> c_int)
}

/// What libc calls instead of `main`.
unsafe extern "C" fn instead(count: c_int, arguments: Texts, environment: Texts) -> c_int {
    let main = MAIN.load(Ordering::Relaxed);
    // SAFETY: by I1.
    let main = unsafe { mem::transmute::<*mut c_void, Main>(main) };
    let call = Call { main, count, arguments, environment };
    match verdict::at_start() {
        Verdict::Green => run(call),
        Verdict::Plain => call.make(),
    }
}

/// Runs `main` in a hub. It ends with the process, so this returns only where there is no hub.
fn run(call: Call) -> c_int {
    own::keep_thread_locals();
    threads::begin();
    let first = stackful(move || first_thread(call)).stack_size(stack_of_main());
    let Err(error) = Builder::new().run(first);
    verdict::tell(&format!("there is no hub, so nothing is green: {error}"));
    call.make()
}

/// The bytes of stack that `main` has: as many as without this library, if there is a limit.
fn stack_of_main() -> usize {
    const WITHOUT_LIMIT: usize = 64 << 20;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: there is room for the answer.
    let error = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    match limit.rlim_cur {
        libc::RLIM_INFINITY => WITHOUT_LIMIT,
        _ if error != 0 => WITHOUT_LIMIT,
        bytes => bytes as usize,
    }
}

/// The code of `main`, and what follows it.
enum Never {}

fn first_thread(mut call: Call) -> Never {
    threads::run_main(main_and_exit, (&raw mut call).cast());
    // It has called `pthread_exit`: the process ends with its last thread.
    threads::wait_for_all();
    exit(0)
}

unsafe extern "C" fn main_and_exit(call: *mut c_void) -> *mut c_void {
    // SAFETY: `first_thread` has called this with it.
    let call = unsafe { *call.cast::<Call>() };
    exit(call.make())
}

/// Ends the process as C does: functions of `atexit` are called, and streams are flushed. The green
/// threads that are left are not ended, so nothing of theirs is unwound.
pub(crate) fn exit(code: c_int) -> ! {
    // SAFETY: it may be called at any time.
    unsafe { libc::exit(code) }
}
