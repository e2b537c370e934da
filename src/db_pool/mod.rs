//! Pools of database connections.
//!
//! A [`ConnectionPool`] makes connections when they are needed, up to a number, and lends each to
//! one green thread at a time. A returned connection is cleaned first, with a rollback for example:
//! so no borrower meets the transaction of another, which may have been killed in the middle of it.
//! A connection that cannot be cleaned is closed, unless its borrower put it back. Connections that
//! are broken, too old or idle for too long are closed, too. A [`DatabaseConnector`] keeps one pool
//! for each host and database.
//!
//! A pool uses a database through the trait [`Database`]. A function that connects is one:
//!
//! | driver | database |
//! |---|---|
//! | an async one: tokio-postgres, mysql_async, redis | a closure that returns the future of a connection |
//! | a blocking one, on OS threads: rusqlite, postgres | [`Tpooled`] |
//! | a blocking one, on a green stack | `\|\| stackful(connect)` |
//! | one with a manager for the pool crate bb8 or deadpool | `Bb8`, `Deadpool`, by the features of those names |
//! | any of these, and a way to roll back | [`Cleaned`], [`Tpooled::cleanup`] |
//! | one that can tell that it is broken | an own implementation of [`Database`] |
//!
//! Corresponds to `eventlet.db_pool`.
//!
//! # Examples
//!
//! ```
//! use eventlet::db_pool::ConnectionPool;
//!
//! struct Connection;
//!
//! impl Connection {
//!     async fn query(&mut self, _sql: &str) -> u32 {
//!         42
//!     }
//! }
//!
//! async fn connect() -> std::io::Result<Connection> {
//!     Ok(Connection)
//! }
//!
//! eventlet::run(async {
//!     let pool = ConnectionPool::new(connect).max_size(10);
//!     let mut connection = pool.get().await.unwrap();
//!     assert_eq!(connection.query("select 42").await, 42);
//! });
//! ```
//!
//! # Not here
//!
//! `GenericConnectionWrapper` and its list of methods: a [`Pooled`] dereferences to the connection.

#[cfg(feature = "bb8")]
mod bb8;
mod cleaned;
mod connector;
mod database;
#[cfg(feature = "deadpool")]
mod deadpool;
mod error;
mod expiry;
mod pool;
mod pooled;
mod shared;
mod stats;
mod tpooled;

#[cfg(feature = "bb8")]
pub use bb8::Bb8;
pub use cleaned::Cleaned;
pub use connector::{DatabaseConnector, UnknownHost};
pub use database::Database;
#[cfg(feature = "deadpool")]
pub use deadpool::Deadpool;
pub use error::GetError;
pub use pool::ConnectionPool;
pub use pooled::Pooled;
pub use stats::PoolStats;
pub use tpooled::{Tpooled, TpooledConnection};
