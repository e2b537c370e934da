//! Speaks what a server can: HTTP/1 alone, without the feature `http2`.

pub(super) use super::speak::http1 as speak;
