//! Which library does the cryptography. A context carries it, so nothing process-wide is installed.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as library;
#[cfg(not(feature = "aws-lc-rs"))]
use rustls::crypto::ring as library;

pub(super) use library::Ticketer;

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(library::default_provider())
}
