//! Follows eventlet tests/timer_test.py and tests/hub_test.py at c8f903a3: timers of the hub.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

use eventlet::hubs::get_hub;
use eventlet::{sleep, spawn};
use tokio::time::Instant;

use crate::support::*;

/// What was called, and after how many milliseconds.
#[derive(Clone)]
struct Calls {
    began: Instant,
    made: Rc<RefCell<Vec<(&'static str, u128)>>>,
}

impl Calls {
    fn new() -> Calls {
        Calls { began: Instant::now(), made: Rc::default() }
    }

    fn note(&self, name: &'static str) -> impl FnOnce() + 'static {
        let calls = self.clone();
        move || calls.made.borrow_mut().push((name, calls.began.elapsed().as_millis()))
    }

    fn made(&self) -> Vec<(&'static str, u128)> {
        self.made.borrow().clone()
    }
}

both_colours! {
    fn calls_are_made_in_their_order_of_time() {
        let (hub, calls) = (get_hub(), Calls::new());
        for (name, delay) in [("third", 30), ("first", 10), ("second", 20), ("at once", 0)] {
            hub.schedule_call_global(ms(delay), calls.note(name));
        }
        wait!(sleep(ms(25)));
        assert_eq!(calls.made(), [("at once", 0), ("first", 10), ("second", 20)]);
        wait!(sleep(ms(25)));
        assert_eq!(calls.made().len(), 4);
    }

    fn a_cancelled_call_is_not_made() {
        let calls = Calls::new();
        let (kept, cancelled) = (
            get_hub().schedule_call_global(ms(10), calls.note("kept")),
            get_hub().schedule_call_local(ms(10), calls.note("cancelled")),
        );
        assert!(kept.pending() && cancelled.pending());
        cancelled.cancel();
        cancelled.cancel();
        assert!(kept.pending() && !cancelled.pending());
        assert_eq!(get_hub().timers(), 0, "it waits for its first turn");
        wait!(sleep(ms(20)));
        assert!(!kept.pending());
        kept.cancel();
        assert_eq!(calls.made(), [("kept", 10)]);
    }

    fn local_calls_die_with_who_asked_and_global_ones_do_not() {
        let calls = Calls::new();
        let asker = |ends: bool| {
            let calls = calls.clone();
            spawn(green!({
                get_hub().schedule_call_local(ms(10), calls.note(["lives", "local"][usize::from(ends)]));
                get_hub().schedule_call_global(ms(10), calls.note("global"));
                if !ends {
                    wait!(pending::<()>());
                }
            }))
        };
        wait!(asker(true)).unwrap();
        let lives = asker(false);
        wait!(sleep(ms(20)));
        assert_eq!(calls.made(), [("global", 10), ("lives", 10), ("global", 10)]);
        lives.kill();
    }

    fn a_killed_asker_takes_its_local_calls_along() {
        let calls = Calls::new();
        let inner = calls.clone();
        let victim = spawn(green!({
            get_hub().schedule_call_local(ms(10), inner.note("local"));
            wait!(pending::<()>());
        }));
        wait!(sleep(ms(1)));
        victim.kill();
        wait!(sleep(ms(20)));
        assert!(calls.made().is_empty());
    }

    fn a_call_that_panics_stops_no_other() {
        let calls = Calls::new();
        get_hub().schedule_call_global(ms(1), || panic!("a bad call"));
        get_hub().schedule_call_global(ms(1), calls.note("other"));
        wait!(sleep(ms(5)));
        assert_eq!(calls.made(), [("other", 1)]);
    }

    fn a_call_may_schedule_the_next() {
        let calls = Calls::new();
        let second = calls.note("second");
        let first = calls.note("first");
        get_hub().schedule_call_global(ms(5), move || {
            first();
            get_hub().schedule_call_global(ms(5), second);
        });
        wait!(sleep(ms(20)));
        assert_eq!(calls.made(), [("first", 5), ("second", 10)]);
    }
}
