//! What these tests share.

use std::time::Duration;

use eventlet::debug::format_green_threads;
use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;

/// Makes two tests of each body, one in each colour: `wait!(future)` waits, and `green!({ .. })`
/// makes a future of the same colour. Each has a hub of its own with a paused clock, which it must
/// leave empty.
macro_rules! both_colours {
    ($( $(#[$meta:meta])* fn $name:ident() $body:block )*) => {
        mod stackless {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::stackless::{green, wait};

            $( #[test] $(#[$meta])* fn $name() { crate::support::run(async move $body) } )*
        }

        #[cfg(feature = "stackful")]
        mod stackful {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::stackful::{green, wait};

            $( #[test] $(#[$meta])* fn $name() {
                crate::support::run(eventlet::stackful(move || $body))
            } )*
        }
    };
}
pub(crate) use both_colours;

pub(crate) mod stackless {
    macro_rules! wait_stackless {
        ($future:expr) => {
            $future.await
        };
    }
    macro_rules! green_stackless {
        ($body:block) => {
            async move $body
        };
    }
    #[allow(unused_imports)]
    pub(crate) use {green_stackless as green, wait_stackless as wait};
}

#[cfg(feature = "stackful")]
pub(crate) mod stackful {
    macro_rules! wait_stackful {
        ($future:expr) => {
            eventlet::Block::block($future)
        };
    }
    macro_rules! green_stackful {
        ($body:block) => {
            eventlet::stackful(move || $body)
        };
    }
    #[allow(unused_imports)]
    pub(crate) use {green_stackful as green, wait_stackful as wait};
}

/// Runs a test under a paused clock, and asserts that it leaves its hub empty. When nobody can go
/// on the clock runs to the limit, and the test fails.
pub(crate) fn run(test: impl Future<Output = ()> + 'static) {
    let limit = Duration::from_secs(400 * 24 * 60 * 60);
    Builder::new().start_paused(true).run(guarded(test, limit)).unwrap();
}

/// Runs a test that waits for other OS threads, within a minute.
pub(crate) fn run_in_real_time(test: impl Future<Output = ()> + 'static) {
    Builder::new().run(guarded(test, Duration::from_secs(60))).unwrap();
}

async fn guarded(test: impl Future<Output = ()>, limit: Duration) {
    let in_time = tokio::time::timeout(limit, test).await;
    assert!(in_time.is_ok(), "nobody can go on:\n{}", format_green_threads());
    assert_eq!(get_hub().green_threads(), 1, "left behind:\n{}", format_green_threads());
}

/// So many milliseconds.
pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
