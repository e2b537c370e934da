//! TLS from outside: which peers are accepted, which are refused, and how a connection ends.

mod peers;
mod session;
mod streams;
mod support;
mod trouble;
mod trust;
