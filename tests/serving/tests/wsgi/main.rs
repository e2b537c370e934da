//! `eventlet::wsgi` as clients see it: raw sockets against a server on loopback.

mod conformance;
mod connections;
mod hostile;
mod limits;
mod options;
mod several;
mod sites;
mod support;
