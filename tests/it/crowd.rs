//! What tests of many green threads stand on, beyond [`support`](crate::support).

use std::panic::resume_unwind;

use eventlet::{GreenThread, spawn};
use proptest::prelude::*;

/// Makes a future of the test's colour, like `green!`, that has clones of some handles of the
/// test's.
macro_rules! sharing {
    ($($handle:ident),+ => $body:block) => {{
        $(let $handle = $handle.clone();)+
        green!($body)
    }};
}
pub(crate) use sharing;

/// Whether a green thread has a stack of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    Stackless,
    #[cfg(feature = "stackful")]
    Stackful,
}

/// Either colour, so that they meet in one test.
pub(crate) fn colour() -> impl Strategy<Value = Colour> {
    #[cfg(feature = "stackful")]
    return prop_oneof![Just(Colour::Stackless), Just(Colour::Stackful)];
    #[cfg(not(feature = "stackful"))]
    Just(Colour::Stackless)
}

impl Colour {
    pub(crate) async fn paint<F: Future + 'static>(self, future: F) -> F::Output {
        match self {
            Colour::Stackless => future.await,
            #[cfg(feature = "stackful")]
            Colour::Stackful => eventlet::stackful(move || eventlet::Block::block(future)).await,
        }
    }

    pub(crate) fn spawn<F: Future + 'static>(self, future: F) -> GreenThread<F::Output> {
        spawn(self.paint(future))
    }
}

/// What a job panics with that is meant to, past the panic hook: it would say it a thousand times.
pub(crate) struct OnPurpose;

pub(crate) fn panic_on_purpose() {
    resume_unwind(Box::new(OnPurpose));
}

/// Waits for green threads of a property test. A failed assertion in one of them fails the test.
pub(crate) async fn all_ended<T>(green_threads: impl IntoIterator<Item = GreenThread<T>>) {
    for green_thread in green_threads {
        let Err(exit) = green_thread.await else { continue };
        match exit.into_panic() {
            Ok(payload) if !payload.is::<OnPurpose>() => resume_unwind(payload),
            _ => {}
        }
    }
}

/// Runs a function when a green thread ends early: what a model hears of a kill.
pub(crate) struct Unless<F: FnMut()> {
    function: F,
    done: bool,
}

impl<F: FnMut()> Unless<F> {
    pub(crate) fn new(function: F) -> Unless<F> {
        Unless { function, done: false }
    }

    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl<F: FnMut()> Drop for Unless<F> {
    fn drop(&mut self) {
        if !self.done {
            (self.function)();
        }
    }
}
