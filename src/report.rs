//! Reports failures that are not returned to any caller, and contains panics of user code that we
//! run or drop.
//!
//! Eventlet prints a traceback on standard error. Here a report is a `tracing` event; a program
//! without a subscriber gets it on standard error, as from eventlet.
//!
//! Two guarantees hold for callers:
//!
//! - **No report fails its reporter.** A subscriber that panics, an error whose `Display` fails, a
//!   standard error that is closed or full: none of them makes this unwind.
//! - **No user code unwinds into us**, neither a call ([`contain`]) nor a destructor ([`discard`],
//!   [`Contained`]).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write as _};
use std::mem;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

/// What `catch_unwind` catches.
type Payload = Box<dyn Any + Send>;

thread_local! {
    /// Whether failures of green threads are not reported on this OS thread.
    static MUTED: Cell<bool> = const { Cell::new(false) };

    /// Failures that are collected here instead.
    static UNHEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Sets whether failures of green threads are reported on this OS thread. They are by default.
pub(crate) fn report_failures(report: bool) {
    let _too_late = MUTED.try_with(|muted| muted.set(!report));
}

/// Reports how a green thread, or something that was run for one, failed. The program can turn this
/// off.
pub(crate) fn failure(what: &str, error: &dyn fmt::Display) {
    if !MUTED.try_with(Cell::get).unwrap_or(false) && !is_collected(what, error) {
        trouble(what, error);
    }
}

/// Runs code, and returns the failures that would have been reported meanwhile on this OS thread.
#[cfg_attr(not(feature = "test-util"), expect(dead_code))]
pub(crate) fn unheard_in<R>(code: impl FnOnce() -> R) -> (R, Vec<String>) {
    let outer = UNHEARD.replace(Some(Vec::new()));
    let value = code();
    (value, UNHEARD.replace(outer).unwrap_or_default())
}

fn is_collected(what: &str, error: &dyn fmt::Display) -> bool {
    let collects = UNHEARD.try_with(|unheard| unheard.borrow().is_some()).unwrap_or(false);
    if collects {
        // Before the borrow, as formatting an error runs user code.
        let text = format!("{what}: {}", text_of(error));
        UNHEARD.with_borrow_mut(|unheard| unheard.get_or_insert_default().push(text));
    }
    collects
}

/// Reports a refusal of the operating system.
pub(crate) fn trouble(what: &str, error: &dyn fmt::Display) {
    let text = format!("{what}: {}", text_of(error));
    say(&text, || tracing::error!(target: "eventlet", "{text}"));
}

/// Reports something that works, but not as intended.
pub(crate) fn warning(text: &str) {
    say(text, || tracing::warn!(target: "eventlet", "{text}"));
}

/// Returns whether `tracing` events have no subscriber here.
pub(crate) fn nobody_listens() -> bool {
    dispatcher::get_default(|subscriber| subscriber.is::<NoSubscriber>())
}

/// Returns the text of an error, if formatting it succeeds.
pub(crate) fn text_of(error: &dyn fmt::Display) -> String {
    catch_unwind(AssertUnwindSafe(|| error.to_string())).unwrap_or_else(|payload| {
        drop_payload(payload);
        "an error that panics when it is displayed".to_owned()
    })
}

/// Writes a line to standard error, if that can be written to.
pub(crate) fn print(line: &str) {
    // Written in one call, so that no other output comes in between.
    let _broken = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Runs user code, and reports a panic in it.
pub(crate) fn contain(what: &str, code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        panicked(what, payload);
    }
}

/// Drops a user's value, and reports a panic in its destructor.
pub(crate) fn discard<T>(what: &str, value: T) {
    if mem::needs_drop::<T>() {
        contain(what, || drop(value));
    }
}

/// Reports a panic that was caught.
pub(crate) fn panicked(what: &str, payload: Payload) {
    match message(&*payload) {
        Some(message) => failure(what, &format_args!("it panicked: {message}")),
        None => failure(what, &"it panicked"),
    }
    drop_payload(payload);
}

/// Returns the text of a panic, if its payload is one.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&'static str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// A user's value whose drop works as [`discard`].
pub(crate) struct Contained<T> {
    /// `None` once it is dropped.
    value: Option<T>,
    what: &'static str,
}

impl<T> Contained<T> {
    /// `what` names the value in the report of a destructor that panics.
    pub(crate) fn new(value: T, what: &'static str) -> Contained<T> {
        Contained { value: Some(value), what }
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.value.take().expect("it is taken once")
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is there until it is dropped")
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        discard(self.what, self.value.take());
    }
}

/// Writes to the program's subscriber, or to standard error if there is none or it panics.
fn say(text: &str, event: impl FnOnce()) {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let listens = !nobody_listens();
        if listens {
            event();
        }
        listens
    }));
    match told {
        Ok(true) => {}
        Ok(false) => print(&format!("eventlet: {text}")),
        Err(payload) => {
            print(&format!("eventlet: {text} (the `tracing` subscriber panicked)"));
            drop_payload(payload);
        }
    }
}

/// Drops the payload of a panic. If its destructor panics, the payload of that panic is forgotten,
/// as this could go on forever.
fn drop_payload(payload: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}
