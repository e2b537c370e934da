//! Why a green thread ended without a value.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::report::{self, Contained};

/// Any error, to be passed to another green thread.
///
/// Functions that take an error take any type that converts into this: an error type, or a text.
///
/// # Examples
///
/// ```
/// let error: eventlet::BoxError = "out of paper".into();
/// assert_eq!(error.to_string(), "out of paper");
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Tells why a green thread ended without a value.
///
/// It is the error of everything that waits for a green thread. Cloning it is cheap, and all clones
/// describe the same end: a result may be waited for any number of times. Dropping the last one
/// drops the error or the payload of the panic; if that panics, the panic is reported and goes no
/// further.
///
/// Corresponds to the exception that eventlet's `GreenThread.wait()` raises: `GreenletExit` when
/// [`is_killed`](Exit::is_killed), the exception thrown in by `kill(g, exc)` when
/// [`error`](Exit::error), an uncaught exception when [`is_panic`](Exit::is_panic).
///
/// # Examples
///
/// ```
/// eventlet::run(async {
///     let sleeper = eventlet::spawn(std::future::pending::<()>());
///     sleeper.kill();
///     assert!(sleeper.await.unwrap_err().is_killed());
///
///     let oops = eventlet::spawn(async { panic!("oops") });
///     let exit = oops.await.unwrap_err();
///     assert!(exit.is_panic());
///     assert_eq!(exit.to_string(), "the green thread panicked: oops");
/// });
/// ```
#[derive(Clone)]
pub struct Exit {
    /// `None` for a kill. One word, as every result has room for it: a small result is passed in
    /// registers.
    reason: Option<Arc<Reason>>,
}

enum Reason {
    Error(Contained<BoxError>),
    Panic(Panic),
}

struct Panic {
    message: Option<String>,
    /// `None` once it was taken with [`Exit::into_panic`].
    payload: Mutex<Option<Contained<Box<dyn Any + Send>>>>,
}

const IN_PAYLOAD: &str = "in the destructor of the payload of a panic";

impl Exit {
    /// Makes the exit of a killed green thread: eventlet's `GreenletExit`.
    pub(crate) fn killed() -> Exit {
        Exit { reason: None }
    }

    /// Makes an exit from an error thrown into the green thread.
    pub(crate) fn thrown(error: BoxError) -> Exit {
        Exit::because(Reason::Error(Contained::new(error, "in the destructor of a thrown error")))
    }

    fn because(reason: Reason) -> Exit {
        Exit { reason: Some(Arc::new(reason)) }
    }

    /// Makes an exit from a payload that `catch_unwind` caught.
    ///
    /// An unwind whose payload is an `Exit` is not a panic: it carries its own reason.
    pub(crate) fn unwound(payload: Box<dyn Any + Send>) -> Exit {
        match payload.downcast::<Exit>() {
            Ok(exit) => *exit,
            Err(payload) => Exit::because(Reason::Panic(Panic {
                message: report::message(&*payload),
                payload: Mutex::new(Some(Contained::new(payload, IN_PAYLOAD))),
            })),
        }
    }

    /// Returns whether the green thread was killed without a reason of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { 1 });
    /// gt.kill();
    /// assert!(gt.await.unwrap_err().is_killed());
    /// # });
    /// ```
    pub fn is_killed(&self) -> bool {
        self.reason.is_none()
    }

    /// Returns whether the green thread panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { panic!("oops") });
    /// assert!(gt.await.unwrap_err().is_panic());
    /// # });
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.reason.as_deref(), Some(Reason::Panic(_)))
    }

    /// Returns the error that was thrown into the green thread, if that is what ended it.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { 1 });
    /// gt.throw("no longer needed");
    /// assert_eq!(gt.await.unwrap_err().error().unwrap().to_string(), "no longer needed");
    /// # });
    /// ```
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match self.reason.as_deref() {
            Some(Reason::Error(error)) => Some(&***error),
            _ => None,
        }
    }

    /// Returns the error that was thrown into the green thread, if it is an `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { 1 });
    /// gt.throw(io::Error::from(io::ErrorKind::TimedOut));
    /// let exit = gt.await.unwrap_err();
    /// assert_eq!(exit.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::TimedOut);
    /// # });
    /// ```
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error()?.downcast_ref()
    }

    /// Returns the payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// Only the first of several clones gets the payload itself; the others get its message.
    ///
    /// # Errors
    ///
    /// Returns the `Exit` if it is not a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// let gt = eventlet::spawn(async { std::panic::panic_any(7_u8) });
    /// let payload = gt.await.unwrap_err().into_panic().unwrap();
    /// assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
    /// # });
    /// ```
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, Exit> {
        let Some(Reason::Panic(panic)) = self.reason.as_deref() else {
            return Err(self);
        };
        let payload = panic.payload.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(match payload {
            Some(payload) => payload.into_inner(),
            None => Box::new(panic.message.clone().unwrap_or_default()),
        })
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_deref() {
            None => f.write_str("the green thread was killed"),
            Some(Reason::Error(error)) => {
                write!(f, "the green thread was ended by an error: {}", **error)
            }
            Some(Reason::Panic(panic)) => match &panic.message {
                Some(message) => write!(f, "the green thread panicked: {message}"),
                None => f.write_str("the green thread panicked"),
            },
        }
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_deref() {
            None => f.write_str("Exit::Killed"),
            Some(Reason::Error(error)) => f.debug_tuple("Exit::Error").field(&**error).finish(),
            Some(Reason::Panic(panic)) => {
                f.debug_tuple("Exit::Panic").field(&panic.message).finish()
            }
        }
    }
}

impl Error for Exit {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().map(|error| error as _)
    }
}
