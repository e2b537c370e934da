//! Says aloud what nobody else will hear of, and contains the code of others that we run or drop.
//!
//! Eventlet prints a traceback on standard error. Here a report is a `tracing` event, which reaches
//! whatever log the program keeps; a program that keeps none gets it on standard error, as from
//! eventlet.
//!
//! Two rules hold for whoever calls in here:
//!
//! - **No report fails its reporter.** A log that panics, an error that cannot be displayed, a
//!   standard error that nobody reads or that is full: none of them is a reason to unwind.
//! - **Nothing of the user's unwinds into us**, neither code ([`contain`]) nor a destructor
//!   ([`discard`], [`Contained`]).

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

/// Sets whether failures of green threads are reported on this OS thread. They are at first.
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
        // Before the borrow, as it is code of the user's that says what an error says.
        let text = format!("{what}: {}", text_of(error));
        UNHEARD.with_borrow_mut(|unheard| unheard.get_or_insert_default().push(text));
    }
    collects
}

/// Reports what the system refuses.
pub(crate) fn trouble(what: &str, error: &dyn fmt::Display) {
    let text = format!("{what}: {}", text_of(error));
    say(&text, || tracing::error!(target: "eventlet", "{text}"));
}

/// Reports something that works, though hardly as it was meant to.
pub(crate) fn warning(text: &str) {
    say(text, || tracing::warn!(target: "eventlet", "{text}"));
}

/// Returns whether events of `tracing` reach nobody here.
pub(crate) fn nobody_listens() -> bool {
    dispatcher::get_default(|subscriber| subscriber.is::<NoSubscriber>())
}

/// Returns what an error says, should it be able to.
pub(crate) fn text_of(error: &dyn fmt::Display) -> String {
    catch_unwind(AssertUnwindSafe(|| error.to_string())).unwrap_or_else(|payload| {
        drop_payload(payload);
        "an error that panics when it is displayed".to_owned()
    })
}

/// Writes a line to standard error, if that can be written to.
pub(crate) fn print(line: &str) {
    // Written as a whole, so that no other line comes in between.
    let _broken = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Runs code of the user's, and reports a panic in it.
pub(crate) fn contain(what: &str, code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        panicked(what, payload);
    }
}

/// Drops a value of the user's, and reports a panic in its destructor.
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

/// Returns the text of a panic, where its payload is one.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&'static str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// A value of the user's that is dropped as by [`discard`], wherever that happens.
pub(crate) struct Contained<T> {
    /// `None` once it is dropped.
    value: Option<T>,
    what: &'static str,
}

impl<T> Contained<T> {
    /// `what` is said of a destructor that panics.
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

/// Tells the program's log, or standard error where there is none or it panics.
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
            print(&format!(
                "eventlet: {text} (the `tracing` subscriber panicked when it was told)"
            ));
            drop_payload(payload);
        }
    }
}

/// Drops the payload of a panic. Should its destructor panic, then the payload of that is
/// forgotten: this could go on forever.
fn drop_payload(payload: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}
