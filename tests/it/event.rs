//! Follows eventlet tests/event_test.py and tests/test__event.py at c8f903a3, and what eventlet was
//! seen to do beyond them.

use std::io;

use eventlet::hubs::get_hub;
use eventlet::{Event, sleep, spawn, with_timeout};

use crate::crowd::*;
use crate::support::*;

both_colours! {
    /// test_waiting_for_event
    fn send_wakes_a_waiter_with_the_value() {
        let event = Event::new();
        let sender = spawn(sharing!(event => { keeps_turn!(event.send("came through")) }));
        assert_eq!(yields!(wait!(event.wait())).unwrap(), "came through");
        assert_eq!(keeps_turn!(wait!(event.wait())).unwrap(), "came through");
        wait!(sender).unwrap();
    }

    /// test_multiple_waiters; the order is ours.
    fn send_wakes_all_waiters_in_the_order_they_came() {
        let (event, log) = (Event::new(), Log::new());
        let waiters: Vec<_> = (0..5)
            .map(|name| spawn(sharing!(event, log => {
                let sent: &str = wait!(event.wait()).unwrap();
                log.add(format!("{name}{sent}"));
            })))
            .collect();
        wait!(idle());
        keeps_turn!(event.send("!"));
        assert_eq!(log.text(), "");
        wait!(sleep(ZERO));
        assert_eq!(log.text(), "0! 1! 2! 3! 4!");
        assert!(waiters.iter().all(|waiter| waiter.dead()));
    }

    /// test_multiple_waiters_with_exceptions
    fn a_waiter_that_panics_keeps_nobody_from_being_woken() {
        let (event, log) = (Event::new(), Log::new());
        let waiters: Vec<_> = (0..5)
            .map(|_| spawn(sharing!(event, log => {
                wait!(event.wait()).unwrap();
                log.add("woken");
                panic_on_purpose();
            })))
            .collect();
        wait!(sleep(ZERO));
        event.send(());
        for waiter in waiters {
            assert!(wait!(waiter).unwrap_err().is_panic());
        }
        assert_eq!(log.text(), "woken woken woken woken woken");
    }

    /// test_reset
    fn an_event_is_sent_once_until_it_is_reset() {
        let event = Event::new();
        panics_here!("not sent", event.reset());
        event.send("first");
        panics_here!("re-send", event.send("second"));
        panics_here!("re-send", event.send_exception("second"));
        assert_eq!(wait!(event.wait()).unwrap(), "first");
        keeps_turn!(event.reset());
        assert!(!event.ready());
        event.send("third");
        assert_eq!(wait!(event.wait()).unwrap(), "third");
    }

    /// test_double_exception
    fn after_a_reset_an_error_is_gone() {
        let event = Event::<()>::new();
        keeps_turn!(event.send_exception("from test_double_exception"));
        for _ in 0..2 {
            let exit = wait!(event.wait()).unwrap_err();
            assert_eq!(exit.error().unwrap().to_string(), "from test_double_exception");
        }
        event.reset();
        assert!(wait!(with_timeout(ms(1), event.wait())).is_err());
        event.send_exception("again");
        assert_eq!(wait!(event.wait()).unwrap_err().error().unwrap().to_string(), "again");
    }

    /// test_wait_timeout_ok, test_wait_timeout_exceed
    fn a_wait_can_be_limited() {
        for (sent_at, got) in [(1, true), (4, false)] {
            let event = Event::new();
            let sender = spawn(sharing!(event => {
                wait!(sleep(ms(sent_at)));
                event.send("a value");
            }));
            let result = yields!(wait!(event.wait_timeout(ms(2))));
            assert_eq!(result.map(Result::unwrap), got.then_some("a value"));
            assert_eq!(event.ready(), got);
            wait!(sender).unwrap();
        }
    }

    fn a_limit_of_zero_looks_once() {
        let event = Event::new();
        assert!(wait!(event.wait_timeout(ZERO)).is_none());
        // A `None` that was sent is not the `None` of a wait that took too long.
        event.send(None::<u8>);
        assert_eq!(keeps_turn!(wait!(event.wait_timeout(ZERO))).unwrap().unwrap(), None);
    }

    /// test_send_exc
    fn a_waiter_receives_the_very_error() {
        let event = Event::<()>::new();
        let waiter = spawn(sharing!(event => { wait!(event.wait()) }));
        wait!(sleep(ZERO));
        event.send_exception(io::Error::from(io::ErrorKind::WouldBlock));
        let exit = wait!(waiter).unwrap().unwrap_err();
        let received = exit.downcast_ref::<io::Error>().unwrap();
        assert_eq!(received.kind(), io::ErrorKind::WouldBlock);
        let kept = event.poll_exception().unwrap();
        assert!(std::ptr::eq(received, kept.downcast_ref::<io::Error>().unwrap()));
    }

    /// test_send
    fn a_waiter_that_was_interrupted_is_not_woken_by_that_event_later() {
        let (first, second) = (Event::new(), Event::new());
        assert!(wait!(with_timeout(ms(1), first.wait())).is_err());
        let sender = spawn(sharing!(first, second => {
            first.send("sent to first");
            wait!(sleep(ms(5)));
            second.send("sent to second");
        }));
        assert_eq!(wait!(second.wait()).unwrap(), "sent to second");
        wait!(sender).unwrap();
        assert_eq!(wait!(first.wait()).unwrap(), "sent to first");
    }

    fn a_limit_that_was_interrupted_leaves_no_timer() {
        let event = Event::<()>::new();
        let waiter = spawn(sharing!(event => { _ = wait!(event.wait_timeout(ms(1000))) }));
        wait!(idle());
        let timers = get_hub().timers();
        waiter.kill();
        assert_eq!(get_hub().timers(), timers - 1);
        let waiter = spawn(sharing!(event => { _ = wait!(event.wait_timeout(ms(1000))) }));
        wait!(idle());
        event.send(());
        wait!(waiter).unwrap();
        assert_eq!(get_hub().timers(), timers - 1);
    }

    fn a_send_and_a_timeout_in_one_turn() {
        let event = Event::new();
        let sender = spawn(sharing!(event => {
            wait!(sleep(ms(1)));
            event.send("just");
        }));
        let waiter = spawn(sharing!(event => { wait!(event.wait_timeout(ms(1))) }));
        assert_eq!(wait!(waiter).unwrap().unwrap().unwrap(), "just");
        wait!(sender).unwrap();
    }

    fn a_killed_waiter_keeps_nobody_from_being_woken() {
        let event = Event::new();
        let waiters = [0, 1, 2].map(|_| spawn(sharing!(event => { wait!(event.wait()).unwrap() })));
        wait!(idle());
        waiters[0].kill();
        event.send("hi");
        waiters[1].kill();
        for (waiter, got) in waiters.into_iter().zip([None, None, Some("hi")]) {
            assert_eq!(wait!(waiter).ok(), got);
        }
    }

    /// What eventlet was seen to do.
    fn who_was_woken_before_a_reset_gets_the_old_value() {
        let event = Event::new();
        let early = spawn(sharing!(event => { wait!(event.wait()).unwrap() }));
        wait!(idle());
        event.send("old");
        event.reset();
        let late = spawn(sharing!(event => { wait!(event.wait()).unwrap() }));
        wait!(idle());
        event.send("new");
        assert_eq!(wait!(early).unwrap(), "old");
        assert_eq!(wait!(late).unwrap(), "new");
    }

    fn what_was_sent_can_be_looked_at() {
        let event = Event::new();
        assert!(keeps_turn!(event.poll()).is_none());
        assert!(event.poll_result().is_none() && event.poll_exception().is_none());
        event.send(7);
        assert!(event.ready() && event.has_result() && !event.has_exception());
        assert_eq!(event.poll().unwrap().unwrap(), 7);
        assert_eq!((event.poll_result(), event.poll_exception().is_none()), (Some(7), true));
        event.reset();
        event.send_exception("no");
        assert!(event.ready() && !event.has_result() && event.has_exception());
        assert!(event.poll().unwrap().is_err() && event.poll_result().is_none());
        assert_eq!(event.poll_exception().unwrap().error().unwrap().to_string(), "no");
    }
}
