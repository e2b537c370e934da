//! What is initialized once.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::c::{Of, pthread_once};
use crate::support::{MS, crowd, run};

#[test]
fn what_is_initialized_once_may_wait_meanwhile() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn initialize() {
        std::thread::sleep(5 * MS);
        COUNT.fetch_add(1, Ordering::SeqCst);
    }
    let control = Of::new(libc::PTHREAD_ONCE_INIT);
    let initialized = move || {
        assert_eq!(pthread_once(control, initialize), 0);
        assert_eq!(COUNT.load(Ordering::SeqCst), 1);
    };
    let other = std::thread::spawn(move || {
        std::thread::sleep(3 * MS);
        initialized();
    });
    run(move || drop(crowd(20, move |_| initialized())));
    other.join().unwrap();
}
