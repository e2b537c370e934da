//! Whose stack it is: what the overflow message says.
//!
//! A label is at the top of its stack, and a signal handler may read it at any moment. So it is
//! plain data.

use super::MadeAt;

/// The green thread that a stack was started by.
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// Its number. 0 outside green threads.
    pub(super) id: u64,
    name: ShortName,
    /// Where its `stackful(..)` was called. `None` before the first use, when a label is all zero.
    pub(super) made_at: Option<MadeAt>,
}

impl Label {
    /// The label of a stack that was never used.
    pub(super) const NONE: Label =
        Label { id: 0, name: ShortName { len: 0, text: [0; 31] }, made_at: None };

    #[inline]
    pub(super) fn set(&mut self, id: u64, name: Option<&str>, made_at: MadeAt) {
        self.id = id;
        match name {
            Some(name) => self.name.set(name),
            None => self.name.len = 0,
        }
        self.made_at = Some(made_at);
    }

    /// Returns the beginning of its name, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        let text = self.name.text.get(..usize::from(self.name.len))?;
        std::str::from_utf8(text).ok().filter(|name| !name.is_empty())
    }
}

/// The beginning of a name.
#[derive(Clone, Copy)]
struct ShortName {
    len: u8,
    text: [u8; 31],
}

impl ShortName {
    #[cold]
    fn set(&mut self, name: &str) {
        let fitting = (0..=self.text.len()).rev().find(|len| name.is_char_boundary(*len));
        let len = fitting.unwrap_or(0);
        self.text[..len].copy_from_slice(&name.as_bytes()[..len]);
        self.len = len as u8;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    #[test]
    fn a_name_is_kept_to_the_last_character_that_fits() {
        let mut label = Label::NONE;
        for (name, kept) in [
            ("", ""),
            ("accept", "accept"),
            (&"x".repeat(40), &"x".repeat(31)),
            (&"\u{fc}".repeat(20), &"\u{fc}".repeat(15)),
            ("a", "a"),
        ] {
            label.set(1, Some(name), Location::caller());
            assert_eq!(label.name().unwrap_or_default(), kept);
        }
        label.set(2, None, Location::caller());
        assert_eq!((label.id, label.name()), (2, None));
    }
}
