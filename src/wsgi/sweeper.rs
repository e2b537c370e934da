//! Ends connections that are idle, slow, or stuck.
//!
//! One green thread checks all connections of a server periodically. This costs a request nothing:
//! it arms no timer and reads no clock. The price is that a connection may end late, by an eighth
//! of the shortest limit or by a second, whichever is less.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::activity::Phase;
use super::connection::Connection;
use super::options::Options;
use crate::greenthread::sleep;

/// How long the peer of a connection that is closing may take to close, too.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks all connections periodically, until it is killed.
pub(super) async fn sweep(connections: impl Fn() -> Vec<Rc<Connection>>, options: Rc<Options>) {
    let period = period(&options);
    loop {
        sleep(period).await;
        let now = Instant::now();
        for connection in connections() {
            check(&connection, now);
        }
    }
}

fn period(options: &Options) -> Duration {
    let limits = [options.keepalive, options.socket_timeout, options.protocol.header_timeout];
    let shortest =
        limits.into_iter().flatten().chain([CLOSING_TIMEOUT]).min().unwrap_or(CLOSING_TIMEOUT);
    (shortest / 8).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// Ends a connection if nothing has changed for too long.
fn check(connection: &Connection, now: Instant) {
    let unchanged = connection.unchanged_for(now);
    let Connection { activity, options, .. } = connection;
    let phase = activity.phase();
    let is_over = |limit: Option<Duration>| limit.is_some_and(|limit| unchanged >= limit);
    let is_stuck = activity.waits_to_write()
        || phase == Phase::Busy && connection.reads_are_swept.get() && activity.waits_to_read();
    let is_late = match phase {
        Phase::Closing => unchanged >= CLOSING_TIMEOUT,
        Phase::Hijacked => false,
        _ if is_stuck => is_over(options.socket_timeout),
        Phase::Head => is_over(options.protocol.header_timeout),
        Phase::Idle if is_over(options.keepalive.or(options.protocol.header_timeout)) => {
            log_timed_out(connection);
            connection.close();
            false
        }
        Phase::Idle | Phase::Busy => false,
    };
    if is_late {
        log_timed_out(connection);
        connection.cut();
    }
}

fn log_timed_out(connection: &Connection) {
    let client = &connection.addresses.remote;
    connection.options.log.debug(&format_args!("({}) timed out ({client})", std::process::id()));
}
