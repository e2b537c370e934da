//! The end of a hub by one of its green threads.

use std::error::Error;
use std::fmt;
use std::io;

use crate::exit::Exit;

/// The error of a hub that was ended by [`Hub::abort`](crate::hubs::Hub::abort).
///
/// It is inside the error of [`Builder::run`](super::Builder::run).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aborted;

impl Aborted {
    /// Returns whether an error of [`Builder::run`](super::Builder::run) contains this.
    ///
    /// # Examples
    ///
    /// See [`Hub::abort`](crate::hubs::Hub::abort).
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|error| error.is::<Aborted>())
    }

    /// Returns the `Aborted` that ended a main green thread, if one did.
    pub(super) fn of(exit: &Exit) -> Option<Aborted> {
        exit.downcast_ref().copied()
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hub was aborted")
    }
}

impl Error for Aborted {}

/// The kind is [`Interrupted`](io::ErrorKind::Interrupted).
impl From<Aborted> for io::Error {
    fn from(aborted: Aborted) -> io::Error {
        io::Error::new(io::ErrorKind::Interrupted, aborted)
    }
}
