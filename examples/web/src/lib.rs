//! Examples that need more libraries than the crate itself: each is in `examples/` beside this.
//!
//!     cargo run -p eventlet-web-examples --example axum_service
