//! What a server logs, and where.

use std::io;

use tracing::Level;

use super::builder::Serving;
use crate::wsgi::log::Sink;
use crate::wsgi::log_format::Format;

impl<L, S, K> Serving<L, S, K> {
    /// Writes the log to a writer. By default it goes to `tracing`, target `eventlet::wsgi`, or to
    /// standard error if there is no subscriber.
    ///
    /// A writer that fails ends the log, not the server.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::fs::File;
    /// # let path = std::env::temp_dir().join(format!("eventlet-log-{}", std::process::id()));
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log(File::create(&path).unwrap());
    /// answer_of(addr, serving, "GET /").await;
    /// let log = std::fs::read_to_string(&path).unwrap();
    /// assert!(log.contains("\"GET / HTTP/1.1\" 200 5"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # });
    /// ```
    pub fn log(mut self, writer: impl io::Write + 'static) -> Self {
        self.options.log.sink = Sink::Writer(Some(Box::new(writer) as Box<dyn io::Write>).into());
        self
    }

    /// Calls a function with each line of the log: requests at `INFO`, failures of the site at
    /// `ERROR`, events of connections at `DEBUG`.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::{cell::RefCell, rc::Rc};
    /// let lines = Rc::new(RefCell::new(Vec::new()));
    /// let log = Rc::clone(&lines);
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_with(move |level, line| {
    ///     log.borrow_mut().push(format!("{level} {line}"));
    /// });
    /// answer_of(addr, serving, "GET /").await;
    /// assert!(lines.borrow().iter().any(|line| line.starts_with("INFO ") && line.contains("GET /")));
    /// # });
    /// ```
    pub fn log_with(mut self, function: impl Fn(Level, &str) + 'static) -> Self {
        self.options.log.sink = Sink::Function(Box::new(function));
        self
    }

    /// Sets whether anything is logged. The default is on.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_output(false);
    /// let answer = answer_of(addr, serving, "GET /").await;
    /// assert!(answer.ends_with("\r\n\r\nhello"));
    /// # });
    /// ```
    pub fn log_output(mut self, log: bool) -> Self {
        if !log {
            self.options.log.sink = Sink::Off;
        }
        self
    }

    /// Sets the format of a request's line in the log: `%(client_ip)s`, `client_port`, `date_time`
    /// (in UTC), `request_line`, `status_code`, `body_length`, `wall_seconds`
    /// (`%(wall_seconds).6f`), `request_id`.
    ///
    /// # Panics
    ///
    /// With an unknown key; the message names the known ones.
    ///
    /// # Differences
    ///
    /// `date_time` is in UTC, and `body_length` is the length of the body alone.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::{cell::RefCell, rc::Rc};
    /// # let lines = Rc::new(RefCell::new(Vec::new()));
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_format("%(request_line)s is a %(status_code)d");
    /// # let log = Rc::clone(&lines);
    /// # let serving = serving.log_with(move |_, line| log.borrow_mut().push(line.to_owned()));
    /// answer_of(addr, serving, "GET /").await;
    /// assert!(lines.borrow().contains(&"GET / HTTP/1.1 is a 200".to_owned()));
    /// # });
    /// ```
    #[track_caller]
    pub fn log_format(mut self, format: &str) -> Self {
        match Format::parse(format) {
            Ok(format) => self.options.log.format = format,
            Err(wrong) => panic!("`log_format`: {wrong}"),
        }
        self
    }

    /// Sets whether the value of `X-Forwarded-For` precedes the logged address of a client. The
    /// default is on.
    ///
    /// # Examples
    ///
    /// ```
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::answer_of;
    /// # use eventlet::wsgi::{self, Environ};
    /// # eventlet::run(async {
    /// # let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// # let addr = listener.local_addr().unwrap();
    /// # use std::{cell::RefCell, rc::Rc};
    /// # let lines = Rc::new(RefCell::new(String::new()));
    /// # async fn hello(_: Environ) -> &'static str { "hello" }
    /// let serving = wsgi::server(listener, hello).log_x_forwarded_for(false);
    /// # let log = Rc::clone(&lines);
    /// # let serving = serving.log_with(move |_, line| log.borrow_mut().push_str(line));
    /// answer_of(addr, serving, "GET /\nX-Forwarded-For: 192.0.2.1").await;
    /// assert!(!lines.borrow().contains("192.0.2.1"));
    /// # });
    /// ```
    pub fn log_x_forwarded_for(mut self, log: bool) -> Self {
        self.options.log_x_forwarded_for = log;
        self
    }
}
