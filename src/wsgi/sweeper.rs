//! Ends connections that are idle, slow, or stuck.
//!
//! One green thread looks at all connections of a server now and then. It costs a request nothing:
//! no timer is armed, and no clock is read, for any. The price is that an end may come a little
//! late, by an eighth of the shortest limit or by a second, whichever is less.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::options::Options;
use super::pulse::Phase;
use super::server::Server;
use crate::greenthread::sleep;

/// How long a peer that is told to go may take to notice.
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection that never sent anything is safe from being closed in favour of another.
const BENEFIT_OF_DOUBT: Duration = Duration::from_secs(1);

/// What the sweeper saw of a connection: since when nothing has changed.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    beats: u32,
    since: Option<Instant>,
}

/// Looks at all connections of a server now and then, until it is killed.
pub(super) async fn sweep(server: Server, options: Rc<Options>) {
    let period = period(&options);
    loop {
        sleep(period).await;
        let now = Instant::now();
        for connection in server.all() {
            look(&connection, now);
        }
    }
}

fn period(options: &Options) -> Duration {
    let limits = [options.keepalive, options.socket_timeout, options.protocol.header_timeout];
    let shortest = limits.into_iter().flatten().chain([LINGER]).min().unwrap_or(LINGER);
    (shortest / 8).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

/// Looks at a connection, and ends it if nothing has changed for too long.
fn look(connection: &Connection, now: Instant) {
    let age = age(connection, now);
    let pulse = &connection.pulse;
    let options = &connection.options;
    let phase = pulse.phase();
    let is_over = |limit: Option<Duration>| limit.is_some_and(|limit| age >= limit);
    let stuck = pulse.waits_writing()
        || phase == Phase::Busy && connection.reads_are_swept.get() && pulse.waits_reading();
    let is_late = match phase {
        Phase::Closing => age >= LINGER,
        Phase::Hijacked => false,
        _ if stuck => is_over(options.socket_timeout),
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
    let peer = &connection.peer.remote;
    connection.options.log.debug(&format_args!("({}) timed out ({peer})", std::process::id()));
}

/// Returns for how long nothing is known to have changed.
fn age(connection: &Connection, now: Instant) -> Duration {
    let beats = connection.pulse.beats();
    let mut seen = connection.seen.get();
    if seen.beats != beats || seen.since.is_none() {
        seen = Seen { beats, since: Some(now) };
        connection.seen.set(seen);
    }
    seen.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
}

/// Returns since when nothing is known to have changed.
pub(super) fn since(connection: &Connection, now: Instant) -> Instant {
    now - age(connection, now)
}

/// Returns whether a connection may be closed in favour of another.
pub(super) fn may_be_evicted(connection: &Connection, now: Instant) -> bool {
    let idle = connection.pulse.phase() == Phase::Idle && !connection.is_closing();
    let used = connection.requests.get() > 0;
    idle && !connection.pulse.waits_writing() && (used || age(connection, now) >= BENEFIT_OF_DOUBT)
}
