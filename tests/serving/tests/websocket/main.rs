//! `eventlet::websocket` as its peers see it: raw sockets on loopback and in memory, and Python's
//! `websockets`.

mod client;
mod endings;
mod frames;
mod handshake;
mod outside;
mod secure;
mod support;
mod together;
