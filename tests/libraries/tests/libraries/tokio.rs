//! Tokio's own tasks and meeting points.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use eventlet::{Block, sleep, spawn_n, stackful};
use tokio::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch,
};
use tokio::task::{JoinSet, spawn_blocking, spawn_local, yield_now};
use tokio::time::{interval, timeout};

use crate::support::{green, run};

#[test]
fn select_takes_the_first_and_drops_the_others() {
    run(|| {
        let dropped = Rc::new(());
        let kept = Rc::clone(&dropped);
        let slow = stackful(move || {
            let _kept = kept;
            sleep(Duration::from_secs(60)).block();
        });
        let (sender, receiver) = oneshot::channel();
        spawn_n(async { sender.send("first").unwrap() });
        let first = async {
            tokio::select! {
                _ = slow => panic!("the slow one came first"),
                value = receiver => value.unwrap(),
            }
        };
        assert_eq!(first.block(), "first");
        assert_eq!(Rc::strong_count(&dropped), 1, "the stack of the other one was not unwound");
    });
}

#[test]
fn local_tasks_are_waited_for_and_wait_on_green_stacks_themselves() {
    run(|| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks = ["a", "b"].map(|name| {
            let log = Rc::clone(&log);
            spawn_local(stackful(move || {
                for _ in 0..3 {
                    log.borrow_mut().push(name);
                    yield_now().block();
                }
                name
            }))
        });
        assert_eq!(tasks.map(|task| task.block().unwrap()), ["a", "b"]);
        let mut log = Rc::try_unwrap(log).unwrap().into_inner();
        assert_ne!(log, ["a", "a", "a", "b", "b", "b"], "nobody gave up a turn");
        log.sort_unstable();
        assert_eq!(log, ["a", "a", "a", "b", "b", "b"]);
    });
}

#[test]
fn a_set_of_tasks_gives_results_as_they_come_and_says_who_panicked() {
    run(|| {
        let mut set = JoinSet::new();
        for milliseconds in [20, 1] {
            set.spawn_local(stackful(move || {
                sleep(Duration::from_millis(milliseconds)).block();
                milliseconds
            }));
        }
        assert_eq!(set.join_next().block().unwrap().unwrap(), 1);
        assert_eq!(set.join_next().block().unwrap().unwrap(), 20);
        set.spawn_local(stackful(|| panic!("on purpose")));
        assert!(set.join_next().block().unwrap().unwrap_err().is_panic());
        set.spawn(std::future::pending());
        set.spawn_local(stackful(|| std::future::pending().block()));
        yield_now().block();
        set.shutdown().block();
        assert!(set.join_next().block().is_none());
    });
}

#[test]
fn blocking_work_goes_to_other_os_threads() {
    run(|| {
        let here = thread::current().id();
        let meeting = Arc::new(std::sync::Barrier::new(2));
        let work = [1, 2].map(|number| {
            let meeting = Arc::clone(&meeting);
            green(move || {
                let task = spawn_blocking(move || {
                    meeting.wait();
                    (number, thread::current().id())
                });
                task.block().unwrap()
            })
        });
        let [one, two] = work.map(|gt| gt.block().unwrap());
        assert_eq!((one.0, two.0), (1, 2));
        assert!(one.1 != two.1 && one.1 != here && two.1 != here);
    });
}

#[test]
fn locks_are_held_across_waits() {
    run(|| {
        let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let workers = [1, 2, 3].map(|_| {
            let (mutex, lock) = (Arc::clone(&mutex), Arc::clone(&lock));
            green(move || {
                for _ in 0..10 {
                    let mut value = mutex.lock().block();
                    let seen = *value;
                    yield_now().block();
                    *value = seen + 1;
                    drop(value);
                    let seen = *lock.read().block();
                    let mut value = lock.write().block();
                    yield_now().block();
                    assert!(*value >= seen);
                    *value += 1;
                }
            })
        });
        for worker in workers {
            worker.block().unwrap();
        }
        assert_eq!((*mutex.lock().block(), *lock.read().block()), (30, 30));
    });
}

#[test]
fn permits_notices_barriers_and_cells() {
    run(|| {
        let permits = Arc::new(Semaphore::new(0));
        let notice = Arc::new(Notify::new());
        let barrier = Arc::new(Barrier::new(3));
        let cell = Arc::new(OnceCell::new());
        let workers = [1, 2].map(|number| {
            let (permits, notice) = (Arc::clone(&permits), Arc::clone(&notice));
            let (barrier, cell) = (Arc::clone(&barrier), Arc::clone(&cell));
            green(move || {
                permits.acquire().block().unwrap().forget();
                let first = *cell.get_or_init(|| async { number }).block();
                barrier.wait().block();
                notice.notified().block();
                first
            })
        });
        permits.add_permits(2);
        barrier.wait().block();
        yield_now().block();
        notice.notify_waiters();
        let firsts = workers.map(|worker| worker.block().unwrap());
        assert_eq!(firsts[0], firsts[1]);
        assert_eq!(permits.available_permits(), 0);
    });
}

#[test]
fn channels_of_all_kinds() {
    run(|| {
        let (items, mut received) = mpsc::channel(1);
        let (news, mut heard) = broadcast::channel(4);
        let (state, mut seen) = watch::channel(0);
        let worker = green(move || {
            let mut sum = 0;
            while let Some(item) = received.recv().block() {
                sum += item;
            }
            seen.wait_for(|state| *state == 7).block().unwrap();
            (sum, heard.recv().block().unwrap())
        });
        for item in 1..=10 {
            items.send(item).block().unwrap();
        }
        drop(items);
        news.send("news").unwrap();
        yield_now().block();
        state.send(7).unwrap();
        assert_eq!(worker.block().unwrap(), (55, "news"));
    });
}

#[test]
fn clocks() {
    run(|| {
        let mut ticks = interval(Duration::from_millis(1));
        let first = ticks.tick().block();
        assert!(ticks.tick().block() > first);
        let never = std::future::pending::<()>();
        assert!(timeout(Duration::from_millis(1), never).block().is_err());
    });
}

tokio::task_local! {
    static NAME: &'static str;
}

#[test]
fn what_a_task_keeps_for_itself_is_there_on_its_green_stack_and_nowhere_else() {
    run(|| {
        let named = |name: &'static str| {
            let body = stackful(|| {
                let before = NAME.get();
                yield_now().block();
                (before, NAME.get())
            });
            eventlet::spawn(NAME.scope(name, body))
        };
        let (a, b) = (named("a"), named("b"));
        assert!(NAME.try_with(|_| ()).is_err());
        assert_eq!(a.block().unwrap(), ("a", "a"));
        assert_eq!(b.block().unwrap(), ("b", "b"));
        assert!(NAME.try_with(|_| ()).is_err());
    });
}
