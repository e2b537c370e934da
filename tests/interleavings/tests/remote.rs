//! Runs `src/hub/remote.rs` under loom, in every interleaving: no wakeup of a green thread that
//! comes from another OS thread is lost.
//!
//! The file is compiled in here, over loom's types. What stands for the hub keeps Tokio's promise
//! and no more: a task that was woken is polled again, also when it was woken while it was being
//! polled.

#[path = "../../../src/hub/remote.rs"]
mod remote;

mod sync {
    pub(crate) use loom::sync::Mutex;
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use loom::sync::atomic::AtomicUsize;
use loom::thread::{self, Thread};

use remote::Remote;

/// A Tokio task. Its wakeups since its last poll began are one token of the thread that polls it.
struct Task {
    thread: Thread,
    /// Whether the hub is this task still. Not one of loom's: it belongs to the model.
    polled: AtomicBool,
}

impl Task {
    fn new() -> Arc<Task> {
        Arc::new(Task { thread: thread::current(), polled: AtomicBool::new(true) })
    }
}

impl Wake for Task {
    fn wake(self: Arc<Task>) {
        if self.polled.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

/// Polls like a hub, from its first poll on, until it has seen so many names, and returns them in
/// order. After its first poll by one task it is in the hands of the next.
fn hub(remote: &Remote, tasks: &[Arc<Task>], expected: usize) -> Vec<usize> {
    let mut names = Vec::new();
    for task in tasks {
        tasks.iter().for_each(|old| old.polled.store(Arc::ptr_eq(old, task), Ordering::SeqCst));
        remote.attach(Waker::from(Arc::clone(task)));
        names.extend(remote.collect());
    }
    while names.len() < expected {
        // Where nobody wakes it any more loom reports a deadlock.
        thread::park();
        names.extend(remote.collect());
    }
    names
}

#[test]
fn the_wakeup_of_one_thread_arrives() {
    loom::model(|| {
        let remote = Arc::new(Remote::new());
        let waker = thread::spawn({
            let remote = Arc::clone(&remote);
            move || remote.wake(7)
        });
        assert_eq!(hub(&remote, &[Task::new()], 1), [7]);
        waker.join().unwrap();
        assert!(remote.collect().is_empty());
    });
}

#[test]
fn all_wakeups_of_one_thread_arrive_in_order() {
    loom::model(|| {
        let remote = Arc::new(Remote::new());
        let waker = thread::spawn({
            let remote = Arc::clone(&remote);
            move || (0..3).for_each(|name| remote.wake(name))
        });
        assert_eq!(hub(&remote, &[Task::new()], 3), [0, 1, 2]);
        waker.join().unwrap();
        assert!(remote.collect().is_empty());
    });
}

#[test]
fn the_wakeups_of_two_threads_arrive() {
    loom::model(|| {
        let remote = Arc::new(Remote::new());
        let wakers = [&[0, 1][..], &[2]].map(|names| {
            let remote = Arc::clone(&remote);
            thread::spawn(move || names.iter().for_each(|name| remote.wake(*name)))
        });
        let mut names = hub(&remote, &[Task::new()], 3);
        names.sort_unstable();
        assert_eq!(names, [0, 1, 2]);
        for waker in wakers {
            waker.join().unwrap();
        }
        assert!(remote.collect().is_empty());
    });
}

/// Whoever is woken while it is woken already has one turn, and that sees whatever came before the
/// last wakeup.
#[test]
fn wakeups_of_one_green_thread_coalesce_and_the_last_one_is_not_lost() {
    loom::model(|| {
        let (remote, news) = (Arc::new(Remote::new()), Arc::new(AtomicUsize::new(0)));
        let waker = thread::spawn({
            let (remote, news) = (Arc::clone(&remote), Arc::clone(&news));
            move || {
                for number in 1..=3 {
                    news.store(number, Ordering::Release);
                    remote.wake(7);
                }
            }
        });
        let task = Task::new();
        remote.attach(Waker::from(Arc::clone(&task)));
        loop {
            let names = remote.collect();
            assert!(names.len() <= 1, "one entry for a green thread");
            if !names.is_empty() && news.load(Ordering::Acquire) == 3 {
                break;
            }
            // Where the last wakeup is lost loom reports a deadlock.
            thread::park();
        }
        // Loom takes an unpark for the end of a `join`.
        task.polled.store(false, Ordering::SeqCst);
        waker.join().unwrap();
        assert!(remote.collect().len() <= 1);
    });
}

/// A hub is another Tokio task when its `local` is handed from one task to another.
#[test]
fn a_wakeup_follows_the_hub_to_another_task() {
    loom::model(|| {
        let remote = Arc::new(Remote::new());
        let wakers = [0, 1].map(|name| {
            let remote = Arc::clone(&remote);
            thread::spawn(move || remote.wake(name))
        });
        let mut names = hub(&remote, &[Task::new(), Task::new()], 2);
        names.sort_unstable();
        assert_eq!(names, [0, 1]);
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

#[test]
fn a_wakeup_that_comes_before_the_hub_s_first_poll_arrives() {
    loom::model(|| {
        let remote = Arc::new(Remote::new());
        remote.wake(7);
        let waker = thread::spawn({
            let remote = Arc::clone(&remote);
            move || remote.wake(8)
        });
        assert_eq!(hub(&remote, &[Task::new()], 2), [7, 8]);
        waker.join().unwrap();
    });
}
