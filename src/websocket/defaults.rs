//! Limits that hold unless others are set.

use std::time::Duration;

/// How many bytes a message may have. Eventlet's `DEFAULT_MAX_FRAME_LENGTH`.
pub(super) const MAX_FRAME_LENGTH: usize = 8 << 20;

/// After how long a silence the peer is pinged.
pub(super) const PING_INTERVAL: Option<Duration> = Some(Duration::from_secs(30));

/// How long the peer's close frame is waited for.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long connecting may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
