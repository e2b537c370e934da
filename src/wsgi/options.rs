//! The options of a server.

use std::panic::Location;
use std::time::Duration;

use super::log::Log;
use super::protocol::Protocol;

/// The options of a server; [`Serving`](super::Serving) explains them.
pub(super) struct Options {
    /// The line that made the server: the spawn place of its green threads.
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) log: Log,
    pub(super) environ: Vec<(String, String)>,
    pub(super) http10: bool,
    pub(super) protocol: Protocol,
    pub(super) minimum_chunk_size: Option<usize>,
    pub(super) log_x_forwarded_for: bool,
    /// How long a connection may be idle. `None` closes it after its first response.
    pub(super) keepalive: Option<Duration>,
    pub(super) debug: bool,
    pub(super) socket_timeout: Option<Duration>,
    pub(super) capitalize_response_headers: bool,
    pub(super) shutdown_timeout: Option<Duration>,
    pub(super) kill_on_disconnect: bool,
    pub(super) drain_unread: usize,
    pub(super) tcp_nodelay: bool,
}

/// How long a connection may be idle by default.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(75);

impl Options {
    pub(super) fn new(spawned_at: &'static Location<'static>) -> Options {
        Options {
            spawned_at,
            log: Log::default(),
            environ: Vec::new(),
            http10: false,
            protocol: Protocol::http1(),
            minimum_chunk_size: None,
            log_x_forwarded_for: true,
            keepalive: Some(KEEPALIVE),
            debug: false,
            socket_timeout: Some(Duration::from_secs(60)),
            capitalize_response_headers: true,
            shutdown_timeout: None,
            kill_on_disconnect: false,
            drain_unread: 64 * 1024,
            tcp_nodelay: true,
        }
    }
}
