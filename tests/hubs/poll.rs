//! Follows Python's `select.poll`.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use eventlet::hubs::{Events, Poll};
use eventlet::{sleep, spawn};

use crate::support::*;

/// What was found, without the descriptors.
fn events<F>(found: Vec<(&F, Events)>) -> Vec<Events> {
    found.into_iter().map(|(_, events)| events).collect()
}

both_colours! {
    fn it_waits_for_what_is_registered() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let (other, _other_end) = UnixStream::pair().unwrap();
        let mut poll = Poll::new();
        poll.register(&here, Events::IN);
        poll.register(&other, Events::IN | Events::PRI);
        assert!(wait!(poll.poll(ms(5))).unwrap().is_empty());

        let writer = spawn(green!({
            wait!(sleep(ms(1)));
            there.write_all(b"x").unwrap();
            there
        }));
        let found = wait!(poll.poll(None)).unwrap();
        assert!(std::ptr::eq(*found[0].0, &here) && found.len() == 1);
        assert_eq!(found[0].1, Events::IN);
        let _there = wait!(writer).unwrap();

        poll.modify(&here, Events::OUT).unwrap();
        assert!(std::ptr::eq(poll.register(&other, Events::OUT).unwrap(), &other));
        assert_eq!(events(wait!(poll.poll(None)).unwrap()), [Events::OUT, Events::OUT]);
    }

    fn errors_are_told_without_being_asked_for() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        let mut poll = Poll::default();
        poll.register(here.as_fd(), Events::IN);
        poll.register(nobody(), Events::IN);
        let found = events(wait!(poll.poll(None)).unwrap());
        assert_eq!(found, [Events::IN | Events::HUP, Events::NVAL]);
        assert_eq!(format!("{:?}", found[0]), r#"{"IN", "HUP"}"#);
    }

    fn what_is_not_registered_cannot_be_changed() {
        let (here, _there) = UnixStream::pair().unwrap();
        let mut poll = Poll::new();
        assert!(poll.register(&here, Events::OUT).is_none());
        assert!(poll.unregister(&here).is_some());
        assert!(poll.unregister(&here).is_none());
        assert_eq!(poll.modify(&here, Events::IN).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(wait!(poll.poll(ms(1))).unwrap().is_empty());
    }
}

/// A number that is no descriptor.
#[allow(unsafe_code)]
fn nobody() -> BorrowedFd<'static> {
    // SAFETY: nobody ever opens so many, so it is nobody else's either.
    unsafe { BorrowedFd::borrow_raw(999_999) }
}
