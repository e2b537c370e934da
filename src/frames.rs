//! Backtraces in std's format, reduced to the frames of user code.

/// Parts of the names of functions by which the hub calls a green thread.
pub(crate) const HUB: [&str; 2] = ["eventlet::hub::", "eventlet::greenthread::job::"];

/// Parts of the names of functions that start and switch green stacks.
pub(crate) const SWITCH: [&str; 2] = ["corosensei::", "eventlet::stackful::"];

/// Parts of the names of functions that record a wait.
const NOTE: [&str; 3] = ["eventlet::probe::", "eventlet::waiters::", "std::backtrace"];

/// Parts of the names of functions by which a wait begins.
const BEGIN: [&str; 2] = ["eventlet::hub::", "eventlet::hubs::"];

pub(crate) fn is_any(name: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| name.contains(part))
}

/// Removes the frames that record a wait at the top, the hub at the bottom, and the start of a
/// green stack in between.
///
/// Those frames are found by name; a text without names is returned unchanged.
pub(crate) fn of_code(text: &str) -> String {
    let frames = frames(text);
    let end = frames.iter().position(|frame| is_any(frame, &HUB)).unwrap_or(frames.len());
    let code = &frames[..end];
    let top = code.iter().rposition(|frame| is_any(frame, &NOTE)).map_or(0, |last| last + 1);
    code[top..].iter().filter(|frame| !is_switch(frame)).map(String::as_str).collect()
}

/// Leaves out how the beginning of a wait was noted at the top, and what [`of_code`] does at the
/// bottom.
pub(crate) fn of_begin(text: &str) -> String {
    let frames = frames(text);
    let ours = |frame: &String| is_any(frame, &BEGIN) || is_of_std(frame);
    let top = frames.iter().take_while(|frame| ours(frame)).count();
    let code = frames[top..].iter().take_while(|frame| !is_any(frame, &HUB));
    code.filter(|frame| !is_switch(frame)).map(String::as_str).collect()
}

/// Leaves out of the backtrace of a green stack how it was suspended at the top, and what is below
/// its closure.
#[cfg_attr(not(feature = "stackful"), expect(dead_code))]
pub(crate) fn of_stack(text: &str, is_bottom: impl Fn(&str) -> bool) -> String {
    let frames = frames(text);
    let starts = |frame: &str| frame.contains(": run<") && is_switch(frame) || is_bottom(frame);
    let bottom = frames.iter().position(|frame| starts(frame)).unwrap_or(frames.len());
    let waits = |frame: &&String| is_switch(frame) || is_of_std(frame);
    frames[..bottom].iter().skip_while(waits).map(String::as_str).collect()
}

/// Returns whether it is a function that starts or switches green stacks. Of one that was inlined
/// the name may be short, and the file tells.
pub(crate) fn is_switch(frame: &str) -> bool {
    let here = file!().strip_suffix("frames.rs").unwrap_or_default();
    is_any(frame, &SWITCH) || frame.contains(&format!("{here}stackful/"))
}

/// Returns whether it is a function of std's.
fn is_of_std(frame: &str) -> bool {
    let name = frame.split_once(": ").map_or(frame, |(_number, name)| name);
    ["std::", "core::", "alloc::"]
        .iter()
        .any(|krate| name.trim_start_matches('<').starts_with(krate))
}

/// Splits a backtrace into its frames, each with the line that says where it is.
fn frames(text: &str) -> Vec<String> {
    let mut frames: Vec<String> = Vec::new();
    for line in text.lines() {
        match frames.last_mut() {
            Some(frame) if line.trim_start().starts_with("at ") => *frame += &format!("{line}\n"),
            _ => frames.push(format!("{line}\n")),
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_that_waits_is_left() {
        let text = "   0: <std::backtrace::Backtrace>::create\n             at /rustc/backtrace.rs:331:13\n\
                    1: eventlet::probe::note\n             at src/probe.rs:50:5\n\
                    2: eventlet::waiters::Waiters<O,G>::wait\n\
                    3: <eventlet::event::Wait as Future>::poll\n             at src/event.rs:9:9\n\
                    4: mine::waits\n             at src/main.rs:3:9\n\
                    5: eventlet::stackful::frame::Frame::run\n\
                    6: mine::main\n\
                    7: <T as eventlet::hub::scheduler::Job>::poll\n\
                    8: main\n";
        let left = "3: <eventlet::event::Wait as Future>::poll\n             at src/event.rs:9:9\n\
                    4: mine::waits\n             at src/main.rs:3:9\n\
                    6: mine::main\n";
        assert_eq!(of_code(text), left);
        assert_eq!(of_code("   0: <unknown>\n"), "   0: <unknown>\n");
    }

    #[test]
    fn what_sets_a_timer_is_no_code_and_a_limit_around_it_is() {
        let text = "   0: <std::backtrace::Backtrace>::create\n             at /rustc/backtrace.rs:331:13\n\
                    1: eventlet::hub::clock::Clock::note_place\n\
                    2: core::option::Option<T>::map\n\
                    3: <eventlet::hub::timer::Timer as core::future::Future>::poll\n\
                    4: mine::waits\n             at src/main.rs:3:9\n\
                    5: <T as eventlet::hub::scheduler::Job>::poll\n\
                    6: main\n";
        assert_eq!(of_begin(text), "4: mine::waits\n             at src/main.rs:3:9\n");
    }

    /// Of what was inlined, names are short.
    #[cfg(feature = "stackful")]
    #[test]
    fn of_a_stack_the_code_on_it_is_left() {
        let text = "   0: <std::backtrace::Backtrace>::create\n             at /rustc/backtrace.rs:331:13\n\
                    1: switch\n             at ./src/stackful/frame.rs:364:28\n\
                    2: eventlet::stackful::frame::Frame::suspend\n\
                    3: mine::waits\n             at src/main.rs:3:9\n\
                    4: core::ops::function::FnOnce::call_once\n\
                    5: run<(), mine::main>\n             at ./src/stackful/frame.rs:191:9\n\
                    6: main\n";
        let left = "3: mine::waits\n             at src/main.rs:3:9\n\
                    4: core::ops::function::FnOnce::call_once\n";
        assert_eq!(of_stack(text, |_| false), left);
        let frame = "5: eventlet::stackful::frame::Frame::run";
        assert_eq!(
            of_stack(&text.replace("5: run<(), mine::main>", frame), |it| it
                .contains("Frame::run")),
            left
        );
    }
}
