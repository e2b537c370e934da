//! How long waits may take, and a paused clock, which stands while other OS threads work.
//!
//! # A paused clock
//!
//! Tokio lets a paused clock go on to the next timer when its runtime has nothing left to do. But a
//! green thread may wait for what another OS thread is at, as for a lock, and that takes real time.
//! Whom it waits for nobody can tell. So a wait without a limit holds the clock while any other OS
//! thread of the process works: until at two looks in a row none does, and for a second at most.
//!
//! An OS thread works that runs, or is about to, that waits for a page or a disk, or that sleeps.
//! One that waits for a lock, a descriptor or a child does not: for all one knows it waits for a
//! green thread of this hub, and that one for the clock.
//!
//! A wait with a limit does not hold the clock: it says itself how far that may go on.
//!
//! Tokio holds a paused clock while its blocking pool has work, and offers no other way. So an OS
//! thread of that pool looks, one for all waits of a hub. While the clock is not paused there is
//! none.

use std::cell::RefCell;
use std::ffi::c_long;
use std::fs;
use std::future::poll_fn;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use eventlet::lowlevel;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::real::Call;

/// A moment after which a call does not wait any longer.
#[derive(Default)]
pub(crate) struct Deadline(Option<eventlet::greenthread::Sleep>);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Deadline {
        Deadline(Some(eventlet::sleep(duration)))
    }

    pub(crate) fn is_never(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(sleep) => Pin::new(sleep).poll(cx),
            None => Poll::Pending,
        }
    }
}

/// Returns how long to wait before something is looked at again: half a millisecond at first, twice
/// as long each time, up to `most`.
pub(crate) fn pause(count: u32, most: Duration) -> Duration {
    Duration::from_micros(500 << count.min(10)).min(most)
}

/// Waits for a future, and holds a paused clock meanwhile.
pub(crate) async fn held<F: Future>(future: F) -> F::Output {
    let (mut looks, mut future) = (None, pin!(future));
    poll_fn(|cx| {
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() {
            looks.get_or_insert_with(Looks::of_hub);
        }
        poll
    })
    .await
}

/// Returns whether the clock of this hub shows the time of the system: one that is or was paused
/// does not.
fn is_the_systems() -> bool {
    let before = Instant::now();
    let hubs = tokio::time::Instant::now().into_std();
    before <= hubs && hubs <= Instant::now()
}

/// The looks at the OS threads of the process, on behalf of a hub. They hold its clock.
struct Looks {
    job: JoinHandle<()>,
    end: Option<Sender<()>>,
}

/// How much later the next look is.
const EVERY: Duration = Duration::from_millis(1);

/// How long looks go on at most: a lock may be another green thread's, which waits for the clock,
/// while OS threads work that have nothing to do with it.
const LONGEST: Duration = Duration::from_secs(1);

thread_local! {
    static OF_HUB: RefCell<Weak<Looks>> = const { RefCell::new(Weak::new()) };
}

impl Looks {
    /// Returns those of the hub of this OS thread, which begin now if there are none. `None` where
    /// its clock is not paused.
    fn of_hub() -> Option<Rc<Looks>> {
        if is_the_systems() {
            return None;
        }
        let there = OF_HUB.try_with(|looks| looks.borrow().upgrade()).ok()?;
        there.filter(|looks| !looks.are_over()).or_else(|| {
            let new = Rc::new(Looks::start()?);
            OF_HUB.set(Rc::downgrade(&new));
            Some(new)
        })
    }

    fn start() -> Option<Looks> {
        let runtime = Handle::try_current().ok()?;
        let hub = number();
        let (end, ended) = channel();
        Some(Looks { job: runtime.spawn_blocking(move || look(hub, &ended)), end: Some(end) })
    }

    fn are_over(&self) -> bool {
        self.job.is_finished()
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        lowlevel::without_waiting(|| {
            drop(self.end.take());
            // In case they have not begun.
            self.job.abort();
        });
    }
}

/// Looks at the other OS threads until none of them works, or it is told to end.
fn look(hub: u32, ended: &Receiver<()>) {
    let (start, not_these) = (Instant::now(), [hub, number()]);
    let mut idle = 0;
    while idle < 2 && start.elapsed() < LONGEST {
        idle = if another_works(not_these) { 0 } else { idle + 1 };
        if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Returns the number of this OS thread.
fn number() -> u32 {
    // SAFETY: it has no arguments.
    unsafe { Call::new(libc::SYS_gettid, []) }.make() as u32
}

/// Returns whether an OS thread of this process works, but for two.
fn another_works(not_these: [u32; 2]) -> bool {
    let Ok(all) = fs::read_dir("/proc/self/task") else { return false };
    all.flatten().any(|thread| {
        let number = thread.file_name().to_str().and_then(|number| number.parse().ok());
        number.is_some_and(|number| !not_these.contains(&number)) && works(&thread.path())
    })
}

/// Returns whether an OS thread works, by its folder in `/proc`.
fn works(thread: &Path) -> bool {
    let text = |name| fs::read_to_string(thread.join(name)).unwrap_or_default();
    let stat = text("stat");
    // The name before it may have anything in it.
    match stat.rsplit(") ").next().and_then(|rest| rest.chars().next()) {
        Some('R' | 'D') => true,
        Some('S') => is_sleep(&text("syscall")),
        _ => false,
    }
}

/// Returns whether that is the system call of an OS thread that sleeps.
fn is_sleep(call: &str) -> bool {
    let number = call.split(' ').next().and_then(|number| number.parse::<c_long>().ok());
    number.is_some_and(|it| it == libc::SYS_nanosleep || it == libc::SYS_clock_nanosleep)
}
