//! A request that is being answered: counted until its response was sent, then logged.

use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use tokio::time::Instant;

use super::channel::Incomplete;
use super::connection::Connection;
use super::exchange::Exchange;
use super::log_format::{self, Record};
use super::server::Server;
use crate::exit::BoxError;

/// A request that is being answered.
pub(super) struct InFlight {
    pub(super) connection: Rc<Connection>,
    pub(super) server: Server,
    /// The response's. 0 until there is one.
    pub(super) status: u16,
    /// Learns that the response was sent.
    pub(super) exchange: Option<Rc<Exchange>>,
    body_length: u64,
    /// What the log says of the request. `None` if the log is off: then no clock is read.
    logged: Option<Box<Logged>>,
}

/// What the log says of a request.
struct Logged {
    began: Instant,
    request_line: String,
    forwarded: String,
}

impl InFlight {
    #[inline]
    pub(super) fn new<B>(
        request: &Request<B>,
        connection: &Rc<Connection>,
        server: &Server,
    ) -> InFlight {
        connection.request_began();
        server.request_began();
        let logged = connection.options.log.is_on().then(|| Logged::of(request, connection));
        InFlight {
            connection: Rc::clone(connection),
            server: server.clone(),
            status: 0,
            exchange: None,
            body_length: 0,
            logged,
        }
    }

    /// Counts a part of the body that is sent.
    pub(super) fn count(&mut self, frame: &Frame<Bytes>) {
        if let Some(piece) = frame.data_ref() {
            self.body_length += piece.len() as u64;
        }
    }

    /// Logs that the body broke off. That of a handler's body is logged where the handler ends.
    pub(super) fn body_failed(&self, error: &BoxError) {
        if !error.is::<Incomplete>() {
            self.connection.options.log.failure(&"in the body of a response", &error.to_string());
        }
    }

    fn log(&self, logged: &Logged) {
        self.connection.options.log.access(&Record {
            client: &self.connection.addresses.remote,
            forwarded: &logged.forwarded,
            request_line: &logged.request_line,
            status: self.status,
            body_length: self.body_length,
            took: logged.began.elapsed(),
            request_id: self.connection.number,
        });
    }
}

impl Logged {
    fn of<B>(request: &Request<B>, connection: &Connection) -> Box<Logged> {
        let request_line =
            format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let forwarded = request.headers().get("x-forwarded-for");
        let forwarded = forwarded.filter(|_| connection.options.log_x_forwarded_for);
        let forwarded =
            forwarded.map_or_else(String::new, |value| log_format::forwarded(value.as_bytes()));
        Box::new(Logged { began: Instant::now(), request_line, forwarded })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.connection.request_ended();
        self.server.request_ended(self.body_length);
        if let Some(exchange) = self.exchange.take() {
            exchange.part_ended();
        }
        if let (Some(logged), 1..) = (&self.logged, self.status) {
            self.log(logged);
        }
    }
}
