//! From addresses to functions: by the debug information of the program, as far as it has some.

use std::fmt::Write as _;
use std::ptr;

use crate::frames::{HUB, SWITCH, is_any};

/// A frame with its meaning.
struct Named {
    function: Option<String>,
    /// File and line.
    place: Option<String>,
}

/// Looks up what the addresses of calls mean, and returns a line or two for each function.
pub(super) fn describe(addresses: &[usize]) -> String {
    let all: Vec<Named> = addresses.iter().flat_map(|address| named(*address)).collect();
    let mut text = String::new();
    for (number, frame) in of_interest(&all).enumerate() {
        let function = frame.function.as_deref().unwrap_or("<unknown>");
        let _never = writeln!(text, "  {number:2}: {function}");
        if let Some(place) = &frame.place {
            let _never = writeln!(text, "             at {place}");
        }
    }
    text
}

/// Returns what is at an address: several functions, where they were inlined into each other.
fn named(address: usize) -> Vec<Named> {
    let mut names = Vec::new();
    backtrace::resolve(ptr::without_provenance_mut(address), |symbol| {
        let function = symbol.name().map(|name| format!("{name:#}"));
        let file = symbol.filename().map(|file| file.display().to_string());
        let place = file.zip(symbol.lineno()).map(|(file, line)| format!("{file}:{line}"));
        names.push(Named { function, place });
    });
    if names.is_empty() {
        names.push(Named { function: Some(format!("{address:#x}")), place: None });
    }
    names
}

/// Leaves out the hub at the bottom, and how a green stack was started.
fn of_interest(all: &[Named]) -> impl Iterator<Item = &Named> {
    let is = |frame: &Named, parts| frame.function.as_ref().is_some_and(|it| is_any(it, parts));
    let hub = all.iter().position(|frame| is(frame, &HUB)).unwrap_or(all.len());
    all[..hub].iter().filter(move |frame| !is(frame, &SWITCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str) -> Named {
        Named { function: Some(function.to_owned()), place: None }
    }

    #[test]
    fn only_what_runs_is_of_interest() {
        let all = [
            "mine::slow",
            "eventlet::stackful::frame::Frame::run",
            "mine::task",
            "<T as eventlet::hub::scheduler::Job>::poll",
            "std::rt::lang_start",
        ];
        let all = all.map(frame);
        let left: Vec<_> = of_interest(&all).filter_map(|it| it.function.as_deref()).collect();
        assert_eq!(left, ["mine::slow", "mine::task"]);
        let unknown = [frame("0x1"), frame("0x2")];
        assert_eq!(of_interest(&unknown).count(), 2);
    }
}
