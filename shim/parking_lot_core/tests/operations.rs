//! What each function does, as its documentation says.

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot_core::{
    DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, FilterOp, ParkResult, RequeueOp, SpinWait,
    UnparkResult, UnparkToken, deadlock,
};
use support::{Crew, Key, park_late, unparked};

/// Some number of keys that stay.
fn keys<const N: usize>() -> [&'static Key; N] {
    std::array::from_fn(|_| &*Box::leak(Box::<Key>::default()))
}

fn panics<T>(function: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(function)).is_err()
}

#[test]
fn one_is_unparked_after_another_each_with_its_token() {
    let [key] = keys();
    let crew = Crew::new(3);
    (0..3).for_each(|who| crew.park(who, key));
    for who in 0..3 {
        let seen = Cell::new(UnparkResult::default());
        let result = key.unpark_one_with(|result| {
            seen.set(result);
            UnparkToken(10 + who)
        });
        assert_eq!((result.unparked_threads, result.requeued_threads), (1, 0));
        assert_eq!(result.have_more_threads, who < 2);
        assert_eq!(seen.get(), result);
        assert_eq!(crew.ended(1), [unparked(who, 10 + who)]);
    }
    assert_eq!(key.unpark_one(), UnparkResult::default());
    crew.end();
}

#[test]
fn all_are_unparked_and_those_at_other_keys_are_not() {
    let [key, other] = keys();
    let crew = Crew::new(5);
    for who in 0..5 {
        crew.park(who, if who == 2 { other } else { key });
    }
    assert_eq!(key.unpark_all(UnparkToken(7)), 4);
    assert_eq!(crew.ended(4), [0, 1, 3, 4].map(|who| unparked(who, 7)));
    assert_eq!(key.unpark_all(UnparkToken(7)), 0);
    assert_eq!(other.unpark_all(UnparkToken(8)), 1);
    assert_eq!(crew.ended(1), [unparked(2, 8)]);
    crew.end();
}

#[test]
fn a_filter_skips_and_stops() {
    let [key] = keys();
    let crew = Crew::new(5);
    (0..5).for_each(|who| crew.park(who, key));
    let mut asked = Vec::new();
    let ops = [FilterOp::Unpark, FilterOp::Skip, FilterOp::Unpark, FilterOp::Stop];
    let result = key.filter(
        |token| {
            asked.push(token.0);
            ops[token.0]
        },
        UnparkToken(5),
    );
    assert_eq!(asked, [0, 1, 2, 3]);
    assert_eq!((result.unparked_threads, result.have_more_threads), (2, true));
    assert_eq!(crew.ended(2), [unparked(0, 5), unparked(2, 5)]);
    let result = key.filter(|_| FilterOp::Unpark, UnparkToken(6));
    assert_eq!((result.unparked_threads, result.have_more_threads), (3, false));
    assert_eq!(crew.ended(3), [1, 3, 4].map(|who| unparked(who, 6)));
    crew.end();
}

#[test]
fn each_way_to_requeue() {
    let [from, to] = keys();
    let crew = Crew::new(6);
    let token = UnparkToken(3);
    (0..5).for_each(|who| crew.park(who, from));
    assert_eq!(from.requeue(to, RequeueOp::Abort, token), UnparkResult::default());
    for (op, unparked_threads, requeued, have_more) in [
        (RequeueOp::UnparkOne, 1, 0, true),
        (RequeueOp::RequeueOne, 0, 1, true),
        (RequeueOp::UnparkOneRequeueRest, 1, 2, false),
        (RequeueOp::RequeueAll, 0, 0, false),
    ] {
        let result = from.requeue(to, op, token);
        assert_eq!(
            (result.unparked_threads, result.requeued_threads),
            (unparked_threads, requeued)
        );
        assert_eq!(result.have_more_threads, have_more, "{op:?}");
    }
    assert_eq!(crew.ended(2), [unparked(0, 3), unparked(2, 3)]);
    crew.park(5, from);
    assert_eq!(from.requeue(to, RequeueOp::RequeueAll, token).requeued_threads, 1);
    assert_eq!(from.unpark_all(token), 0);
    for who in [1, 3, 4, 5] {
        assert_eq!(to.unpark_one().unparked_threads, 1);
        assert_eq!(crew.ended(1), [unparked(who, 0)]);
    }
    crew.end();
}

#[test]
fn to_requeue_at_the_same_key_ends() {
    let [key] = keys();
    let crew = Crew::new(2);
    (0..2).for_each(|who| crew.park(who, key));
    assert_eq!(key.requeue(key, RequeueOp::RequeueAll, UnparkToken(0)).requeued_threads, 2);
    assert_eq!(key.unpark_all(UnparkToken(1)), 2);
    assert_eq!(crew.ended(2), [unparked(0, 1), unparked(1, 1)]);
    crew.end();
}

#[test]
fn what_is_not_valid_does_not_park() {
    let [key] = keys();
    // SAFETY: the key is ours.
    let result = unsafe {
        parking_lot_core::park(
            key.address(),
            || false,
            || unreachable!(),
            |_, _| unreachable!(),
            DEFAULT_PARK_TOKEN,
            None,
        )
    };
    assert_eq!(result, ParkResult::Invalid);
    assert!(!result.is_unparked());
    assert_eq!(key.unpark_one().unparked_threads, 0);
}

#[test]
fn who_is_late_is_told_whether_it_was_the_last() {
    let [key] = keys();
    let crew = Crew::new(1);
    let late = |last: bool| {
        let told = Cell::new(None);
        let tell = |key, last| told.set(Some((key, last)));
        let deadline = Some(Instant::now() + Duration::from_millis(2));
        let result = key.park_with(DEFAULT_PARK_TOKEN, deadline, || (), tell);
        assert_eq!(result, ParkResult::TimedOut);
        assert!(Some(Instant::now()) >= deadline);
        assert_eq!(told.get(), Some((key.address(), last)));
    };
    late(true);
    crew.park(0, key);
    late(false);
    assert_eq!(key.unpark_all(UnparkToken(1)), 1, "who was late is in the queue no more");
    assert_eq!(crew.ended(1), [unparked(0, 1)]);
    crew.end();
}

#[test]
fn who_is_late_after_it_was_requeued_is_told_its_new_key() {
    let [from, to] = keys();
    let told = Cell::new(None);
    let requeue = || {
        from.requeue(to, RequeueOp::RequeueAll, DEFAULT_UNPARK_TOKEN);
    };
    let tell = |key, last| told.set(Some((key, last)));
    let result = from.park_with(DEFAULT_PARK_TOKEN, Some(Instant::now()), requeue, tell);
    assert_eq!(result, ParkResult::TimedOut);
    assert_eq!(told.get(), Some((to.address(), true)));
    assert_eq!((from.unpark_one(), to.unpark_one()), Default::default());
}

#[test]
fn who_is_unparked_before_it_is_late_was_unparked() {
    let [key] = keys();
    let unpark = || {
        key.unpark_one_with(|_| UnparkToken(4));
    };
    let late = |_, _| unreachable!();
    let result = key.park_with(DEFAULT_PARK_TOKEN, Some(Instant::now()), unpark, late);
    assert_eq!(result, ParkResult::Unparked(UnparkToken(4)));
    assert!(result.is_unparked());
}

#[test]
fn a_time_that_never_comes_is_none() {
    let [key] = keys();
    let far = Instant::now() + Duration::from_secs(1 << 62);
    let waiting = thread::spawn(move || key.park(DEFAULT_PARK_TOKEN, Some(far)));
    while key.unpark_one().unparked_threads == 0 {
        thread::yield_now();
    }
    assert!(waiting.join().unwrap().is_unparked());
}

#[test]
fn it_is_time_to_be_fair_twice_a_millisecond() {
    let [key] = keys();
    let unpark_oneself = || {
        let fair = Cell::new(false);
        let unpark = || fair.set(key.unpark_one().be_fair);
        key.park_with(DEFAULT_PARK_TOKEN, None, unpark, |_, _| ());
        fair.get()
    };
    let start = Instant::now();
    let (mut fair, mut all) = (0, 0);
    while fair < 200 {
        all += 1;
        fair += u32::from(unpark_oneself());
    }
    // Each time it was at most a millisecond until the next. Half of that is the average, but for
    // when this OS thread did not run.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(60), "{took:?}");
    assert!(all > fair, "{all} were all fair");
    assert!(!key.unpark_one().be_fair, "nobody was unparked");
}

#[test]
fn a_panic_of_a_callback_leaves_all_as_it_was() {
    let [key, other] = keys();
    // SAFETY: the key is ours. A panic is no part of the contract, and does no harm.
    assert!(panics(|| unsafe {
        let validate = || panic!("meant");
        parking_lot_core::park(key.address(), validate, || (), |_, _| (), DEFAULT_PARK_TOKEN, None);
    }));
    assert!(panics(|| key.park_with(DEFAULT_PARK_TOKEN, None, || panic!("meant"), |_, _| ())));
    let late = |_, _| panic!("meant");
    let at_once = Some(Instant::now());
    assert!(panics(|| key.park_with(DEFAULT_PARK_TOKEN, at_once, || (), late)));
    assert_eq!(key.unpark_all(DEFAULT_UNPARK_TOKEN), 0, "none of them is in the queue");
    // SAFETY: as before.
    assert!(panics(|| unsafe {
        let validate = || panic!("meant");
        let callback = |_, _| DEFAULT_UNPARK_TOKEN;
        parking_lot_core::unpark_requeue(key.address(), other.address(), validate, callback);
    }));
    assert_eq!((park_late(key), park_late(other)), (ParkResult::TimedOut, ParkResult::TimedOut));
}

#[test]
fn a_panic_of_one_who_unparks_unparks_all_the_same() {
    let [key] = keys();
    let crew = Crew::new(3);
    (0..3).for_each(|who| crew.park(who, key));
    assert!(panics(|| key.unpark_one_with(|_| panic!("meant"))));
    assert_eq!(crew.ended(1), [unparked(0, DEFAULT_UNPARK_TOKEN.0)]);
    let filter = |token: parking_lot_core::ParkToken| match token.0 {
        1 => FilterOp::Unpark,
        _ => panic!("meant"),
    };
    assert!(panics(|| key.filter(filter, UnparkToken(9))));
    assert_eq!(crew.ended(1), [unparked(1, DEFAULT_UNPARK_TOKEN.0)]);
    assert_eq!(key.unpark_all(UnparkToken(2)), 1);
    assert_eq!(crew.ended(1), [unparked(2, 2)]);
    crew.end();
}

#[test]
fn a_spin_wait_says_when_it_takes_too_long() {
    let mut spin = SpinWait::new();
    for _ in 0..2 {
        assert_eq!((0..100).take_while(|_| spin.spin()).count(), 10);
        spin.spin_no_yield();
        assert!(!spin.spin());
        spin.reset();
    }
}

#[test]
fn what_would_find_deadlocks_does_nothing() {
    // SAFETY: they do nothing.
    unsafe { deadlock::acquire_resource(1) };
    // SAFETY: as before.
    unsafe { deadlock::release_resource(2) };
}
