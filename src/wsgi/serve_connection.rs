//! Serves one connection: the TLS handshake, HTTP, and what a site runs on it after that.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::Phase;
use super::connection::Connection;
use super::dispatch::Dispatch;
use super::graceful::Ended;
#[cfg(not(feature = "http2"))]
use super::http1::serve;
#[cfg(feature = "http2")]
use super::http2::serve;
use super::log_format::Record;
use super::server::Server;
use super::site::Handler;
use super::socket::Socket;
use super::tls::shake_hands;

/// Serves a connection to its end.
pub(super) async fn serve_connection<T, H>(
    mut io: T,
    handler: Rc<H>,
    connection: Rc<Connection>,
    server: Server,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    match connection.unless_closing(shake_hands(&mut io)).await {
        Some(Ok(session)) => drop(session.map(|session| connection.session.set(session))),
        Some(Err(error)) => return note_end(&Ended::Broken(error.into()), &connection, &server),
        None => return,
    }
    let socket = Socket::new(io, Arc::clone(&connection.activity));
    let dispatch = Dispatch::new(handler, Rc::clone(&connection), server.clone());
    let ended = serve(socket, dispatch, &connection).await;
    note_end(&ended, &connection, &server);
    if let (Ended::Complete, Some(takeover)) = (ended, connection.take_takeover()) {
        connection.activity.enter(Phase::Hijacked);
        takeover.await;
    }
}

/// Counts and logs what went wrong.
fn note_end(ended: &Ended, connection: &Connection, server: &Server) {
    match ended {
        Ended::Complete => {}
        Ended::Refused(status) => {
            server.refused();
            log_refused(*status, connection);
        }
        Ended::Broken(error) => {
            let (number, client) = (connection.number, &connection.addresses.remote);
            let log = &connection.options.log;
            log.debug(&format_args!("connection {number} of {client}: {error}"));
        }
    }
}

/// Logs a head that hyper has refused: there was no request yet.
fn log_refused(status: StatusCode, connection: &Connection) {
    let log = &connection.options.log;
    if log.is_on() {
        log.access(&Record {
            client: &connection.addresses.remote,
            forwarded: "",
            request_line: "-",
            status: status.as_u16(),
            body_length: 0,
            took: Duration::ZERO,
            request_id: connection.number,
        });
    }
}
