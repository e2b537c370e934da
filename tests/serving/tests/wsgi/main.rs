//! `eventlet::wsgi` as clients see it: raw sockets against a server on loopback.

mod conformance;
mod connections;
mod sites;
mod support;
