//! The clock cannot be paused, so nothing need hold it.

pub(super) struct Held;

pub(super) fn hold() -> Held {
    Held
}
