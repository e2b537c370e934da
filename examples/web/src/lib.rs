//! Examples that need more libraries than the crate itself: each is in `examples/` beside this.
//!
//! ```sh
//! cargo run -p eventlet-web-examples --example axum_service
//! ```
