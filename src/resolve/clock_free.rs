//! The clock cannot be paused, so nothing need hold it.

pub(super) fn hold() {}
