//! `eventlet::wsgi` as clients see it: raw sockets against a server on loopback.

mod conformance;
mod connections;
mod descriptors;
mod green;
mod hostile;
mod limits;
mod options;
mod secure;
mod several;
mod sites;
mod support;
