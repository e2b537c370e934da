//! A paused clock stands while an OS thread is at what a green thread waits for, and goes on where
//! that is another green thread, which waits for the clock.

#![allow(unsafe_code)]

mod support;

use std::cell::UnsafeCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::thread;
use std::time::Duration;

use eventlet::{Block, GreenThread, spawn, stackful};
use support::{MS, green, run_paused};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// Something that a green thread waits for, without a limit.
type Wait = Box<dyn FnOnce()>;

/// What makes that wait end, some time after it has said that it is at it.
type End = Box<dyn FnOnce(Sender<()>) + Send>;

/// Takes its time, of which an OS thread has only the real one.
fn works(begun: &Sender<()>, time: Duration) {
    begun.send(()).unwrap();
    thread::sleep(time);
}

fn std_mutex(time: Duration) -> (Wait, End) {
    let mutex = Arc::new(Mutex::new(()));
    let other = Arc::clone(&mutex);
    let end = move |begun: Sender<()>| {
        let _locked = other.lock().unwrap();
        works(&begun, time);
    };
    (Box::new(move || drop(mutex.lock().unwrap())), Box::new(end))
}

fn std_condvar(time: Duration) -> (Wait, End) {
    let both = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&both);
    let end = move |begun: Sender<()>| {
        works(&begun, time);
        *other.0.lock().unwrap() = true;
        other.1.notify_one();
    };
    let wait = move || {
        let locked = both.0.lock().unwrap();
        drop(both.1.wait_while(locked, |done| !*done).unwrap());
    };
    (Box::new(wait), Box::new(end))
}

fn std_once(time: Duration) -> (Wait, End) {
    let once = Arc::new(Once::new());
    let other = Arc::clone(&once);
    let end = move |begun: Sender<()>| other.call_once(|| works(&begun, time));
    (Box::new(move || once.call_once(|| unreachable!())), Box::new(end))
}

fn std_park(time: Duration) -> (Wait, End) {
    let done = Arc::new(Mutex::new(false));
    let (other, waiter) = (Arc::clone(&done), thread::current());
    let end = move |begun: Sender<()>| {
        works(&begun, time);
        *other.lock().unwrap() = true;
        waiter.unpark();
    };
    let wait = move || {
        while !*done.lock().unwrap() {
            thread::park();
        }
    };
    (Box::new(wait), Box::new(end))
}

fn c_mutex(time: Duration) -> (Wait, End) {
    let mutex = Arc::new(CMutex(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER)));
    let other = Arc::clone(&mutex);
    let end = move |begun: Sender<()>| {
        other.lock();
        works(&begun, time);
        other.unlock();
    };
    let wait = move || {
        mutex.lock();
        mutex.unlock();
    };
    (Box::new(wait), Box::new(end))
}

struct CMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: it is for many threads.
unsafe impl Send for CMutex {}
// SAFETY: it is for many threads.
unsafe impl Sync for CMutex {}

impl CMutex {
    fn lock(&self) {
        // SAFETY: it stays where it is.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.0.get()) }, 0);
    }

    fn unlock(&self) {
        // SAFETY: it stays where it is.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(self.0.get()) }, 0);
    }
}

const ALL: [fn(Duration) -> (Wait, End); 5] = [std_mutex, std_condvar, std_once, std_park, c_mutex];

/// Starts a green thread that would see it if the clock went on.
fn sleeper() -> GreenThread<()> {
    green(|| eventlet::sleep(MS).block())
}

#[test]
fn it_stands_while_an_os_thread_is_at_it() {
    run_paused(|| {
        for (number, what) in ALL.into_iter().enumerate() {
            let (wait, end) = what(20 * MS);
            let (begun, has_begun) = channel();
            let start = Instant::now();
            let os_thread = thread::spawn(move || end(begun));
            has_begun.recv().unwrap();
            let sleeper = sleeper();
            wait();
            os_thread.join().unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO, "of case {number}");
            sleeper.kill();
        }
    });
}

#[test]
fn it_stands_while_an_os_thread_is_joined_and_while_it_sends() {
    run_paused(|| {
        let start = Instant::now();
        let sleeper = sleeper();
        thread::spawn(|| thread::sleep(20 * MS)).join().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| thread::sleep(20 * MS));
        });
        let (sender, receiver) = channel();
        let os_thread = thread::spawn(move || {
            for number in 0..5 {
                thread::sleep(5 * MS);
                sender.send(number).unwrap();
            }
        });
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        os_thread.join().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleeper.kill();
    });
}

#[test]
fn it_goes_on_where_another_green_thread_is_at_it() {
    run_paused(|| {
        for (number, what) in ALL.into_iter().enumerate() {
            let (wait, end) = what(MINUTE);
            let (begun, _has_begun) = channel();
            let start = Instant::now();
            let other = green(move || end(begun));
            wait();
            let late = start.elapsed().checked_sub(MINUTE);
            assert!(late.is_some_and(|late| late < 10 * MS), "{late:?}, of case {number}");
            other.block().unwrap();
        }
    });
}

#[test]
fn it_goes_on_where_the_os_thread_waits_for_a_green_thread() {
    run_paused(|| {
        let (sender, receiver): (Sender<u32>, Receiver<u32>) = channel();
        let start = Instant::now();
        let os_thread = thread::spawn(move || receiver.recv().unwrap());
        let _sends = spawn(stackful(move || {
            thread::sleep(MINUTE);
            sender.send(1).unwrap();
        }));
        assert_eq!(os_thread.join().unwrap(), 1);
        assert_eq!(start.elapsed(), MINUTE);
    });
}
