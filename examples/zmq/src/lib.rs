//! The examples of eventlet that speak ZeroMQ, over the crate `zeromq`, which needs no C library. A
//! package of its own, as that crate is a large one, and needs Rust 1.89.
//!
//! ```sh
//! cargo test -p eventlet-zmq-examples
//! ```
