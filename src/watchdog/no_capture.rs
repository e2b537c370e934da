//! Without the feature `backtrace` nobody is asked where it is.

use std::io;

pub(super) struct Target;

impl Target {
    pub(super) fn this_thread() -> Target {
        Target
    }
}

/// There are none.
pub(super) enum Frames {}

impl Frames {
    pub(super) fn describe(&self) -> String {
        match *self {}
    }
}

pub(super) fn prepare() -> io::Result<()> {
    Ok(())
}

pub(super) fn capture(_target: &Target) -> Option<Frames> {
    None
}
