//! TLS from outside: who is let in, who is not, and how a connection ends.

mod peers;
mod session;
mod streams;
mod support;
mod trouble;
mod trust;
