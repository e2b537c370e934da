//! Starting a server: its options, and its life.
//!
//! | file | what it holds |
//! |---|---|
//! | `builder` | a server that is being configured |
//! | `log_options`, `http_options`, `connection_options` | its options, by subject |
//! | `run` | a server, from its start to its end |

mod builder;
mod connection_options;
mod http_options;
mod log_options;
mod run;

pub use builder::{Serving, server};
pub use connection_options::KeepAlive;
pub use run::Served;
