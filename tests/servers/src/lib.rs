//! Servers that `eventlet` asks: name servers of our own, and databases, where they are installed.
//! A package of its own, so that `cargo test` of the crate does not build what they need.
//!
//! ```sh
//! cargo test -p eventlet-servers
//! ```

mod mariadb;
mod postgres;
mod program;
mod redis;

pub use mariadb::Mariadb;
pub use postgres::Postgres;
pub use program::TempDir;
pub use redis::Redis;
