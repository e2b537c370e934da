//! The functions that have libc's names. Each asks the gate, tries without waiting, and waits
//! greenly where it has to.
//!
//! # Invariants of all of them
//!
//! - **I1**: a caller keeps libc's contract of that name. So its arguments are what the
//!   system call of that name wants, and what they point to is there until it returns, on whatever
//!   stack.
//! - **I2**: nothing here unwinds: the functions are `extern "C"`, and none panics.

mod copy;
mod descriptor;
mod file_lock;
mod files;
mod netdb;
mod open;
mod poll;
mod pool;
mod process;
mod pthread;
mod settings;
mod signals;
mod socket;
mod syscall;
mod time;
mod unistd;

use std::ffi::CStr;

use self::pthread::{condition, mutex, once, rwlock, semaphore};
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

/// All of them.
pub(crate) const SYMBOLS: &[Known] = &[
    (c"sendfile", Some(Area::Socket), copy::sendfile as *const ()),
    (c"sendfile64", Some(Area::Socket), copy::sendfile64 as *const ()),
    (c"splice", Some(Area::Socket), copy::splice as *const ()),
    (c"read", Some(Area::Socket), unistd::read as *const ()),
    (c"readv", Some(Area::Socket), unistd::readv as *const ()),
    (c"write", Some(Area::Socket), unistd::write as *const ()),
    (c"writev", Some(Area::Socket), unistd::writev as *const ()),
    (c"__read_chk", Some(Area::Socket), unistd::__read_chk as *const ()),
    (c"__read", Some(Area::Socket), unistd::__read as *const ()),
    (c"__write", Some(Area::Socket), unistd::__write as *const ()),
    (c"close", None, unistd::close as *const ()),
    (c"dup2", None, unistd::dup2 as *const ()),
    (c"dup3", None, unistd::dup3 as *const ()),
    (c"close_range", None, unistd::close_range as *const ()),
    (c"closefrom", None, unistd::closefrom as *const ()),
    (c"__close", None, unistd::__close as *const ()),
    (c"__dup2", None, unistd::__dup2 as *const ()),
    (c"setsockopt", None, settings::setsockopt as *const ()),
    (c"ioctl", None, settings::ioctl as *const ()),
    (c"recv", Some(Area::Socket), socket::recv as *const ()),
    (c"recvfrom", Some(Area::Socket), socket::recvfrom as *const ()),
    (c"recvmsg", Some(Area::Socket), socket::recvmsg as *const ()),
    (c"recvmmsg", Some(Area::Socket), socket::recvmmsg as *const ()),
    (c"send", Some(Area::Socket), socket::send as *const ()),
    (c"sendto", Some(Area::Socket), socket::sendto as *const ()),
    (c"sendmsg", Some(Area::Socket), socket::sendmsg as *const ()),
    (c"sendmmsg", Some(Area::Socket), socket::sendmmsg as *const ()),
    (c"accept", Some(Area::Socket), socket::accept as *const ()),
    (c"accept4", Some(Area::Socket), socket::accept4 as *const ()),
    (c"connect", Some(Area::Socket), socket::connect as *const ()),
    (c"__recv_chk", Some(Area::Socket), socket::__recv_chk as *const ()),
    (c"__recvfrom_chk", Some(Area::Socket), socket::__recvfrom_chk as *const ()),
    (c"__connect", Some(Area::Socket), socket::__connect as *const ()),
    (c"__send", Some(Area::Socket), socket::__send as *const ()),
    (c"poll", Some(Area::Select), poll::poll as *const ()),
    (c"ppoll", Some(Area::Select), poll::ppoll as *const ()),
    (c"select", Some(Area::Select), poll::select as *const ()),
    (c"pselect", Some(Area::Select), poll::pselect as *const ()),
    (c"epoll_wait", Some(Area::Select), poll::epoll_wait as *const ()),
    (c"epoll_pwait", Some(Area::Select), poll::epoll_pwait as *const ()),
    (c"epoll_pwait2", Some(Area::Select), poll::epoll_pwait2 as *const ()),
    (c"__poll_chk", Some(Area::Select), poll::__poll_chk as *const ()),
    (c"__ppoll_chk", Some(Area::Select), poll::__ppoll_chk as *const ()),
    (c"__poll", Some(Area::Select), poll::__poll as *const ()),
    (c"__select", Some(Area::Select), poll::__select as *const ()),
    (c"nanosleep", Some(Area::Time), time::nanosleep as *const ()),
    (c"clock_nanosleep", Some(Area::Time), time::clock_nanosleep as *const ()),
    (c"usleep", Some(Area::Time), time::usleep as *const ()),
    (c"sleep", Some(Area::Time), time::sleep as *const ()),
    (c"sched_yield", Some(Area::Time), time::sched_yield as *const ()),
    (c"__sched_yield", Some(Area::Time), time::__sched_yield as *const ()),
    (c"__nanosleep", Some(Area::Time), time::__nanosleep as *const ()),
    (c"wait", Some(Area::Subprocess), process::wait as *const ()),
    (c"wait3", Some(Area::Subprocess), process::wait3 as *const ()),
    (c"wait4", Some(Area::Subprocess), process::wait4 as *const ()),
    (c"waitpid", Some(Area::Subprocess), process::waitpid as *const ()),
    (c"waitid", Some(Area::Subprocess), process::waitid as *const ()),
    (c"__wait", Some(Area::Subprocess), process::__wait as *const ()),
    (c"__waitpid", Some(Area::Subprocess), process::__waitpid as *const ()),
    (c"getaddrinfo", Some(Area::Dns), netdb::getaddrinfo as *const ()),
    (c"getnameinfo", Some(Area::Dns), netdb::getnameinfo as *const ()),
    (c"gethostbyname", Some(Area::Dns), netdb::gethostbyname as *const ()),
    (c"gethostbyname2", Some(Area::Dns), netdb::gethostbyname2 as *const ()),
    (c"gethostbyaddr", Some(Area::Dns), netdb::gethostbyaddr as *const ()),
    (c"gethostbyname_r", Some(Area::Dns), netdb::gethostbyname_r as *const ()),
    (c"gethostbyname2_r", Some(Area::Dns), netdb::gethostbyname2_r as *const ()),
    (c"gethostbyaddr_r", Some(Area::Dns), netdb::gethostbyaddr_r as *const ()),
    (c"flock", Some(Area::Os), file_lock::flock as *const ()),
    (c"lockf", Some(Area::Os), file_lock::lockf as *const ()),
    (c"lockf64", Some(Area::Os), file_lock::lockf64 as *const ()),
    (c"fcntl", Some(Area::Os), file_lock::fcntl as *const ()),
    (c"fcntl64", Some(Area::Os), file_lock::fcntl64 as *const ()),
    (c"__fcntl", Some(Area::Os), file_lock::__fcntl as *const ()),
    (c"open", Some(Area::Os), open::open as *const ()),
    (c"open64", Some(Area::Os), open::open64 as *const ()),
    (c"openat", Some(Area::Os), open::openat as *const ()),
    (c"openat64", Some(Area::Os), open::openat64 as *const ()),
    (c"creat", Some(Area::Os), open::creat as *const ()),
    (c"creat64", Some(Area::Os), open::creat64 as *const ()),
    (c"__open_2", Some(Area::Os), open::__open_2 as *const ()),
    (c"__open64_2", Some(Area::Os), open::__open64_2 as *const ()),
    (c"__openat_2", Some(Area::Os), open::__openat_2 as *const ()),
    (c"__openat64_2", Some(Area::Os), open::__openat64_2 as *const ()),
    (c"__open", Some(Area::Os), open::__open as *const ()),
    (c"__open64", Some(Area::Os), open::__open64 as *const ()),
    (c"sigwait", Some(Area::Os), signals::sigwait as *const ()),
    (c"sigwaitinfo", Some(Area::Os), signals::sigwaitinfo as *const ()),
    (c"sigtimedwait", Some(Area::Os), signals::sigtimedwait as *const ()),
    (c"pread", Some(Area::File), files::pread as *const ()),
    (c"pread64", Some(Area::File), files::pread64 as *const ()),
    (c"pwrite", Some(Area::File), files::pwrite as *const ()),
    (c"pwrite64", Some(Area::File), files::pwrite64 as *const ()),
    (c"preadv", Some(Area::File), files::preadv as *const ()),
    (c"preadv64", Some(Area::File), files::preadv64 as *const ()),
    (c"pwritev", Some(Area::File), files::pwritev as *const ()),
    (c"pwritev64", Some(Area::File), files::pwritev64 as *const ()),
    (c"fsync", Some(Area::File), files::fsync as *const ()),
    (c"fdatasync", Some(Area::File), files::fdatasync as *const ()),
    (c"__pread_chk", Some(Area::File), files::__pread_chk as *const ()),
    (c"__pread64_chk", Some(Area::File), files::__pread64_chk as *const ()),
    (c"__pread64", Some(Area::File), files::__pread64 as *const ()),
    (c"__pwrite64", Some(Area::File), files::__pwrite64 as *const ()),
    (c"syscall", Some(Area::Thread), syscall::syscall as *const ()),
    (c"pthread_join", Some(Area::Thread), syscall::pthread_join as *const ()),
    (c"pthread_mutex_lock", Some(Area::Thread), mutex::pthread_mutex_lock as *const ()),
    (c"pthread_mutex_timedlock", Some(Area::Thread), mutex::pthread_mutex_timedlock as *const ()),
    (c"pthread_mutex_clocklock", Some(Area::Thread), mutex::pthread_mutex_clocklock as *const ()),
    (c"pthread_mutex_trylock", Some(Area::Thread), mutex::pthread_mutex_trylock as *const ()),
    (c"pthread_mutex_unlock", Some(Area::Thread), mutex::pthread_mutex_unlock as *const ()),
    (c"__pthread_mutex_lock", Some(Area::Thread), mutex::__pthread_mutex_lock as *const ()),
    (c"__pthread_mutex_trylock", Some(Area::Thread), mutex::__pthread_mutex_trylock as *const ()),
    (c"__pthread_mutex_unlock", Some(Area::Thread), mutex::__pthread_mutex_unlock as *const ()),
    (c"pthread_cond_wait", Some(Area::Thread), condition::pthread_cond_wait as *const ()),
    (c"pthread_cond_timedwait", Some(Area::Thread), condition::pthread_cond_timedwait as *const ()),
    (c"pthread_cond_clockwait", Some(Area::Thread), condition::pthread_cond_clockwait as *const ()),
    (c"pthread_cond_signal", Some(Area::Thread), condition::pthread_cond_signal as *const ()),
    (c"pthread_cond_broadcast", Some(Area::Thread), condition::pthread_cond_broadcast as *const ()),
    (c"pthread_once", Some(Area::Thread), once::pthread_once as *const ()),
    (c"pthread_rwlock_rdlock", Some(Area::Thread), rwlock::pthread_rwlock_rdlock as *const ()),
    (c"pthread_rwlock_wrlock", Some(Area::Thread), rwlock::pthread_rwlock_wrlock as *const ()),
    (
        c"pthread_rwlock_timedrdlock",
        Some(Area::Thread),
        rwlock::pthread_rwlock_timedrdlock as *const (),
    ),
    (
        c"pthread_rwlock_timedwrlock",
        Some(Area::Thread),
        rwlock::pthread_rwlock_timedwrlock as *const (),
    ),
    (
        c"pthread_rwlock_clockrdlock",
        Some(Area::Thread),
        rwlock::pthread_rwlock_clockrdlock as *const (),
    ),
    (
        c"pthread_rwlock_clockwrlock",
        Some(Area::Thread),
        rwlock::pthread_rwlock_clockwrlock as *const (),
    ),
    (c"pthread_rwlock_unlock", Some(Area::Thread), rwlock::pthread_rwlock_unlock as *const ()),
    (c"__pthread_rwlock_rdlock", Some(Area::Thread), rwlock::__pthread_rwlock_rdlock as *const ()),
    (c"__pthread_rwlock_wrlock", Some(Area::Thread), rwlock::__pthread_rwlock_wrlock as *const ()),
    (c"__pthread_rwlock_unlock", Some(Area::Thread), rwlock::__pthread_rwlock_unlock as *const ()),
    (c"sem_wait", Some(Area::Thread), semaphore::sem_wait as *const ()),
    (c"sem_timedwait", Some(Area::Thread), semaphore::sem_timedwait as *const ()),
    (c"sem_clockwait", Some(Area::Thread), semaphore::sem_clockwait as *const ()),
    (c"sem_post", Some(Area::Thread), semaphore::sem_post as *const ()),
];
