//! One text, two colours.

/// Makes two modules of some functions: in `stackless` the body of each `green fn` is that of an
/// async fn, in `stackful` that of a closure on a stack of its own. `wait!(future)` waits in
/// either, and `green!({ .. })` is a future of the same colour.
macro_rules! both_colours {
    ($($item:item)*) => {
        // A function that makes a green thread of either colour is no async fn.
        #[allow(clippy::manual_async_fn)]
        mod stackless {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_macros)]
            macro_rules! wait {
                ($future:expr) => {
                    $future.await
                };
            }
            #[allow(unused_macros)]
            macro_rules! green {
                ($body:block) => {
                    async move $body
                };
            }
            $($item)*
        }

        #[cfg(feature = "stackful")]
        mod stackful {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_macros)]
            macro_rules! wait {
                ($future:expr) => {
                    eventlet::Block::block($future)
                };
            }
            #[allow(unused_macros)]
            macro_rules! green {
                ($body:block) => {
                    eventlet::stackful(move || $body)
                };
            }
            $($item)*
        }
    };
}
