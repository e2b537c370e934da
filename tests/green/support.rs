//! What these tests share.

use std::time::Duration;

use eventlet::runtime::Builder;
use eventlet::stackful;

/// Runs a test on a green stack. A test that hangs fails.
pub(crate) fn green<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    eventlet::run(async {
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, stackful(test)).await.expect("the test hangs")
    })
}

/// Runs a test on a green stack and a clock that stands still, and goes on by itself only when
/// nothing else can happen.
pub(crate) fn green_paused<T: 'static>(test: impl FnOnce() -> T + 'static) -> T {
    Builder::new().start_paused(true).run(stackful(test)).unwrap()
}

/// Returns how many descriptors this process has open.
pub(crate) fn open_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}
