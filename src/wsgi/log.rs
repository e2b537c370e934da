//! The log of a server.

use std::cell::RefCell;
use std::fmt;
use std::io;

use tracing::Level;

use super::log_format::{Format, Record};
use crate::report;

/// Where the lines of a server go, and what they say.
pub(super) struct Log {
    pub(super) sink: Sink,
    pub(super) format: Format,
}

pub(super) enum Sink {
    /// Nothing is logged.
    Off,
    /// `tracing`, or standard error if there is no subscriber.
    Tracing,
    /// `None` once it failed.
    Writer(RefCell<Option<Box<dyn io::Write>>>),
    Function(Box<LogFunction>),
}

/// Is called with each line.
pub(super) type LogFunction = dyn Fn(Level, &str);

impl Default for Log {
    fn default() -> Log {
        Log { sink: Sink::Tracing, format: Format::default() }
    }
}

impl Log {
    pub(super) fn is_on(&self) -> bool {
        !matches!(self.sink, Sink::Off)
    }

    /// Logs a request that was answered.
    pub(super) fn access(&self, record: &Record<'_>) {
        self.write(Level::INFO, &self.format.line(record));
    }

    pub(super) fn info(&self, line: &dyn fmt::Display) {
        if self.is_on() {
            self.write(Level::INFO, &line.to_string());
        }
    }

    /// Logs a detail for debugging. It never goes to standard error or to a writer.
    pub(super) fn debug(&self, line: &dyn fmt::Display) {
        match &self.sink {
            Sink::Off => {}
            Sink::Tracing => tracing::debug!(target: "eventlet::wsgi", "{line}"),
            Sink::Writer(_) => {}
            Sink::Function(function) => function(Level::DEBUG, &line.to_string()),
        }
    }

    /// Logs what a site did wrong.
    pub(super) fn failure(&self, doing: &dyn fmt::Display, error: &str) {
        if self.is_on() {
            self.write(Level::ERROR, &format!("{doing}: {error}"));
        }
    }

    fn write(&self, level: Level, line: &str) {
        match &self.sink {
            Sink::Off => {}
            Sink::Tracing if report::nobody_listens() => report::print(line),
            Sink::Tracing => trace(level, line),
            Sink::Writer(writer) => write_line(&mut writer.borrow_mut(), line),
            Sink::Function(function) => function(level, line),
        }
    }
}

fn trace(level: Level, line: &str) {
    if level == Level::ERROR {
        tracing::error!(target: "eventlet::wsgi", "{line}");
    } else {
        tracing::info!(target: "eventlet::wsgi", "{line}");
    }
}

/// Writes a line. A writer that fails is not used again: it ends the log, not the server.
fn write_line(writer: &mut Option<Box<dyn io::Write>>, line: &str) {
    if let Some(open) = writer {
        if open.write_all(format!("{line}\n").as_bytes()).and_then(|()| open.flush()).is_err() {
            *writer = None;
        }
    }
}
