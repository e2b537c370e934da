//! Cheap green threads and plain, blocking-looking network code, on one OS thread.
//!
//! This is Python's eventlet for Rust: its names, its order of events and its ease, as a facade
//! over a current-thread Tokio runtime. A *green thread* is a future that the hub of an OS thread
//! runs; it is spawned, killed, linked and waited for as in eventlet.
//!
//! ```
//! use eventlet::{GreenPool, run};
//!
//! async fn fetch(page: u32) -> String {
//!     format!("page {page}")
//! }
//!
//! run(async {
//!     let pool = GreenPool::new(200);
//!     let mut pages = pool.imap(fetch, 1..=3);
//!     while let Some(page) = pages.next().await {
//!         println!("{}", page.unwrap());
//!     }
//! });
//! ```
//!
//! # Two colours
//!
//! Everything that waits is a future. A *stackless* green thread, an async fn, waits for it with
//! `.await`; a *stackful* one, a plain closure on a stack of its own, with `.block()`. So porting
//! follows one rule: where the eventlet call could switch, append one or the other.
//!
//! ```
//! # #[cfg(feature = "stackful")] {
//! use eventlet::{Block, Queue, run, spawn, stackful};
//!
//! run(async {
//!     let queue = Queue::new(1);
//!     let (plain, same) = (queue.clone(), queue.clone());
//!     spawn(async move { same.put("hello").await });
//!     let greeting = spawn(stackful(move || plain.get().block()));
//!     assert_eq!(greeting.await.unwrap(), "hello");
//! });
//! # }
//! ```
//!
//! # Where things are
//!
//! | to | use |
//! |---|---|
//! | start | [`run`], [`local`] inside a Tokio program, [`HubThread`] beside one, [`runtime::Builder`] |
//! | run many things | [`spawn`], [`GreenPool`], [`GreenPile`], [`dagpool`], [`sleep`], [`kill`] |
//! | share, or keep per green thread | [`pools`], [`corolocal`] |
//! | communicate | [`Queue`], [`Event`], [`Semaphore`]; across OS threads [`SharedQueue`](queue::SharedQueue) |
//! | limit time | [`Timeout`], [`with_timeout`] |
//! | use the network | [`connect`], [`listen`], [`serve`], [`greenio`], and every Tokio library |
//! | call blocking code | [`tpool::execute`], [`tpool::Proxy`] |
//! | use databases | [`db_pool`] |
//! | wait for descriptors, or be called when they are ready | [`hubs`] |
//! | see which green threads there are, which block, and which wait forever | [`debug`] |
//! | inspect a running program | [`backdoor`] |
//! | test every order of turns | `testing` (feature `test-util`) |
//! | serve the web | `wsgi` (feature `wsgi`) |
//! | encrypt | `wrap_ssl`, `ssl` (feature `ssl`) |
//! | exchange messages with browsers | `websocket` (feature `websocket`) |
//! | resolve names without OS threads | `greendns` (feature `greendns`) |
//! | write plain code | `stackful`, `Block`, `green` (feature `stackful`) |
//! | wait below C code | `lowlevel` (feature `stackful`) |
//! | ask whether libc is patched | [`patcher`] |
//!
//! # Beside Tokio
//!
//! The hub is one local task of a Tokio runtime, so `tokio::spawn`, `select!`, timers, sockets and
//! every library made for Tokio work in green threads, and handles of green threads work in Tokio's
//! tasks on the same OS thread. They are `!Send`: between OS threads use Tokio's channels, a
//! [`SharedQueue`](queue::SharedQueue), or the handles of a [`HubThread`].
//!
//! # Features
//!
//! - `stackful` (default): green threads with stacks of their own. Without it the crate needs no
//!   corosensei, and has `unsafe` only to pin a future, to make a waker from a number, to prefetch
//!   memory, and to read a source location in the watchdog.
//! - `wsgi`: HTTP/1.1 servers, by hyper, for functions and for tower services.
//! - `http2`: HTTP/2 in these servers.
//! - `websocket`: websocket servers and clients, with compression; it turns on `wsgi`.
//! - `ssl`: TLS, by rustls; `aws-lc-rs` changes its cryptography from ring, and `webpki-roots` adds
//!   Mozilla's authorities for systems without any.
//! - `greendns`: resolves names by name servers as `resolv.conf` says, by hickory, without an OS
//!   thread for each.
//! - `backtrace`: the blocking detector shows a backtrace of the running code.
//! - `metrics`: counts and gauges of a hub for the facade of that name.
//! - `full`: `backtrace`, `stackful`, `wsgi`, `websocket`, `ssl` and `greendns`.
//! - `test-util`: a paused clock, with Tokio's feature of that name, and `testing`, which runs a
//!   program under many orders of turns.
//!
//! # Elsewhere
//!
//! `monkey_patch` is in a crate of its own, `eventlet-shim`: it replaces functions of libc in the
//! whole program. [`patcher`] says whether it has.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod awaitable;
mod exit;
mod flat;
mod frames;
mod hub;
mod inputs;
mod os_thread;
mod probe;
mod report;
mod resolve;
mod several;
mod uninterruptible;
mod waiters;
mod watchdog;

#[cfg(unix)]
pub mod backdoor;
pub mod convenience;
pub mod corolocal;
pub mod dagpool;
pub mod db_pool;
pub mod debug;
pub mod event;
#[cfg(feature = "stackful")]
pub mod green;
#[cfg(feature = "greendns")]
pub mod greendns;
pub mod greenio;
pub mod greenpile;
pub mod greenpool;
pub mod greenthread;
pub mod hubs;
pub mod lock;
#[cfg(feature = "stackful")]
pub mod lowlevel;
pub mod patcher;
pub mod pools;
pub mod prelude;
pub mod queue;
pub mod runtime;
pub mod semaphore;
#[cfg(feature = "ssl")]
pub mod ssl;
#[cfg(feature = "stackful")]
pub mod stackful;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod timeout;
pub mod tpool;
#[cfg(feature = "websocket")]
pub mod websocket;
#[cfg(feature = "wsgi")]
pub mod wsgi;

pub use apply::Apply;
pub use awaitable::Awaitable;
pub use convenience::{StopServe, connect, listen, prefork, serve};
pub use event::Event;
pub use exit::{BoxError, Exit};
pub use flat::Flat;
pub use greenpile::GreenPile;
pub use greenpool::GreenPool;
pub use greenthread::{
    GreenThread, Greenlet, getcurrent, kill, sleep, spawn, spawn_after, spawn_after_local, spawn_n,
};
pub use queue::Queue;
pub use runtime::{HubThread, interrupted, local, run};
pub use semaphore::{BoundedSemaphore, CappedSemaphore, Semaphore};
pub use several::{wait_all, wait_any};
#[cfg(feature = "ssl")]
pub use ssl::wrap_ssl;
#[cfg(feature = "stackful")]
pub use stackful::{Block, Blocking, stackful};
pub use timeout::{Timeout, is_timeout, with_timeout};

#[cfg(all(doctest, feature = "ssl", feature = "stackful", feature = "websocket"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(doctest, unix))]
#[doc = include_str!("../docs/debugging.md")]
mod debugging {}

#[cfg(all(doctest, feature = "stackful"))]
#[doc = include_str!("../docs/porting.md")]
mod porting {}

#[cfg(all(doctest, feature = "ssl", feature = "stackful", feature = "websocket"))]
#[doc = include_str!("../docs/serving.md")]
mod serving {}
