//! The functions that have libc's names. Each asks the gate, tries without waiting, and waits
//! greenly where it has to.
//!
//! # Invariants of all of them
//!
//! - **I1**: a caller keeps libc's contract of that name. So its arguments are what the
//!   system call of that name wants, and what they point to is there until it returns, on whatever
//!   stack.
//! - **I2**: nothing here unwinds: the functions are `extern "C"`, and none panics.

/// Defines libc's other names of functions: with `64` for large files, as all are here, with
/// underscores for libc's own calls, and such as `mq_close`, as a queue is a descriptor here.
macro_rules! aliases {
    (@one $alias:ident = $function:ident ($($argument:ident: $type:ty),*) -> $result:ty) => {
        #[doc = concat!("As [`", stringify!($function), "`], by another name.")]
        ///
        /// # Safety
        ///
        /// As libc's.
        #[unsafe(no_mangle)]
        pub(in crate::calls) unsafe extern "C" fn $alias($($argument: $type),*) -> $result {
            // SAFETY: I1.
            unsafe { $function($($argument),*) }
        }
    };
    ($($($alias:ident),* = $function:ident $arguments:tt -> $result:ty;)*) => {
        $($(aliases! { @one $alias = $function $arguments -> $result })*)*
    };
}

mod copy;
mod descriptor;
mod file_lock;
mod files;
mod mqueue;
mod netdb;
mod open;
mod poll;
mod pool;
mod process;
mod pthread;
pub(crate) mod ring;
mod settings;
mod signals;
mod socket;
mod syscall;
mod sysv;
mod time;
mod unistd;

use std::ffi::CStr;

pub use self::syscall::join_with;

use self::pthread::{barrier, c11, condition, mutex, once, rwlock, semaphore};
use crate::areas::Area;

unsafe extern "C" {
    fn __chk_fail() -> !;
}

/// Ends the process as checked builds of C do, before they write past the end of a buffer.
#[cold]
fn overflow() -> ! {
    // SAFETY: it takes nothing, and does not return.
    unsafe { __chk_fail() }
}

/// A function: its name, its area, and where it is.
type Known = (&'static CStr, Option<Area>, *const ());

/// Lists the functions of each area and file.
macro_rules! symbols {
    ($($area:expr, $file:ident: $($name:ident)*;)*) => {
        /// All of them.
        pub(crate) const SYMBOLS: &[Known] = &[$($(
            (c_str(concat!(stringify!($name), "\0")), $area, $file::$name as *const ()),
        )*)*];
    };
}

/// Returns a text that ends with a zero as a string of C.
const fn c_str(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("it has one zero, at its end"),
    }
}

symbols! {
    Some(Area::Socket), copy:
        sendfile sendfile64 splice;
    Some(Area::Socket), unistd:
        read readv write writev preadv2 preadv64v2 pwritev2 pwritev64v2 __read_chk __read __write;
    None, unistd:
        close dup2 dup3 close_range closefrom mq_close __close __dup2;
    None, settings:
        setsockopt ioctl;
    Some(Area::Socket), socket:
        recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg accept accept4 connect
        __recv_chk __recvfrom_chk __connect __send;
    Some(Area::Select), poll:
        poll ppoll select pselect epoll_wait epoll_pwait epoll_pwait2 __poll_chk __ppoll_chk __poll
        __select;
    Some(Area::Time), time:
        nanosleep clock_nanosleep usleep sleep sched_yield __sched_yield __nanosleep;
    Some(Area::Subprocess), process:
        wait wait3 wait4 waitpid waitid __wait __waitpid;
    Some(Area::Dns), netdb:
        getaddrinfo getnameinfo gethostbyname gethostbyname2 gethostbyaddr gethostbyname_r
        gethostbyname2_r gethostbyaddr_r res_nquery res_nsearch __res_nquery __res_nsearch;
    Some(Area::Os), file_lock:
        flock lockf lockf64 fcntl fcntl64 __fcntl;
    Some(Area::Os), open:
        open open64 openat openat64 creat creat64 __open_2 __open64_2 __openat_2 __openat64_2 __open
        __open64;
    Some(Area::Os), signals:
        sigwait sigwaitinfo sigtimedwait;
    Some(Area::Os), mqueue:
        mq_receive mq_timedreceive mq_send mq_timedsend;
    Some(Area::Os), sysv:
        semop semtimedop msgrcv msgsnd;
    Some(Area::File), files:
        pread pread64 pwrite pwrite64 preadv preadv64 pwritev pwritev64 copy_file_range fsync
        fdatasync __pread_chk __pread64_chk __pread64 __pwrite64;
    Some(Area::Thread), syscall:
        syscall pthread_join;
    Some(Area::Thread), mutex:
        pthread_mutex_lock pthread_mutex_timedlock pthread_mutex_clocklock pthread_mutex_trylock
        pthread_mutex_unlock __pthread_mutex_lock __pthread_mutex_trylock __pthread_mutex_unlock;
    Some(Area::Thread), condition:
        pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait pthread_cond_signal
        pthread_cond_broadcast;
    Some(Area::Thread), once:
        pthread_once;
    Some(Area::Thread), rwlock:
        pthread_rwlock_rdlock pthread_rwlock_wrlock pthread_rwlock_timedrdlock
        pthread_rwlock_timedwrlock pthread_rwlock_clockrdlock pthread_rwlock_clockwrlock
        pthread_rwlock_unlock __pthread_rwlock_rdlock __pthread_rwlock_wrlock
        __pthread_rwlock_unlock;
    Some(Area::Thread), semaphore:
        sem_wait sem_timedwait sem_clockwait sem_post;
    Some(Area::Thread), barrier:
        pthread_barrier_init pthread_barrier_wait;
    Some(Area::Thread), c11:
        mtx_lock mtx_timedlock mtx_trylock mtx_unlock cnd_wait cnd_timedwait cnd_signal
        cnd_broadcast call_once thrd_join;
    Some(Area::Time), c11:
        thrd_sleep thrd_yield;
}
