//! A request under way: counted while it lasts, logged when it ends.

use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use tokio::time::Instant;

use super::body::BoxError;
use super::connection::Connection;
use super::exchange::Exchange;
use super::format::{self, Record};

/// A request under way.
pub(super) struct Ticket {
    pub(super) connection: Rc<Connection>,
    /// The answer's. 0 until there is one.
    pub(super) status: u16,
    /// What is to be told that the response has gone.
    pub(super) exchange: Option<Rc<Exchange>>,
    body_length: u64,
    /// What is to be logged. `None` where nothing is, and then no clock is read.
    noted: Option<Box<Noted>>,
}

/// What is to be logged of a request.
struct Noted {
    began: Instant,
    request_line: String,
    forwarded: String,
}

impl Ticket {
    pub(super) fn of<B>(request: &Request<B>, connection: &Rc<Connection>) -> Ticket {
        let noted = connection.options.log.is_on().then(|| Noted::of(request, connection));
        Ticket {
            connection: Rc::clone(connection),
            status: 0,
            exchange: None,
            body_length: 0,
            noted,
        }
    }

    /// Counts what of a body goes out.
    pub(super) fn count(&mut self, frame: &Frame<Bytes>) {
        if let Some(piece) = frame.data_ref() {
            self.body_length += piece.len() as u64;
        }
    }

    /// Reports that the body broke off. One that a handler writes was reported by the handler's
    /// end.
    pub(super) fn failed(&self, error: &BoxError) {
        if !error.is::<Incomplete>() {
            self.connection.options.log.failure(&"in the body of a response", &error.to_string());
        }
    }

    fn log(&self, noted: &Noted) {
        self.connection.options.log.access(&Record {
            client: &self.connection.peer.remote,
            forwarded: &noted.forwarded,
            request_line: &noted.request_line,
            status: self.status,
            body_length: self.body_length,
            took: noted.began.elapsed(),
            request_id: self.connection.number,
        });
    }
}

impl Noted {
    fn of<B>(request: &Request<B>, connection: &Connection) -> Box<Noted> {
        let request_line =
            format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let forwarded = request.headers().get("x-forwarded-for");
        let forwarded = forwarded.filter(|_| connection.options.log_x_forwarded_for);
        let forwarded =
            forwarded.map_or_else(String::new, |value| format::forwarded(value.as_bytes()));
        Box::new(Noted { began: Instant::now(), request_line, forwarded })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connection.request_ended(self.body_length);
        if let Some(exchange) = self.exchange.take() {
            exchange.part_ended();
        }
        if let (Some(noted), 1..) = (&self.noted, self.status) {
            self.log(noted);
        }
    }
}

/// The error of a body whose writer failed, and said so.
#[derive(Debug)]
pub(super) struct Incomplete;

impl std::fmt::Display for Incomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body could not be completed")
    }
}

impl std::error::Error for Incomplete {}
