//! Scopes whose owner, or whose members, are ended: what is borrowed outlives all who borrow it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::thread::{self, Scope};
use eventlet::{Block, GreenThread, Greenlet, Timeout, getcurrent, spawn, stackful};

use crate::run;
use crate::support::{Dice, Log, OnDrop, ms};

/// Something on the stack of an owner, which knows whether it is there.
struct Lent {
    there: Rc<Cell<bool>>,
    log: Log,
}

impl Lent {
    fn new(log: &Log) -> Lent {
        Lent { there: Rc::new(Cell::new(true)), log: log.clone() }
    }

    /// Makes what a member has on its own stack: in its destructor what it borrows must be there
    /// still.
    fn user<'a>(&'a self, name: &'a str) -> User<'a> {
        User { there: Rc::clone(&self.there), lent: self, name }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.there.set(false);
        self.log.add("lent");
    }
}

struct User<'a> {
    /// Not borrowed: fit to be asked in any case.
    there: Rc<Cell<bool>>,
    lent: &'a Lent,
    name: &'a str,
}

impl User<'_> {
    /// Ends the process where it uses what is gone: a panic might go unheard.
    fn check(&self) {
        if !self.there.get() {
            eprintln!("what is borrowed is gone");
            std::process::abort();
        }
        assert!(self.lent.there.get());
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.check();
        self.lent.log.add(self.name);
    }
}

/// Waits for ever, time and again, whatever unwinds it.
fn waits_for_ever(user: &User<'_>) {
    loop {
        let _ended = catch_unwind(AssertUnwindSafe(|| thread::sleep(Duration::MAX)));
        user.check();
        // Where it was ended, this goes on with that.
        thread::sleep(Duration::MAX);
    }
}

#[test]
fn an_owner_that_is_killed_while_it_waits_takes_its_members_along() {
    run(|| {
        let log = Log::new();
        let inside = log.clone();
        let owner = GreenThread::from(thread::spawn(move || {
            let lent = Lent::new(&inside);
            thread::scope(|s| {
                s.spawn(|| waits_for_ever(&lent.user("one")));
                s.spawn(|| waits_for_ever(&lent.user("two")));
            });
        }));
        thread::sleep(ms(1));
        owner.kill();
        log.add("killed");
        assert_eq!(log.text(), "one two lent killed");
        assert!(owner.block().unwrap_err().is_killed());
    });
}

#[test]
fn an_owner_that_is_killed_inside_its_function_takes_its_members_along() {
    run(|| {
        let log = Log::new();
        let inside = log.clone();
        let owner = GreenThread::from(thread::spawn(move || {
            let lent = Lent::new(&inside);
            thread::scope(|s| {
                let _last = inside.at_drop("function");
                s.spawn(|| waits_for_ever(&lent.user("member")));
                thread::sleep(ms(1));
                // One that never starts: what it has is dropped all the same.
                let user = lent.user("never");
                s.spawn(move || {
                    user.check();
                    unreachable!("it was ended before");
                });
                thread::sleep(Duration::MAX);
            });
        }));
        // Both wake at the same time: the owner first, then this, and then who was spawned
        // meanwhile.
        thread::yield_now();
        thread::sleep(ms(1));
        owner.throw("enough");
        assert_eq!(log.text(), "member never function lent");
        assert!(owner.block().unwrap_err().error().is_some());
    });
}

#[test]
fn a_limit_ends_the_members_and_then_the_scope() {
    run(|| {
        let log = Log::new();
        let lent = Lent::new(&log);
        let limit = Timeout::new(ms(5));
        let result = limit.run_blocking(|| {
            thread::scope(|s| {
                s.spawn(|| waits_for_ever(&lent.user("member")));
                s.spawn(|| {
                    let _user = lent.user("ended before");
                    thread::sleep(ms(1));
                });
            });
        });
        log.add("over");
        assert_eq!(result, Err(limit));
        assert_eq!(log.text(), "ended before member over");
    });
}

#[test]
fn when_the_hub_ends_members_go_before_what_they_borrow() {
    let log = Log::new();
    let inside = log.clone();
    eventlet::run(stackful(move || {
        for _ in 0..3 {
            let log = inside.clone();
            drop(thread::spawn(move || {
                let lent = Lent::new(&log);
                thread::scope(|s| {
                    s.spawn(|| waits_for_ever(&lent.user("member")));
                    s.spawn(|| waits_for_ever(&lent.user("member")));
                });
            }));
        }
        thread::yield_now();
        thread::yield_now();
    }));
    assert_eq!(log.text().matches("member").count(), 6);
    assert_eq!(log.text().matches("lent").count(), 3);
}

/// Lets a green thread own a scope with one member, which gets the owner and a value that it
/// borrows. Returns the owner, once everybody waits.
fn owner_of(log: &Log, member: impl FnOnce(Greenlet, &User<'_>) + 'static) -> GreenThread<()> {
    let log = log.clone();
    let owner = thread::spawn(move || {
        let (lent, owner) = (Lent::new(&log), getcurrent());
        thread::scope(|s| {
            s.spawn(|| {
                let user = lent.user("member");
                member(owner, &user);
            });
        });
    });
    owner.into()
}

#[test]
fn a_member_that_kills_its_owner_ends_at_its_next_wait_and_the_owner_right_after_it() {
    run(|| {
        let log = Log::new();
        let inside = log.clone();
        let owner = owner_of(&log, move |owner, user| {
            owner.kill();
            user.check();
            inside.add("goes-on");
            // Everybody who is ready now has a turn only after the owner has ended.
            let other = inside.clone();
            drop(thread::spawn(move || other.add("others")));
            thread::yield_now();
            unreachable!("it was ended with its owner");
        });
        thread::sleep(ms(1));
        assert_eq!(log.text(), "goes-on member lent others");
        assert!(owner.block().unwrap_err().is_killed());
    });
}

#[test]
fn a_member_that_kills_its_owner_may_return_or_panic_first() {
    run(|| {
        for panics in [false, true] {
            let log = Log::new();
            let owner = owner_of(&log, move |owner, user| {
                owner.kill();
                user.check();
                assert!(!panics, "on purpose");
            });
            thread::sleep(ms(1));
            assert_eq!(log.text(), "member lent");
            assert!(owner.block().unwrap_err().is_killed());
        }
    });
}

#[test]
fn a_member_whose_destructor_kills_the_owner_ends_before_it() {
    run(|| {
        let (log, victim) = (Log::new(), Rc::new(Cell::new(None)));
        let known = Rc::clone(&victim);
        let owner = owner_of(&log, move |owner, user| {
            known.set(Some(getcurrent()));
            let _first = OnDrop(|| {
                user.check();
                owner.kill();
                user.check();
            });
            thread::sleep(Duration::MAX);
        });
        thread::sleep(ms(1));
        victim.get().unwrap().kill();
        assert_eq!(log.text(), "member lent");
        assert!(owner.block().unwrap_err().is_killed());
    });
}

#[test]
fn a_member_that_kills_another_whose_destructor_kills_the_owner() {
    run(|| {
        let log = Log::new();
        let inside = log.clone();
        let owner = GreenThread::from(thread::spawn(move || {
            let (lent, owner, other) = (Lent::new(&inside), getcurrent(), Cell::new(None));
            thread::scope(|s| {
                s.spawn(|| {
                    let user = lent.user("other");
                    other.set(Some(getcurrent()));
                    let _first = OnDrop(|| {
                        owner.kill();
                        user.check();
                    });
                    thread::sleep(Duration::MAX);
                });
                s.spawn(|| {
                    let user = lent.user("killer");
                    other.get().unwrap().kill();
                    user.check();
                    inside.add("goes-on");
                    thread::sleep(Duration::MAX);
                });
            });
        }));
        thread::sleep(ms(1));
        assert_eq!(log.text(), "other goes-on killer lent");
        assert!(owner.block().unwrap_err().is_killed());
    });
}

#[test]
fn a_member_of_a_members_scope_that_kills_the_first_owner() {
    run(|| {
        let log = Log::new();
        let inner = log.clone();
        let owner = owner_of(&log, move |owner, user| {
            let lent = Lent::new(&inner);
            thread::scope(|s| {
                s.spawn(|| waits_for_ever(&lent.user("beside")));
                s.spawn(|| {
                    let own = lent.user("innermost");
                    owner.kill();
                    own.check();
                    user.check();
                    thread::sleep(Duration::MAX);
                });
            });
        });
        thread::sleep(ms(1));
        assert_eq!(log.text(), "beside innermost lent member lent");
        assert!(owner.block().unwrap_err().is_killed());
    });
}

/// A future that somebody else may take and drop.
type Shared = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

#[test]
fn an_owner_that_is_no_green_thread_and_is_dropped_by_its_member() {
    run(|| {
        let (log, place) = (Log::new(), Shared::default());
        let (inside, taken) = (log.clone(), Rc::clone(&place));
        let owner = stackful(move || {
            let lent = Lent::new(&inside);
            thread::scope(|s| {
                s.spawn(|| {
                    let user = lent.user("member");
                    drop(taken.take());
                    user.check();
                    inside.add("dropped");
                    thread::sleep(Duration::MAX);
                });
            });
        });
        *place.borrow_mut() = Some(Box::pin(owner));
        let polled = Rc::clone(&place);
        spawn(std::future::poll_fn(move |cx| {
            polled.borrow_mut().as_mut().map_or(std::task::Poll::Ready(()), |owner| {
                assert!(owner.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
        }))
        .block()
        .unwrap();
        thread::sleep(ms(1));
        assert_eq!(log.text(), "dropped member lent");
        assert!(place.borrow().is_none());
    });
}

#[test]
fn an_owner_that_its_own_member_waits_for_and_whose_limit_passes() {
    run(|| {
        let (log, place) = (Log::new(), Shared::default());
        let (inside, taken) = (log.clone(), Rc::clone(&place));
        let member = Rc::new(Cell::new(None));
        let known = Rc::clone(&member);
        let owner = stackful(move || {
            let lent = Lent::new(&inside);
            let limit = Timeout::new(ms(5));
            let ended = limit.run_blocking(|| {
                thread::scope(|s| {
                    s.spawn(|| {
                        known.set(Some(getcurrent()));
                        let user = lent.user("member");
                        let owner: Pin<Box<dyn Future<Output = ()>>> = taken.take().unwrap();
                        // Each waits for the other: only the limit helps, which kills this one.
                        owner.block();
                        user.check();
                    });
                });
            });
            unreachable!("{ended:?}: the member is beneath when the limit passes");
        });
        *place.borrow_mut() = Some(Box::pin(owner));
        let polled = Rc::clone(&place);
        spawn(async move {
            let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
            assert!(polled.borrow_mut().as_mut().unwrap().as_mut().poll(cx).is_pending());
        })
        .block()
        .unwrap();
        thread::sleep(ms(4));
        assert_eq!(log.text(), "");
        thread::sleep(ms(1));
        assert_eq!(log.text(), "member lent");
        assert!(member.get().unwrap().dead());
    });
}

#[test]
fn what_destructors_start_when_the_scope_ends_never_runs() {
    run(|| {
        let log = Log::new();
        let inside = log.clone();
        let owner = GreenThread::from(thread::spawn(move || {
            let lent = Lent::new(&inside);
            fn starts_again<'scope>(s: &'scope Scope<'scope, '_>, lent: &'scope Lent) {
                s.spawn(move || {
                    let _user = lent.user("member");
                    let _again = OnDrop(|| starts_again(s, lent));
                    thread::sleep(Duration::MAX);
                });
            }
            thread::scope(|s| starts_again(s, &lent));
        }));
        thread::sleep(ms(1));
        owner.kill();
        assert_eq!(log.text(), "member lent");
        assert!(owner.block().unwrap_err().is_killed());
    });
}

#[test]
fn a_forgotten_owner_stays_as_it_is() {
    // In a hub that ends without it, and so under no look at what is left.
    let log = Log::new();
    let inside = log.clone();
    eventlet::run(stackful(move || {
        let log = inside.clone();
        let mut owner = Box::pin(stackful(move || {
            let lent = Lent::new(&log);
            thread::scope(|s| {
                s.spawn(|| waits_for_ever(&lent.user("member")));
            });
        }));
        spawn(async move {
            let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
            assert!(owner.as_mut().poll(cx).is_pending());
            std::mem::forget(owner);
        })
        .block()
        .unwrap();
        thread::yield_now();
    }));
    assert_eq!(log.text(), "member");
}

/// A tree of scopes whose members start others, sleep, end, panic, and kill whom they like,
/// themselves and their owners too. In all of it, and in all destructors, what is borrowed is
/// there.
fn grows(crowd: &Rc<Crowd>, depth: u64) {
    let lent = Lent::new(&crowd.log);
    let limit = Timeout::new(ms(crowd.below(20)));
    let scoped = || {
        thread::scope(|s| {
            for _ in 0..crowd.below(4) {
                s.spawn(|| crowd.member(&lent, depth));
            }
            thread::sleep(ms(crowd.below(3)));
        });
    };
    if crowd.below(4) == 0 {
        let _ended = limit.run_blocking(scoped);
    } else {
        scoped()
    }
}

struct Crowd {
    dice: RefCell<Dice>,
    everybody: RefCell<Vec<Greenlet>>,
    log: Log,
    kills: Cell<usize>,
}

impl Crowd {
    fn below(&self, limit: u64) -> u64 {
        self.dice.borrow_mut().below(limit)
    }

    fn kill_somebody(&self) {
        let victim = {
            let everybody = self.everybody.borrow();
            everybody[self.below(everybody.len() as u64) as usize]
        };
        self.kills.set(self.kills.get() + usize::from(!victim.dead()));
        victim.kill();
    }

    fn member(self: &Rc<Crowd>, lent: &Lent, depth: u64) {
        self.everybody.borrow_mut().push(getcurrent());
        let user = lent.user("");
        let _kills = OnDrop(|| {
            user.check();
            if self.below(4) == 0 {
                self.kill_somebody();
            }
            user.check();
        });
        for _ in 0..self.below(4) {
            match self.below(10) {
                0 => self.kill_somebody(),
                // Past the panic hook: it would say it a thousand times.
                1 => resume_unwind(Box::new("on purpose")),
                2..5 if depth < 4 && !thread::panicking() => {
                    let _panicked = catch_unwind(AssertUnwindSafe(|| grows(self, depth + 1)));
                }
                _ => thread::sleep(ms(self.below(4))),
            }
            user.check();
        }
    }
}

#[test]
fn whoever_kills_whomever_what_is_borrowed_is_there() {
    let kills = Rc::new(Cell::new(0));
    for seed in 0..2000 {
        let all = Rc::clone(&kills);
        run(move || {
            let crowd = Rc::new(Crowd {
                dice: RefCell::new(Dice::new(seed + 1)),
                everybody: RefCell::default(),
                log: Log::new(),
                kills: Cell::new(0),
            });
            let owners: Vec<_> = (0..3)
                .map(|_| {
                    let inside = Rc::clone(&crowd);
                    let owner = GreenThread::from(thread::spawn(move || grows(&inside, 0)));
                    crowd.everybody.borrow_mut().push(*owner);
                    owner
                })
                .collect();
            for _ in 0..10 {
                thread::sleep(ms(crowd.below(4)));
                crowd.kill_somebody();
            }
            owners.into_iter().for_each(|owner| drop(owner.block()));
            all.set(all.get() + crowd.kills.get());
        });
    }
    assert!(kills.get() > 3000, "{}", kills.get());
}
