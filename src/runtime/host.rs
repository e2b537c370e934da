//! The Tokio task that is the hub.

use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::exit::Exit;
use crate::greenthread::{GreenThread, Greenlet, spawn_from};
use crate::hub::{Hub, Number, Seat};

/// Panics because the main green thread ended without a value.
pub(super) fn has_no_value(exit: &Exit) -> ! {
    panic!("the main green thread has no value to return: {exit}")
}

/// Runs a future as the main green thread of a new hub, in a local task of its own: a future that a
/// runtime polls directly, in `block_on`, pays more than twice for every wakeup.
///
/// Returns why the main green thread ended without a value, unless by a panic, which is resumed.
pub(super) async fn host<F>(
    future: F,
    number: Number,
    spawned_at: &'static Location<'static>,
    configure: impl FnOnce(&Hub, Greenlet),
) -> Result<F::Output, Exit>
where
    F: Future + 'static,
{
    let seat = Seat::take(number);
    let main = spawn_from(future, spawned_at);
    seat.hub().set_main(main.key());
    configure(seat.hub(), *main);
    match tokio::task::spawn_local(HubTask { main, seat }).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(exit)) => match exit.into_panic() {
            Ok(payload) => resume_unwind(payload),
            Err(exit) => Err(exit),
        },
        Err(error) => panic!("the hub's Tokio task did not end by itself: {error}"),
    }
}

/// The hub as a Tokio task. It ends when the main green thread does, or when it is dropped, and the
/// hub with it: fields are dropped in order, so the seat is dropped last.
struct HubTask<T> {
    main: GreenThread<T>,
    seat: Seat,
}

impl<T> Future for HubTask<T> {
    type Output = Result<T, Exit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        ready!(self.seat.hub().poll(self.main.key(), cx));
        Pin::new(&mut self.main).poll(cx)
    }
}
