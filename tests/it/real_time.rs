//! Tests in both colours that wait for I/O or for other OS threads: on these a paused clock does
//! not wait.

/// Makes two tests of each body, as [`both_colours`](crate::support::both_colours) does, with the
/// wall's clock. No test sleeps on it.
macro_rules! both_colours_in_real_time {
    ($( $(#[$meta:meta])* fn $name:ident() $body:block )*) => {
        mod stackless {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::stackless::{green, wait};

            $( #[test] $(#[$meta])* fn $name() {
                crate::support::run_in_real_time(async move $body)
            } )*
        }

        #[cfg(feature = "stackful")]
        mod stackful {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::stackful::{green, wait};

            $( #[test] $(#[$meta])* fn $name() {
                crate::support::run_in_real_time(eventlet::stackful(move || $body))
            } )*
        }
    };
}
pub(crate) use both_colours_in_real_time;
