//! Waits that nothing cancels, and stacks that outlive their green thread.
#![cfg(feature = "stackful")]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use eventlet::lowlevel::{Cause, Place, place, wait, wait_shielded, without_waiting};
use eventlet::runtime::Builder;
use eventlet::{
    Block, GreenThread, Semaphore, Timeout, green, sleep, spawn, stackful, with_timeout,
};

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Log {
    fn add(&self, word: &'static str) {
        self.0.borrow_mut().push(word);
    }

    fn at_drop(&self, word: &'static str) -> impl Drop + use<> {
        struct AtDrop(Log, &'static str);
        impl Drop for AtDrop {
            fn drop(&mut self) {
                self.0.add(self.1);
            }
        }
        AtDrop(self.clone(), word)
    }

    fn text(&self) -> String {
        self.0.borrow().join(" ")
    }
}

/// Runs a test on a green stack, where time passes when nothing else can happen.
fn run(test: impl FnOnce() + 'static) {
    Builder::new().start_paused(true).run(stackful(test)).unwrap();
}

fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    let green_thread = spawn(stackful(closure));
    sleep(Duration::ZERO).block();
    green_thread
}

/// Waits for a lock as C does, gives it back, calls on as C does, and then waits as Rust does.
fn take_lock(lock: &Semaphore, log: &Log) {
    let _outer = log.at_drop("unwound");
    let permit = wait_shielded(lock.permit());
    log.add("locked");
    drop(permit);
    log.add(if wait(pending::<()>()).is_err() { "cancelled" } else { "?" });
    sleep(Duration::ZERO).block();
    log.add("went on");
}

const WHOLE: &str = "locked cancelled unwound";

fn locked() -> (Rc<Semaphore>, Log) {
    (Rc::new(Semaphore::new(0)), Log::default())
}

#[test]
fn one_that_is_ready_keeps_its_turn_and_one_that_is_not_waits() {
    run(|| {
        assert_eq!(wait_shielded(ready(1)), 1);
        let lock = Rc::new(Semaphore::new(0));
        let theirs = lock.clone();
        let waiter = green(move || drop(wait_shielded(theirs.permit())));
        assert!(!waiter.dead());
        lock.release();
        waiter.block().unwrap();
    });
}

#[test]
fn a_kill_returns_and_the_stack_goes_on_when_it_has_its_lock() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let victim = green(move || take_lock(&theirs, &same));
        victim.kill();
        assert!(victim.dead());
        assert!(victim.block().unwrap_err().is_killed());
        sleep(MS).block();
        assert_eq!(log.text(), "", "it waits on");
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), WHOLE);
        assert_eq!(lock.balance(), 1, "the permit is not lost");
    });
}

#[test]
fn so_it_is_when_a_limit_drops_the_future_around_it() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let bounded = with_timeout(MS, stackful(move || take_lock(&theirs, &same)));
        assert!(bounded.block().is_err());
        assert_eq!(log.text(), "");
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), WHOLE);
    });
}

#[test]
fn a_limit_around_the_code_waits_for_the_lock() {
    run(|| {
        let (lock, log) = locked();
        let theirs = lock.clone();
        let giver = spawn(async move {
            sleep(5 * MS).await;
            theirs.release();
        });
        let limit = Timeout::new(MS);
        assert_eq!(limit.run_blocking(|| take_lock(&lock, &log)), Err(limit));
        assert_eq!(log.text(), WHOLE);
        giver.block().unwrap();
    });
}

#[test]
fn one_that_comes_to_it_on_its_way_out_is_left_to_itself_there() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let victim = green(move || {
            let cancelled = wait(pending::<()>()).unwrap_err();
            assert_eq!(cancelled.cause(), Cause::Ended);
            take_lock(&theirs, &same);
        });
        victim.kill();
        assert_eq!(log.text(), "");
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), WHOLE);
    });
}

#[test]
fn so_is_one_that_has_caught_the_unwind_before() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let victim = green(move || {
            let waits = || sleep(Duration::MAX).block();
            for _ in 0..2 {
                assert!(catch_unwind(waits).is_err());
                same.add("caught");
            }
            take_lock(&theirs, &same);
        });
        victim.kill();
        assert!(victim.block().unwrap_err().is_killed());
        assert_eq!(log.text(), "caught caught");
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), format!("caught caught {WHOLE}"));
    });
}

#[test]
fn who_resumes_the_unwind_of_another_is_killed() {
    run(|| {
        let caught = Rc::new(Cell::new(None));
        let theirs = caught.clone();
        let victim = green(move || {
            theirs.set(catch_unwind(|| sleep(Duration::MAX).block()).err());
        });
        victim.kill();
        let copycat = green(move || {
            resume_unwind(caught.take().unwrap());
        });
        assert!(copycat.block().unwrap_err().is_killed());
    });
}

#[test]
fn an_orphan_that_panics_is_contained_and_one_that_returns_drops_its_value() {
    run(|| {
        let (lock, log) = locked();
        for panics in [true, false] {
            let (theirs, same) = (lock.clone(), log.clone());
            let victim = green(move || {
                let _permit = wait_shielded(theirs.permit());
                assert!(!panics, "on purpose");
                same.at_drop("value")
            });
            victim.kill();
        }
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), "value");
        assert_eq!(lock.balance(), 1);
    });
}

#[test]
fn an_end_of_the_hub_hands_the_lock_on() {
    let log = Log::default();
    let same = log.clone();
    eventlet::run(stackful(move || {
        let lock = Rc::new(Semaphore::new(1));
        let holder = lock.clone();
        let _holder = green(move || {
            let _permit = holder.permit().block();
            pending::<()>().block();
        });
        for _ in 0..3 {
            let (theirs, same) = (lock.clone(), same.clone());
            drop(green(move || take_lock(&theirs, &same)));
        }
    }));
    assert_eq!(log.text(), [WHOLE; 3].join(" "));
}

#[test]
fn an_end_of_the_hub_waits_a_while_for_another_os_thread() {
    let (free, log) = (Arc::new(AtomicBool::new(false)), Log::default());
    let (theirs, same) = (free.clone(), log.clone());
    eventlet::run(stackful(move || {
        let free = theirs.clone();
        drop(green(move || {
            let _outer = same.at_drop("unwound");
            let is_free = || theirs.load(Ordering::Acquire);
            wait_shielded(poll_fn(|_| if is_free() { Poll::Ready(()) } else { Poll::Pending }));
            same.add("free");
        }));
        std::thread::spawn(move || {
            std::thread::sleep(50 * MS);
            free.store(true, Ordering::Release);
        });
    }));
    assert_eq!(log.text(), "free unwound");
}

#[test]
fn what_never_comes_is_abandoned_and_its_future_dropped() {
    let log = Log::default();
    let same = log.clone();
    let start = Instant::now();
    eventlet::run(stackful(move || {
        for _ in 0..20 {
            let same = same.clone();
            drop(green(move || {
                let _outer = same.at_drop("unwound");
                let guard = same.at_drop("dropped");
                wait_shielded(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
            }));
        }
    }));
    assert_eq!(log.text(), ["dropped"; 20].join(" "));
    assert!(start.elapsed() < Duration::from_secs(30), "one grace for all");
}

#[test]
fn a_scope_waits_for_a_member_that_is_left_to_itself() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let owner = green(move || {
            let borrowed = same.at_drop("borrowed");
            green::thread::scope(|scope| {
                scope.spawn(|| {
                    let _permit = wait_shielded(theirs.permit());
                    let _still_there = &borrowed;
                    same.add("locked");
                });
            });
        });
        sleep(MS).block();
        owner.kill();
        assert_eq!(log.text(), "");
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), "locked borrowed");
    });
}

/// As C code does that takes a lock after a call that was cancelled.
fn comes_to_a_lock_on_its_way_out(lock: &Semaphore, log: &Log) {
    assert!(wait(pending::<()>()).is_err());
    drop(wait_shielded(lock.permit()));
    log.add("locked");
}

#[test]
fn a_scope_waits_for_a_member_that_comes_to_a_lock_on_its_way_out() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let owner = green(move || {
            let borrowed = same.at_drop("borrowed");
            green::thread::scope(|scope| {
                scope.spawn(|| {
                    let _still_there = &borrowed;
                    comes_to_a_lock_on_its_way_out(&theirs, &same);
                });
                let refused = wait(pending::<()>());
                let late = scope.spawn(|| same.add("too late"));
                assert!(refused.is_err() && late.is_finished());
            });
        });
        sleep(MS).block();
        owner.kill();
        assert_eq!(log.text(), "", "what is borrowed is there as long as the member is");
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), "locked borrowed");
    });
}

#[test]
fn an_owner_of_two_scopes_waits_for_the_members_of_both() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let owner = green(move || {
            let borrowed = same.at_drop("borrowed");
            let lent = (&borrowed, &*theirs, &same);
            green::thread::scope(|outer| {
                outer.spawn(move || comes_to_a_lock_on_its_way_out(lent.1, lent.2));
                green::thread::scope(|inner| {
                    inner.spawn(move || comes_to_a_lock_on_its_way_out(lent.1, lent.2));
                });
            });
        });
        sleep(MS).block();
        owner.kill();
        lock.release();
        sleep(MS).block();
        assert_eq!(log.text(), "locked locked borrowed", "one has the lock after the other");
        let after = green(|| green::thread::scope(|scope| drop(scope.spawn(|| ()))));
        after.block().unwrap();
    });
}

#[test]
fn so_it_is_with_a_member_of_a_member_and_when_a_limit_passes() {
    run(|| {
        let (lock, log) = locked();
        let (theirs, same) = (lock.clone(), log.clone());
        let owner = green(move || {
            let borrowed = same.at_drop("borrowed");
            let limit = Timeout::new(MS);
            let late = limit.run_blocking(|| {
                green::thread::scope(|outer| {
                    outer.spawn(|| {
                        green::thread::scope(|inner| {
                            let _still_there = &borrowed;
                            inner.spawn(|| comes_to_a_lock_on_its_way_out(&theirs, &same));
                        });
                    });
                });
            });
            assert_eq!(late, Err(limit));
            same.add("late");
        });
        sleep(MS * 9).block();
        assert_eq!(log.text(), "");
        lock.release();
        owner.block().unwrap();
        assert_eq!(log.text(), "locked late borrowed");
    });
}

#[test]
fn a_loop_that_takes_no_notice_does_not_hold_its_killer() {
    run(|| {
        let rounds = Rc::new(Cell::new(0));
        let (counted, stop) = (rounds.clone(), Rc::new(Cell::new(false)));
        let stopped = stop.clone();
        let victim = green(move || {
            while !stopped.get() {
                let _ignored = wait(sleep(Duration::from_secs(60)));
                counted.set(counted.get() + 1);
            }
        });
        victim.kill();
        let before = rounds.get();
        assert!((60..70).contains(&before), "{before}");
        sleep(10 * MS).block();
        let more = rounds.get() - before;
        assert!((5..=20).contains(&more), "one a millisecond: {more}");
        stop.set(true);
        sleep(3 * MS).block();
    });
}

#[test]
fn a_loop_under_a_limit_that_has_passed_lets_others_run_and_can_be_killed() {
    run(|| {
        let victim = green(|| {
            let _late = Timeout::new(MS).run_blocking(|| {
                loop {
                    let cancelled = wait(sleep(Duration::from_secs(60))).err();
                    if cancelled.is_some_and(|cancelled| cancelled.cause() == Cause::Ended) {
                        break;
                    }
                }
            });
        });
        sleep(50 * MS).block();
        assert!(!victim.dead());
        victim.kill();
        assert!(victim.block().unwrap_err().is_killed());
    });
}

#[test]
fn where_it_cannot_wait_it_says_so() {
    assert_eq!(place(), Place::Elsewhere);
    run(|| {
        assert_eq!(place(), Place::Stack);
        without_waiting(|| assert_eq!(place(), Place::Elsewhere));
        async { assert_eq!(place(), Place::Elsewhere) }.block();
        let panicked = std::panic::catch_unwind(|| without_waiting(|| wait_shielded(ready(1))));
        let payload = panicked.unwrap_err();
        assert!(payload.downcast_ref::<&str>().unwrap().contains("`lowlevel::place()`"));
        struct Looks;
        impl Drop for Looks {
            fn drop(&mut self) {
                assert_eq!(place(), Place::Unwinding);
            }
        }
        let _panicked = std::panic::catch_unwind(|| {
            let _looks = Looks;
            std::panic::resume_unwind(Box::new(()));
        });
    });
}
