//! How green threads with stacks end: whatever ends one, in every state that one can be in.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Waker};
use std::thread::panicking;

use eventlet::corolocal::Local;
use eventlet::runtime::Builder;
use eventlet::stackful::stack_stats;
use eventlet::{
    Block, GreenThread, Greenlet, Semaphore, Timeout, getcurrent, green, lowlevel, sleep, spawn,
    spawn_n, stackful,
};

use crate::support::{
    Ear, Log, OnDrop, ZERO, idle, in_a_process_of_its_own, keeps_turn, last_panic, ms, panics, run,
};

/// Runs a test on a green stack.
fn run_stackful(test: impl FnOnce() + 'static) {
    run(stackful(test));
}

/// A green thread with a stack of its own.
fn green<T: 'static>(closure: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    spawn(stackful(closure))
}

/// What ends a green thread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    Kill,
    /// A limit on the green stack: `run_blocking`.
    LimitInside,
    /// A limit round the stackful future.
    LimitAround,
    HubEnds,
    Panic,
}

/// What the green thread is doing then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    NotStarted,
    /// It goes on to its next wait, unless it is a panic.
    Running,
    Parked,
    /// It waits for another stack within its own, on which code is parked.
    ParkedNested,
    /// It is parked in a `catch_unwind`, and waits again afterwards.
    Catching,
    /// It is parked with locks, a permit and a borrow.
    HoldingGuards,
    /// It is parked in a destructor that nothing but the end of a scope called.
    InDestructor,
    /// It is being unwound, by a kill, and runs a destructor.
    Dying,
}

/// What comes of it.
enum Outcome {
    /// What is written, in order, above all by destructors; and how the green thread ends.
    Ends(&'static str, &'static str),
    /// It cannot come to that; and why.
    Never(&'static str),
}

use self::Cause::*;
use self::Outcome::*;
use self::State::*;

const CAUSES: [Cause; 5] = [Kill, LimitInside, LimitAround, HubEnds, Panic];

#[rustfmt::skip]
const TABLE: [(State, [Outcome; 5]); 8] = [
    (NotStarted, [
        /* Kill        */ Ends("outer", "killed"),
        /* LimitInside */ Never("it limits code that runs"),
        /* LimitAround */ Ends("outer", "limit"),
        /* HubEnds     */ Ends("outer", "killed"),
        /* Panic       */ Never("its own code would have to run"),
    ]),
    (Running, [
        /* Kill        */ Ends("goes-on inner outer", "killed"),
        /* LimitInside */ Ends("goes-on inner outer", "limit"),
        /* LimitAround */ Ends("goes-on inner outer", "limit"),
        /* HubEnds     */ Ends("goes-on inner outer", "killed"),
        /* Panic       */ Ends("inner outer", "panic"),
    ]),
    (Parked, [
        /* Kill        */ Ends("inner outer", "killed"),
        /* LimitInside */ Ends("inner outer", "limit"),
        /* LimitAround */ Ends("inner outer", "limit"),
        /* HubEnds     */ Ends("inner outer", "killed"),
        /* Panic       */ Ends("inner outer", "panic"),
    ]),
    (ParkedNested, [
        /* Kill        */ Ends("nested inner outer", "killed"),
        /* LimitInside */ Ends("nested inner outer", "limit"),
        /* LimitAround */ Ends("nested inner outer", "limit"),
        /* HubEnds     */ Ends("nested inner outer", "killed"),
        /* Panic       */ Ends("nested inner outer", "panic"),
    ]),
    (Catching, [
        /* Kill        */ Ends("inner caught outer", "killed"),
        /* LimitInside */ Ends("inner caught outer", "limit"),
        /* LimitAround */ Ends("inner caught outer", "limit"),
        /* HubEnds     */ Ends("inner caught outer", "killed"),
        /* Panic       */ Ends("inner caught goes-on outer", "value"),
    ]),
    (HoldingGuards, [
        /* Kill        */ Ends("held inner poisoned poisoned free free outer", "killed"),
        /* LimitInside */ Ends("held inner poisoned poisoned free free outer", "limit"),
        /* LimitAround */ Ends("held inner poisoned poisoned free free outer", "limit"),
        /* HubEnds     */ Ends("held inner poisoned poisoned free free outer", "killed"),
        /* Panic       */ Ends("held inner poisoned poisoned free free outer", "panic"),
    ]),
    (InDestructor, [
        /* Kill        */ Ends("inner outer", "killed"),
        /* LimitInside */ Ends("inner outer", "limit"),
        /* LimitAround */ Ends("inner outer", "limit"),
        /* HubEnds     */ Ends("inner outer", "killed"),
        /* Panic       */ Ends("inner outer", "panic"),
    ]),
    (Dying, [
        /* Kill        */ Ends("dying goes-on inner outer", "killed"),
        /* LimitInside */ Ends("dying refused goes-on inner outer", "killed"),
        /* LimitAround */ Ends("dying goes-on inner outer", "killed"),
        /* HubEnds     */ Ends("dying goes-on inner outer", "killed"),
        /* Panic       */ Ends("dying caught goes-on inner outer", "killed"),
    ]),
];

#[test]
fn every_cause_in_every_state() {
    // The hook that it looks with cannot be set while somebody unwinds.
    last_panic();
    for (state, cells) in TABLE {
        for (cause, cell) in CAUSES.into_iter().zip(cells) {
            match cell {
                Ends(written, end) => Trial::new(cause, state).run(written, end),
                Never(why) => println!("{cause:?} when it is {state:?}: never, as {why}"),
            }
        }
    }
}

/// When limits pass, and when the panics of those that are parked come.
const SOON: u64 = 10;

/// How the victim ends: with its value, or with the limit that passed.
type Ended = Result<&'static str, Timeout>;

/// One cell of the table, tried.
#[derive(Clone)]
struct Trial {
    cause: Cause,
    state: State,
    log: Log,
    limit: Timeout,
    /// The main green thread, with which the hub ends.
    main: Rc<Cell<Option<Greenlet>>>,
    /// How the victim ended, as its link heard it.
    end: Rc<RefCell<Vec<&'static str>>>,
    /// How often somebody else looked at `panicking()`, and how often it was true.
    looks: Rc<Cell<(usize, usize)>>,
}

impl Trial {
    fn new(cause: Cause, state: State) -> Trial {
        Trial {
            cause,
            state,
            log: Log::new(),
            limit: Timeout::new(ms(SOON)),
            main: Rc::default(),
            end: Rc::default(),
            looks: Rc::default(),
        }
    }

    fn run(&self, written: &str, end: &str) {
        let cell = format!("{:?} when it is {:?}", self.cause, self.state);
        let before = stack_stats().in_use;
        let driver = self.clone();
        let hub = || Builder::new().start_paused(true).run(async move { driver.drive().await });
        let ran = catch_unwind(AssertUnwindSafe(hub)).map_err(|payload| {
            payload.downcast::<String>().map_or_else(|_| String::new(), |message| *message)
        });
        match ran {
            // A victim that is running can end the hub only with the main green thread.
            Err(message) if message.contains("the main green thread has no value") => {
                assert!(self.cause == HubEnds && self.strikes_itself(), "{cell}: {message}");
            }
            ran => ran.unwrap_or_else(|message| panic!("{cell}: {message}")).unwrap(),
        }
        assert_eq!(self.log.text(), written, "{cell}");
        assert_eq!(*self.end.borrow(), [end], "{cell}");
        assert_eq!(stack_stats().in_use, before, "{cell}: stacks are in use");
        let (looks, panicking_looks) = self.looks.get();
        assert!(looks > 0 && panicking_looks == 0, "{cell}: {:?}", self.looks.get());
        assert!(!panicking(), "{cell}");
    }

    /// What the main green thread does: sees to it that the victim is in its state, and ends it.
    async fn drive(self) {
        self.main.set(Some(getcurrent()));
        let bystander = self.bystander();
        idle().await;
        let mut victim = spawn(self.victim());
        let (end, this) = (Rc::clone(&self.end), self.clone());
        victim.link(move |ended| {
            assert!(!panicking());
            end.borrow_mut().push(this.name(ended.as_ref().map_err(Clone::clone).copied()));
        });
        if self.state != NotStarted {
            idle().await;
        }
        match self.cause {
            _ if self.state == Dying => victim.kill(),
            Kill => victim.kill(),
            HubEnds if !self.strikes_itself() => return,
            HubEnds | LimitInside | LimitAround | Panic => sleep(ms(2 * SOON)).await,
        }
        let ended = (&mut victim).await;
        assert_eq!([self.name(ended)], **self.end.borrow(), "waiting gives what the link got");
        sleep(ms(SOON)).await;
        bystander.kill();
    }

    fn name(&self, ended: Result<Ended, eventlet::Exit>) -> &'static str {
        match ended {
            Ok(Ok(value)) => value,
            Ok(Err(limit)) if limit == self.limit => "limit",
            Err(exit) if exit.is_killed() => "killed",
            Err(exit) if exit.is_panic() && exit.to_string().contains("on purpose") => "panic",
            other => panic!("{other:?}"),
        }
    }

    /// One that has turns all the while.
    fn bystander(&self) -> Greenlet {
        let looks = Rc::clone(&self.looks);
        spawn_n(stackful(move || {
            loop {
                let (all, bad) = looks.get();
                looks.set((all + 1, bad + usize::from(panicking())));
                sleep(ZERO).block();
                sleep(ms(1)).block();
            }
        }))
    }

    fn strikes_itself(&self) -> bool {
        matches!(self.state, Running | Dying)
    }

    /// The future of the victim. What it owns is dropped last.
    fn victim(&self) -> Pin<Box<dyn Future<Output = Ended>>> {
        let (this, outer) = (self.clone(), self.log.at_drop("outer"));
        let stackful = stackful(move || {
            let _outer = outer;
            match this.cause {
                LimitInside if this.state != Dying => this.limit.run_blocking(|| this.live()),
                _ => Ok(this.live()),
            }
        });
        let (limit, state) = (self.limit, self.state);
        match self.cause {
            LimitAround => Box::pin(async move {
                let bounded = async {
                    if state == NotStarted {
                        pending::<()>().await;
                    }
                    stackful.await
                };
                limit.run(bounded).await.and_then(|ended| ended)
            }),
            _ => Box::pin(stackful),
        }
    }

    /// What the victim does, on its stack.
    fn live(&self) -> &'static str {
        match self.state {
            NotStarted => self.log.add("started"),
            Running => {
                let _inner = self.log.at_drop("inner");
                self.strike();
                self.log.add("goes-on");
                // A limit counts from its first poll's first look at the clock, so it comes after
                // all this code's own time.
                sleep(ms(2 * SOON)).block();
            }
            Parked => {
                let _inner = self.log.at_drop("inner");
                self.be_parked();
            }
            ParkedNested => {
                let _inner = self.log.at_drop("inner");
                let this = self.clone();
                let nested = stackful(move || {
                    let _nested = this.log.at_drop("nested");
                    this.be_parked();
                });
                nested.block();
            }
            Catching => {
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    let _inner = self.log.at_drop("inner");
                    self.be_parked();
                }));
                assert!(caught.is_err());
                self.log.add("caught");
                sleep(ZERO).block();
                self.log.add("goes-on");
            }
            HoldingGuards => self.hold_guards(),
            InDestructor => {
                let _inner = self.log.at_drop("inner");
                drop(OnDrop(|| self.be_parked()));
            }
            Dying => {
                let _inner = self.log.at_drop("inner");
                let _strikes = OnDrop(|| {
                    assert!(panicking());
                    self.log.add("dying");
                    self.strike_the_dying();
                    self.log.add("goes-on");
                });
                pending::<()>().block();
            }
        }
        "value"
    }

    /// Waits, until it ends.
    fn be_parked(&self) {
        if self.cause == Panic {
            async {
                sleep(ms(SOON)).await;
                panic!("on purpose");
            }
            .block();
        }
        pending::<()>().block();
    }

    fn hold_guards(&self) {
        let (of_std, mirrored) = (Mutex::new(()), green::sync::Mutex::new(()));
        let (semaphore, cell) = (Semaphore::new(1), RefCell::new(()));
        let _looks = OnDrop(|| {
            for poisoned in [of_std.is_poisoned(), mirrored.is_poisoned()] {
                self.log.add(if poisoned { "poisoned" } else { "clean" });
            }
            for free in [!semaphore.locked(), cell.try_borrow_mut().is_ok()] {
                self.log.add(if free { "free" } else { "held" });
            }
        });
        let _locks = (of_std.lock(), mirrored.lock());
        let _others = (semaphore.permit().block(), cell.borrow_mut());
        let _inner = self.log.at_drop("inner");
        self.log.add("held");
        self.be_parked();
    }

    /// Ends the victim, which is the one that calls this. It goes on to its next wait, unless this
    /// panics.
    fn strike(&self) {
        match self.cause {
            Kill => getcurrent().kill(),
            LimitInside | LimitAround => pass_the_time(),
            HubEnds => self.main.get().unwrap().kill(),
            Panic => panic!("on purpose"),
        }
    }

    /// Ends the victim, which is being unwound already.
    fn strike_the_dying(&self) {
        match self.cause {
            LimitInside => {
                let waits = || self.limit.run_blocking(|| pending::<()>().block());
                let panicked = panics(waits);
                assert!(panicked.message.contains("cannot wait while its green stack unwinds"));
                self.log.add("refused");
            }
            Panic => {
                panics(|| self.strike());
                self.log.add("caught");
            }
            _ => self.strike(),
        }
    }
}

/// Lets all limits pass, as code would that runs on and on.
fn pass_the_time() {
    let advance = pin!(tokio::time::advance(ms(2 * SOON)));
    assert!(advance.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn two_that_unwind_in_turns_do_not_see_each_other() {
    last_panic();
    run_stackful(|| {
        let log = Log::new();
        let unwinders = ["a", "b"].map(|name| {
            let log = log.clone();
            green(move || {
                for _ in 0..5 {
                    assert!(!panicking(), "the other one unwinds");
                    let caught = catch_unwind(AssertUnwindSafe(|| {
                        let _waits = OnDrop(|| {
                            assert!(panicking());
                            panics(|| sleep(ZERO).block());
                            log.add(name);
                        });
                        panic!("on purpose");
                    }));
                    assert!(caught.is_err());
                    sleep(ZERO).block();
                }
            })
        });
        for unwinder in unwinders {
            unwinder.block().unwrap();
        }
        assert_eq!(log.text(), "a b a b a b a b a b");
    });
}

/// Rust ends a process when a panic leaves a destructor that an unwind runs, and nobody can change
/// that. The words are there, and say whose fault it is.
#[test]
fn a_destructor_that_waits_and_does_not_catch_the_panic_ends_the_process_with_words() {
    let (passed, text) = in_a_process_of_its_own("unwinding::alone_wait");
    assert!(!passed, "{text}");
    assert!(text.contains("cannot wait while its green stack unwinds"), "{text}");
    assert!(text.contains("panic in a destructor during cleanup"), "{text}");
    let place = format!("{}:{}:", file!(), ALONE_WAITS_AT);
    assert!(text.contains(&place), "it names the destructor, {place}: {text}");
}

/// The line of the destructor that waits, below.
const ALONE_WAITS_AT: u32 = line!() + 7;

#[test]
#[ignore = "ends its process: the test above runs it"]
fn alone_wait() {
    run_stackful(|| {
        let victim = green(|| {
            let _waits = OnDrop(|| sleep(ms(1)).block());
            pending::<()>().block();
        });
        idle().block();
        victim.kill();
    });
}

/// What is on the way is not lost: a backtrace shows who resumed the stack, down to the OS thread's
/// own frames.
#[test]
fn a_backtrace_passes_from_nested_green_stacks_into_the_hub() {
    #[inline(never)]
    fn innermost() -> String {
        sleep(ZERO).block();
        Backtrace::force_capture().to_string()
    }
    run_stackful(|| {
        let outer = green(|| stackful(innermost).block());
        let text = outer.block().unwrap();
        let places = [
            "a_backtrace_passes_from_nested_green_stacks_into_the_hub::innermost",
            "eventlet::stackful::coroutine::Stackful",
            "eventlet::hub::",
            "tokio::runtime",
            "eventlet::runtime::builder",
        ];
        // In a release build, what was inlined has no name.
        let places = places
            .into_iter()
            .filter(|place| cfg!(debug_assertions) || !place.starts_with("eventlet"));
        let found: Vec<_> = places.map(|place| text.find(place)).collect();
        assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}\n{text}");
    });
}

/// What belongs to a green thread that a green stack ends is no code of that stack: it cannot put
/// it aside.
mod on_the_stack_of_another {
    use super::*;

    /// What everybody is told who waits there.
    const REFUSED: &str = "a destructor or a link of a green thread that has ended cannot wait";

    /// What waits, though it is no place to wait.
    fn waits() {
        sleep(ms(1)).block();
    }

    /// Ends something on a green stack, in which one thing waits. That is refused and reported, and
    /// the stack keeps its turn and goes on.
    fn is_refused(at_what: &str, end: impl FnOnce()) {
        let ear = Ear::open();
        keeps_turn!(end());
        let reported = ear.heard();
        assert!(reported.len() == 1, "{reported:?}");
        assert!(reported[0].contains(REFUSED) && reported[0].contains(at_what), "{reported:?}");
        sleep(ms(1)).block();
    }

    #[test]
    fn a_destructor_of_a_stackless_one() {
        run_stackful(|| {
            let victim = spawn(async {
                let _waits = OnDrop(waits);
                pending::<()>().await;
            });
            idle().block();
            is_refused("in a destructor", || victim.kill());
            assert!(victim.block().unwrap_err().is_killed());
        });
    }

    #[test]
    fn what_one_owns_that_never_started() {
        run_stackful(|| {
            let guard = OnDrop(waits);
            let victim = green(move || drop(guard));
            is_refused("in a destructor", || victim.kill());
        });
    }

    #[test]
    fn a_link() {
        run_stackful(|| {
            let victim = spawn(pending::<()>());
            victim.link(|_| waits());
            idle().block();
            is_refused("in a link", || victim.kill());
            assert!(victim.block().unwrap_err().is_killed());
        });
    }

    #[test]
    fn a_link_of_one_that_has_ended() {
        run_stackful(|| {
            let ear = Ear::open();
            let ended = spawn(async {});
            idle().block();
            keeps_turn!(ended.link(|_| waits()));
            let reported = ear.heard();
            assert!(reported.len() == 1 && reported[0].contains("a link"), "{reported:?}");
            ended.block().unwrap();
        });
    }

    #[test]
    fn a_local_value() {
        struct Waits;
        impl Drop for Waits {
            fn drop(&mut self) {
                waits();
            }
        }
        run_stackful(|| {
            let local = Local::new(|| Waits);
            let victim = spawn(async move {
                local.with(|_| ());
                pending::<()>().await;
            });
            idle().block();
            is_refused("local", || victim.kill());
        });
    }

    #[test]
    fn a_value_that_comes_too_late() {
        run_stackful(|| {
            let victim = green(|| {
                let _cancelled = lowlevel::wait(pending::<()>());
                OnDrop(waits)
            });
            idle().block();
            is_refused("in a green thread that was being ended", || victim.kill());
        });
    }

    #[test]
    fn a_hub_that_ends_there() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(stackful(|| {
            let ear = Ear::open();
            let mut hub = Box::pin(eventlet::local(async {
                drop(spawn(async {
                    let _waits = OnDrop(waits);
                    pending::<()>().await;
                }));
                pending::<()>().await;
            }));
            async { assert!(futures::poll!(&mut hub).is_pending()) }.block();
            drop(hub);
            let reported = ear.heard();
            assert!(reported.len() == 1 && reported[0].contains(REFUSED), "{reported:?}");
        }));
    }

    #[test]
    fn a_hub_that_somebody_polls_there() {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(stackful(|| {
            let mut hub = pin!(eventlet::local(async { waits() }));
            let cx = &mut Context::from_waker(Waker::noop());
            let panicked = panics(|| while hub.as_mut().poll(cx).is_pending() {});
            assert!(panicked.message.contains("`.block()` needs a green stack"), "{panicked:?}");
        }));
    }
}
