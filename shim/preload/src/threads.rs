//! Threads of the program, which are green.
//!
//! The main thread keeps the handle that libc gave it. Those of the others are numbers that no
//! thread of libc has, as they are no addresses.
//!
//! # Invariants
//!
//! - **I1**: a caller keeps libc's contract of the function that it calls.
//! - **I2**: nothing has to be dropped in a function of this file while it calls [`jump::leave`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::mem;
use std::num::NonZeroUsize;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use eventlet::green::thread::Builder;
use eventlet::lowlevel::{self, Place as Where};
use eventlet_shim::preload::{Next, is_own, join_with};
use eventlet_shim::{Area, is_monkey_patched};
use libc::{pthread_attr_t, pthread_t};

use crate::exceptions::Exceptions;
use crate::jump::{self, Place, Start};
use crate::keys::{self, Values};
use crate::own::next;
use crate::start::exit;
use crate::verdict;

/// What the green thread itself has, but for the main one.
pub(crate) struct Thread {
    handle: pthread_t,
    place: Place,
    pub(crate) values: Values,
    pub(crate) exceptions: Exceptions,
}

/// What others may ask of it.
pub(crate) struct Shared {
    state: Mutex<State>,
    has_ended: Condvar,
}

/// The bytes of a name, with the zero at its end.
pub(crate) const NAME: usize = 16;

struct State {
    /// The address that it returned, when it has.
    value: Option<usize>,
    /// Whether nobody may join it: it is detached, or another thread does.
    taken: bool,
    detached: bool,
    name: [u8; NAME],
}

thread_local! {
    /// Those that are on a stack now, by the number of that.
    static ON_STACKS: RefCell<BTreeMap<NonZeroUsize, Rc<Thread>>> =
        const { RefCell::new(BTreeMap::new()) };

    /// Where the main thread goes when it calls `pthread_exit`.
    static MAIN: Place = const { Place::new() };
}

/// Those that are not yet over, or were not yet joined.
static ALL: Mutex<BTreeMap<pthread_t, Arc<Shared>>> = Mutex::new(BTreeMap::new());

/// How many run, without the main thread.
static RUNNING: Mutex<usize> = Mutex::new(0);
static NONE_RUNS: Condvar = Condvar::new();

/// The OS thread that all of them share.
static HUB: AtomicU64 = AtomicU64::new(0);
/// The process that has the hub. It is not that of a child of `fork`.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// No address of a program has these bits.
const GREEN: pthread_t = 0x6576 << 48;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether a handle is a green thread's, but that of the main one.
pub(crate) fn is_green(handle: pthread_t) -> bool {
    handle & GREEN == GREEN
}

/// Returns the handle of the OS thread that all green threads share.
pub(crate) fn hub() -> pthread_t {
    HUB.load(Ordering::Relaxed)
}

/// Prepares for green threads, on the OS thread that will have the hub.
pub(crate) fn begin() {
    HUB.store(own_handle(), Ordering::Relaxed);
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    join_with(join);
    eventlet_shim::monkey_patch();
}

fn is_in_child() -> bool {
    PROCESS.load(Ordering::Relaxed) != std::process::id()
}

/// Calls a function as the code of the main thread. It returns when that calls `pthread_exit`.
pub(crate) fn run_main(start: Start, argument: *mut c_void) {
    // No closure may be among the frames that `pthread_exit` leaves.
    let main = MAIN.with(ptr::from_ref);
    // SAFETY: it is there as long as the OS thread.
    let main = unsafe { &*main };
    // SAFETY: the caller's function takes its argument; there is one main thread.
    unsafe { main.call(start, argument) };
    keys::destroy_values();
}

/// Waits until the main thread is the only one.
pub(crate) fn wait_for_all() {
    let mut running = lock(&RUNNING);
    while *running > 0 && !is_in_child() {
        running = NONE_RUNS.wait(running).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Calls a function with the green thread that calls. `None` where that is the main one, or none.
pub(crate) fn with_current<R>(function: impl FnOnce(&Thread) -> R) -> Option<R> {
    let stack = lowlevel::stack_id()?;
    let on_stacks =
        |all: &RefCell<BTreeMap<_, Rc<Thread>>>| all.try_borrow().ok()?.get(&stack).cloned();
    let thread = ON_STACKS.try_with(on_stacks).ok()??;
    Some(function(&thread))
}

/// Returns what others may ask of a green thread that is not over, or was not yet joined.
pub(crate) fn find(handle: pthread_t) -> Option<Arc<Shared>> {
    lock(&ALL).get(&handle).cloned()
}

impl Shared {
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.state).value.is_some()
    }

    pub(crate) fn name(&self) -> [u8; NAME] {
        lock(&self.state).name
    }

    pub(crate) fn set_name(&self, name: [u8; NAME]) {
        lock(&self.state).name = name;
    }
}

/// The code of a green thread, from its start to its end.
fn live(handle: pthread_t, shared: &Shared, start: Start, argument: *mut c_void) {
    let thread = Rc::new(Thread {
        handle,
        place: Place::new(),
        values: Values::none(),
        exceptions: Exceptions::none(),
    });
    let stack = lowlevel::stack_id();
    ON_STACKS.with_borrow_mut(|all| all.extend(stack.map(|stack| (stack, Rc::clone(&thread)))));
    // SAFETY: who called `pthread_create` says that it takes its argument.
    let value = unsafe { thread.place.call(start, argument) };
    keys::destroy_values();
    if is_in_child() {
        // It was the only thread of its process.
        exit(0);
    }
    ON_STACKS.with_borrow_mut(|all| stack.map(|stack| all.remove(&stack)));
    end(handle, shared, value.expose_provenance());
}

fn end(handle: pthread_t, shared: &Shared, value: usize) {
    let mut state = lock(&shared.state);
    state.value = Some(value);
    if state.detached {
        lock(&ALL).remove(&handle);
    }
    drop(state);
    shared.has_ended.notify_all();
    let mut running = lock(&RUNNING);
    *running -= 1;
    if *running == 0 {
        NONE_RUNS.notify_all();
    }
}

/// What `pthread_create` is asked for.
struct Wanted {
    stack_size: usize,
    detached: bool,
}

/// What the functions of the shim need on a stack of the program's size.
const OUR_PART: usize = 64 << 10;

impl Wanted {
    /// # Safety
    ///
    /// It is null, or initialized attributes.
    unsafe fn read(attributes: *const pthread_attr_t) -> Wanted {
        if attributes.is_null() {
            // SAFETY: all zeroes is a value of it.
            let mut standard: pthread_attr_t = unsafe { mem::zeroed() };
            // SAFETY: there is room for them.
            unsafe { libc::pthread_attr_init(&mut standard) };
            // SAFETY: they are initialized.
            let wanted = unsafe { Wanted::read(&standard) };
            // SAFETY: likewise.
            unsafe { libc::pthread_attr_destroy(&mut standard) };
            return wanted;
        }
        let (mut stack_size, mut state) = (0, 0);
        // SAFETY: by I1.
        unsafe { libc::pthread_attr_getstacksize(attributes, &mut stack_size) };
        // SAFETY: the caller says so.
        unsafe { pthread_attr_getdetachstate(attributes, &mut state) };
        let detached = state == libc::PTHREAD_CREATE_DETACHED;
        Wanted { stack_size: stack_size.saturating_add(OUR_PART), detached }
    }
}

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

/// Starts a green thread of this hub. `None` where it is to be an OS thread: off green stacks, and
/// where the program is passed through.
///
/// # Safety
///
/// As `pthread_create` of libc.
pub(crate) unsafe fn create(
    handle: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> Option<c_int> {
    if !verdict::lets_threads_be_green() || !is_on_green_stack() {
        return None;
    }
    // SAFETY: the caller says so.
    let wanted = unsafe { Wanted::read(attributes) };
    let (new, shared) = announce(wanted.detached);
    // SAFETY: the caller says so. It has to be there when the thread begins.
    unsafe { *handle = new };
    let theirs = Arc::clone(&shared);
    let body = move || live(new, &theirs, start, argument);
    let Err(_no_stack) = Builder::new().stack_size(wanted.stack_size).spawn(body) else {
        return Some(0);
    };
    lock(&ALL).remove(&new);
    *lock(&RUNNING) -= 1;
    Some(libc::EAGAIN)
}

/// As `pthread_create` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    handle: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    // Those of this library itself, such as `tpool`'s, are OS threads.
    let is_ours = is_own(start as *const c_void);
    // SAFETY: by I1.
    let green = (!is_ours).then(|| unsafe { create(handle, attributes, start, argument) });
    green.flatten().unwrap_or_else(|| {
        next!(c"pthread_create", libc::EAGAIN, (
            handle => *mut pthread_t,
            attributes => *const pthread_attr_t,
            start => Start,
            argument => *mut c_void
        ) -> c_int)
    })
}

fn is_on_green_stack() -> bool {
    is_monkey_patched(Area::Thread) && lowlevel::place() == Where::Stack && lowlevel::has_hub()
}

/// Enters a new thread among all.
fn announce(detached: bool) -> (pthread_t, Arc<Shared>) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let handle = GREEN | LAST.fetch_add(1, Ordering::Relaxed);
    let state = State { value: None, taken: detached, detached, name: [0; NAME] };
    let shared = Arc::new(Shared { state: Mutex::new(state), has_ended: Condvar::new() });
    lock(&ALL).insert(handle, Arc::clone(&shared));
    *lock(&RUNNING) += 1;
    (handle, shared)
}

/// Joins a green thread. `None` where it is none.
///
/// # Safety
///
/// The value is null, or there is room for it.
unsafe fn join(handle: pthread_t, value: *mut *mut c_void) -> Option<c_int> {
    // SAFETY: the caller says so.
    is_green(handle).then(|| unsafe { take_value(handle, value, true) })
}

/// As `pthread_join`, and with `waits` as `pthread_tryjoin_np`, of a green thread.
///
/// # Safety
///
/// The value is null, or there is room for it.
pub(crate) unsafe fn take_value(handle: pthread_t, value: *mut *mut c_void, waits: bool) -> c_int {
    let Some(shared) = find(handle) else { return libc::ESRCH };
    if with_current(|thread| thread.handle) == Some(handle) {
        return libc::EDEADLK;
    }
    let mut state = lock(&shared.state);
    match state.value {
        _ if state.taken => return libc::EINVAL,
        None if !waits => return libc::EBUSY,
        _ => state.taken = true,
    }
    let returned = loop {
        match state.value {
            Some(returned) => break returned,
            None => {
                state = shared.has_ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    };
    drop(state);
    lock(&ALL).remove(&handle);
    if !value.is_null() {
        // SAFETY: the caller says so.
        unsafe { *value = ptr::with_exposed_provenance_mut(returned) };
    }
    0
}

/// As `pthread_detach` of a green thread.
pub(crate) fn detach(handle: pthread_t) -> c_int {
    let Some(shared) = find(handle) else { return libc::ESRCH };
    let mut state = lock(&shared.state);
    if mem::replace(&mut state.taken, true) {
        return libc::EINVAL;
    }
    state.detached = true;
    if state.value.is_some() {
        lock(&ALL).remove(&handle);
    }
    0
}

fn own_handle() -> pthread_t {
    next!(c"pthread_self", 0, () -> pthread_t)
}

/// As `pthread_self` of libc.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn pthread_self() -> pthread_t {
    with_current(|thread| thread.handle).unwrap_or_else(own_handle)
}

/// As `pthread_exit` of libc. The frames of a green thread are left as by `longjmp`; libc unwinds
/// those of another through this one, which has nothing to drop then.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn pthread_exit(value: *mut c_void) -> ! {
    let of_main = || lowlevel::stack_id().and_then(|_| MAIN.with(Place::get));
    if let Some(place) = with_current(|thread| thread.place.get()).unwrap_or_else(of_main) {
        // SAFETY: it is that of the thread that calls, and by I2 the frames in between may be left.
        unsafe { jump::leave(place, value) }
    }
    static EXIT: Next = Next::new(c"pthread_exit");
    // SAFETY: the function of that name has this type.
    match unsafe { EXIT.get::<unsafe extern "C-unwind" fn(*mut c_void) -> !>() } {
        // SAFETY: by I1.
        Some(exit) => unsafe { exit(value) },
        None => std::process::abort(),
    }
}
