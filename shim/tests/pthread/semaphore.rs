//! Semaphores.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use eventlet::Block;
use libc::c_int;

use crate::c::Semaphore;
use crate::support::{MS, crowd, green, run, turns};

#[test]
fn semaphores_let_so_many_in() {
    run(|| {
        let (semaphore, inside) = (Semaphore::with_count(3), Rc::new(Cell::new(0)));
        crowd(30, move |_| {
            semaphore.wait();
            inside.set(inside.get() + 1);
            assert!(inside.get() <= 3);
            std::thread::sleep(MS);
            inside.set(inside.get() - 1);
            semaphore.post();
        });
    });
}

#[test]
fn a_signal_handler_posts() {
    static POSTS: AtomicU32 = AtomicU32::new(0);
    static SEMAPHORE: OnceLock<Semaphore> = OnceLock::new();
    extern "C" fn post(_: c_int) {
        POSTS.fetch_add(1, Ordering::SeqCst);
        SEMAPHORE.get().expect("it is there").post();
    }
    run(|| {
        let semaphore = *SEMAPHORE.get_or_init(|| Semaphore::with_count(0));
        // SAFETY: the handler does what one may.
        unsafe { libc::signal(libc::SIGUSR2, post as extern "C" fn(c_int) as usize) };
        // SAFETY: it has no arguments.
        let this = unsafe { libc::pthread_self() };
        let signals = std::thread::spawn(move || {
            for _ in 0..200 {
                let before = POSTS.load(Ordering::SeqCst);
                // SAFETY: that thread runs this test, which joins us.
                unsafe { libc::pthread_kill(this, libc::SIGUSR2) };
                while POSTS.load(Ordering::SeqCst) == before {
                    std::thread::yield_now();
                }
            }
        });
        let waiting: Vec<_> =
            (0..4).map(|_| green(move || (0..50).for_each(|_| semaphore.wait()))).collect();
        // The hub's own code is interrupted, and so is that of green threads.
        while !signals.is_finished() {
            turns(1);
        }
        waiting.into_iter().for_each(|one| one.block().unwrap());
        signals.join().unwrap();
    });
}
