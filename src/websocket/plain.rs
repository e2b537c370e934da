//! `wss://`, without the feature `ssl`.

use std::io;

use super::connection::Io;
use crate::convenience::{Connect, Tcp};

/// Stands for the options of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls;

impl Tls {
    pub(super) async fn secure(&self, _: Connect<Tcp>) -> io::Result<Box<dyn Io>> {
        let cure = "wss:// needs TLS: build eventlet with the feature `ssl`, or make the TLS stream, and \
                    connect with `.over(stream)`";
        Err(io::Error::new(io::ErrorKind::Unsupported, cure))
    }
}
