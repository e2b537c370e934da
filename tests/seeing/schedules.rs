//! The test kit: five bugs of order, planted in either colour, and found.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::process::Command;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use eventlet::lock::Lock;
use eventlet::testing::{self, Failure};
use eventlet::{Event, Queue, Semaphore, sleep, spawn};

/// Seeds within which each bug must be found.
const SEEDS: std::ops::Range<u64> = 0..1000;

const ZERO: Duration = Duration::ZERO;

/// Gives up so many turns. In the order of the hub others are through by then: each of the bugs is
/// hidden there.
async fn pass(turns: usize) {
    for _ in 0..turns {
        sleep(ZERO).await;
    }
}

/// Finds a failure that says so, and runs it again by its seed and by its schedule. In the order of
/// the hub there is none.
macro_rules! assert_found {
    ($program:expr, $words:expr) => {{
        assert_eq!(testing::replay("=", $program), None);
        let failure = testing::find(SEEDS, $program).expect("it is not found");
        assert!(failure.what().contains($words), "{failure}");
        let seed = failure.seed().unwrap().to_string();
        for _ in 0..3 {
            assert_same(&failure, &testing::replay(failure.schedule(), $program));
            assert!(testing::replay(&seed, $program).is_some(), "seed {seed} passes");
        }
        failure
    }};
}

#[track_caller]
fn assert_same(failure: &Failure, again: &Option<Failure>) {
    let again = again.as_ref().expect("it passes");
    assert_eq!((failure.what(), failure.turns()), (again.what(), again.turns()));
}

both_colours! {
    /// A value is read before a wait and written after it.
    pub(super) fn lost_update() -> impl Future<Output = ()> + 'static {
        green!({
            let count = Rc::new(Cell::new(0));
            let adders = [0, 3].map(|turns| {
                let count = Rc::clone(&count);
                spawn(green!({
                    wait!(pass(turns));
                    let before = count.get();
                    wait!(sleep(ZERO));
                    count.set(before + 1);
                }))
            });
            for adder in adders {
                wait!(adder).unwrap();
            }
            assert_eq!(count.get(), 2, "an update was lost");
        })
    }

    #[test]
    fn a_lost_update_is_found() {
        assert_found!(lost_update, "an update was lost");
    }

    /// Whether there is an item is asked before a wait.
    fn check_then_act() -> impl Future<Output = ()> + 'static {
        green!({
            let queue = Queue::new(None);
            wait!(queue.put(1));
            let takers = [0, 3].map(|turns| {
                let queue = queue.clone();
                spawn(green!({
                    wait!(pass(turns));
                    if !queue.empty() {
                        wait!(sleep(ZERO));
                        let item = queue.get_nowait().expect("the queue was not empty");
                        assert_eq!(item, 1);
                    }
                }))
            });
            for taker in takers {
                wait!(taker).unwrap();
            }
        })
    }

    #[test]
    fn a_check_before_a_wait_is_found() {
        assert_found!(check_then_act, "the queue was not empty");
    }

    /// In the order of the hub the one is through before the other begins.
    fn lock_order() -> impl Future<Output = ()> + 'static {
        green!({
            let (a, b) = (Lock::new(), Lock::new());
            let transfer = |first: &Lock, second: &Lock| {
                let (first, second) = (first.clone(), second.clone());
                spawn(green!({
                    let _first = wait!(first.lock());
                    wait!(sleep(ZERO));
                    let _second = wait!(second.lock());
                }))
            };
            let one = transfer(&a, &b);
            wait!(pass(2));
            let other = transfer(&b, &a);
            wait!(one).unwrap();
            wait!(other).unwrap();
        })
    }

    #[test]
    fn a_lock_order_inversion_is_found() {
        let failure = assert_found!(lock_order, "deadlock: nothing can wake any");
        assert!(failure.what().contains("lock_order"), "{failure}");
    }

    /// Whoever comes to wait when the news is out waits forever.
    fn missed_notification() -> impl Future<Output = ()> + 'static {
        green!({
            let (ready, news) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(Event::<()>::new())));
            let waiter = {
                let (ready, news) = (Rc::clone(&ready), Rc::clone(&news));
                spawn(green!({
                    if !ready.get() {
                        wait!(sleep(ZERO));
                        let next = news.borrow().clone();
                        wait!(next.wait()).unwrap();
                    }
                }))
            };
            wait!(pass(2));
            ready.set(true);
            let old = news.replace(Event::new());
            old.send(());
            wait!(waiter).unwrap();
        })
    }

    #[test]
    fn a_missed_notification_is_found() {
        assert_found!(missed_notification, "deadlock: nothing can wake any");
    }

    /// What belongs together is written in two turns, and a kill comes between.
    fn kill_between_writes() -> impl Future<Output = ()> + 'static {
        green!({
            let accounts = Rc::new((Cell::new(100), Cell::new(0)));
            let transfer = spawn({
                let accounts = Rc::clone(&accounts);
                green!({
                    accounts.0.set(accounts.0.get() - 10);
                    wait!(sleep(ZERO));
                    accounts.1.set(accounts.1.get() + 10);
                })
            });
            testing::may_kill(&transfer);
            let _either = wait!(transfer);
            assert_eq!(accounts.0.get() + accounts.1.get(), 100, "money was lost");
        })
    }

    #[test]
    fn a_kill_between_two_writes_is_found() {
        let failure = assert_found!(kill_between_writes, "money was lost");
        assert!(failure.turns().iter().any(|turn| turn.starts_with("kill of")), "{failure}");
    }

    /// A limit that passes between a grant and its use.
    fn timed_out_permit() -> impl Future<Output = ()> + 'static {
        green!({
            let semaphore = Semaphore::new(1);
            let same = semaphore.clone();
            testing::unchanged("the permits", move || same.counter());
            let users = [(); 2].map(|()| {
                let semaphore = semaphore.clone();
                spawn(green!({
                    if wait!(testing::may_time_out(semaphore.acquire())).is_ok() {
                        // The mistake: what it waits for now may never be, and the permit is not
                        // released.
                        if wait!(testing::may_time_out(sleep(Duration::from_secs(1)))).is_ok() {
                            semaphore.release();
                        }
                    }
                }))
            });
            for user in users {
                wait!(user).unwrap();
            }
        })
    }

    #[test]
    fn a_permit_that_is_lost_to_a_timeout_is_found() {
        assert_found!(timed_out_permit, "");
    }

    /// The same things done right, under the same faults.
    fn all_right() -> impl Future<Output = ()> + 'static {
        green!({
            let (semaphore, count) = (Semaphore::new(1), Rc::new(Cell::new(0)));
            let same = semaphore.clone();
            testing::unchanged("the permits", move || same.counter());
            let adders = [(); 4].map(|()| {
                let (semaphore, count) = (semaphore.clone(), Rc::clone(&count));
                let adder = spawn(green!({
                    if let Ok(_permit) = wait!(testing::may_time_out(semaphore.permit())) {
                        let before = count.get();
                        wait!(sleep(Duration::from_secs(1)));
                        count.set(before + 1);
                        return 1;
                    }
                    0
                }));
                testing::may_kill(&adder);
                adder
            });
            let mut sum = 0;
            for adder in adders {
                sum += wait!(adder).unwrap_or(0);
            }
            assert_eq!(sum, count.get());
        })
    }

    #[test]
    fn a_program_without_a_bug_passes() {
        testing::check(0..300, all_right);
    }

    #[test]
    fn what_is_left_behind_is_a_failure() {
        let left = testing::find(0..1, || green!({
            eventlet::spawn_n(std::future::pending::<()>());
        }));
        let left = left.unwrap();
        assert!(left.what().contains("left green threads behind:\ngreen thread 2"), "{left}");
        let unheard = testing::find(0..1, || green!({
            eventlet::spawn_n(green!({ panic!("nobody hears of this") }));
        }));
        let unheard = unheard.unwrap();
        assert!(unheard.what().contains("nobody hears of this"), "{unheard}");
    }
}

/// One seed is one order, and among many seeds there is every order.
#[test]
fn every_order_of_turns_is_tried() {
    static ORDERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    testing::check(0..500, || async {
        let order = Rc::new(RefCell::new(String::new()));
        let members = ["a", "b", "c", "d"].map(|name| {
            let order = Rc::clone(&order);
            spawn(async move { *order.borrow_mut() += name })
        });
        for member in members {
            member.await.unwrap();
        }
        ORDERS.lock().unwrap().insert(order.take());
    });
    assert_eq!(ORDERS.lock().unwrap().len(), 4 * 3 * 2);
}

#[test]
fn a_schedule_is_shrunk_to_what_it_takes() {
    let failure = testing::find(SEEDS, || async {
        let others = [(); 20].map(|()| spawn(sleep(ZERO)));
        let lost = Rc::new(Cell::new(false));
        let writer = spawn({
            let lost = Rc::clone(&lost);
            async move { lost.set(true) }
        });
        let reader = spawn(async move { assert!(lost.get(), "read before it was written") });
        for other in others {
            other.await.unwrap();
        }
        writer.await.unwrap();
        reader.await.unwrap();
    })
    .unwrap();
    assert_eq!(failure.schedule().split(',').count(), 1, "{failure}");
    assert!(failure.to_string().contains(", are enough: EVENTLET_SEED="), "{failure}");
}

#[test]
fn a_program_that_goes_round_forever_is_ended() {
    let failure = testing::find(0..1, || async {
        loop {
            sleep(ZERO).await;
        }
    });
    let what = failure.unwrap().what().to_owned();
    assert!(what.contains("it did not end within 100000 turns"), "{what}");
}

#[test]
#[ignore = "run by the next one, in a process of its own"]
fn fails_with_some_seed() {
    testing::check(SEEDS, stackless::lost_update);
}

/// The message of `check` has the value of the variable, with which the test fails again in the
/// same way.
#[test]
fn the_variable_runs_one_schedule() {
    let run = |seed: Option<&str>| {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "schedules::fails_with_some_seed", "--ignored", "--nocapture"]);
        test.env_remove("EVENTLET_SEED");
        if let Some(seed) = seed {
            test.env("EVENTLET_SEED", seed);
        }
        let output = test.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text)
    };
    let (passed, text) = run(None);
    assert!(!passed && text.contains("an update was lost"), "{text}");
    let shrunk = text.rsplit_once("EVENTLET_SEED=").unwrap().1.lines().next().unwrap();
    let (passed, again) = run(Some(shrunk));
    assert!(!passed && again.contains("an update was lost"), "{again}");
    assert!(again.contains("under the schedule that was given"), "{again}");
    let turns = |text: &str| text.split_once("its turns:").unwrap().1.to_owned();
    assert_eq!(turns(&text), turns(&again));
    assert!(run(Some("=")).0, "the usual order has no such bug");
    let (passed, text) = run(Some("nonsense"));
    assert!(!passed && text.contains("`nonsense` is neither a seed"), "{text}");
}
