//! Who waits for what, and who has it.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use eventlet::debug::{MeetingPoint, keep_holders, meeting_points};
use eventlet::lock::Lock;
use eventlet::{Event, GreenPool, Queue, Semaphore, sleep, spawn};

fn paused(test: impl Future<Output = ()> + 'static) {
    eventlet::runtime::Builder::new().start_paused(true).run(test).unwrap();
}

fn point<'a>(points: &'a [MeetingPoint], what: &str) -> &'a MeetingPoint {
    let found: Vec<_> = points.iter().filter(|point| point.what == what).collect();
    let [point] = found[..] else { panic!("{what}: {points:?}") };
    point
}

fn ids(point: &MeetingPoint) -> Vec<u64> {
    point.waiters.iter().map(|waiter| waiter.greenlet.id()).collect()
}

both_colours! {
    #[test]
    fn each_kind_of_meeting_point_says_who_waits_and_what_there_is() {
        paused(green!({
            keep_holders(true);
            let (lock, full) = (Lock::new(), Queue::new(1));
            let (none, event) = (Semaphore::new(0), Event::<()>::new());
            wait!(full.put(1));
            let guard = wait!(lock.lock());
            let [one, other] = [(); 2].map(|()| {
                let lock = lock.clone();
                spawn(green!({ drop(wait!(lock.lock())) }))
            });
            other.set_name("other");
            let putter = spawn({ let full = full.clone(); green!({ wait!(full.put(2)) }) });
            let joiner = spawn({ let full = full.clone(); green!({ wait!(full.join()) }) });
            let empty = Queue::<()>::new(None);
            let getter = spawn(green!({ wait!(empty.get()) }));
            let acquirer = spawn(green!({ wait!(none.acquire()) }));
            let waiter = spawn(green!({ wait!(event.wait()).unwrap() }));
            let pool = GreenPool::new(2);
            let member = wait!(pool.spawn(std::future::pending::<()>()));
            let all = spawn({ let pool = pool.clone(); green!({ wait!(pool.waitall()) }) });
            let id = putter.id();
            let ends = spawn(green!({ wait!(putter).unwrap() }));
            let sleeper = spawn(sleep(Duration::from_secs(60)));
            wait!(sleep(Duration::ZERO));

            let points = wait!(meeting_points(false));
            let found = |what: &str| {
                let point = point(&points, what);
                (ids(point), point.waiting, point.state.as_str(), point.held_by)
            };
            let me = eventlet::getcurrent().id();
            assert_eq!(found("a lock"), (vec![one.id(), other.id()], 2, "", Some(me)));
            assert_eq!(found("room in a queue"), (vec![id], 1, "1 of 1 items", None));
            assert_eq!(found("an item of a queue"), (vec![getter.id()], 1, "0 items", None));
            assert_eq!(found("the tasks of a queue"), (vec![joiner.id()], 1, "1 are unfinished", None));
            assert_eq!(found("a permit of a semaphore"), (vec![acquirer.id()], 1, "counter 0", None));
            assert_eq!(found("an event"), (vec![waiter.id()], 1, "not sent", None));
            assert_eq!(found("the end of all green threads of a pool"), (vec![all.id()], 1, "1 run", None));
            assert_eq!(found("the end of a green thread"), (vec![ends.id()], 1, "", Some(id)));
            assert_eq!(points.len(), 8, "{points:?}");
            let text = points[0].to_string();
            assert!(text.starts_with(&format!("a lock held by green thread {me}, 2 waiting\n  green thread ")), "{text}");
            assert!(text.contains("\"other\", spawned at tests/seeing/waits.rs:"), "{text}");

            drop(guard);
            for done in [*one, *other, *ends, *getter, *acquirer, *sleeper, *joiner, *waiter, *all, *member] {
                done.kill();
            }
        }));
    }

    #[inline(never)]
    fn waits_here(lock: Lock) -> impl Future<Output = ()> + 'static {
        green!({ drop(wait!(lock.lock())) })
    }

    #[test]
    fn backtraces_say_where_each_waits() {
        paused(green!({
            let lock = Lock::new();
            let guard = wait!(lock.lock());
            let waits = spawn(waits_here(lock));
            wait!(sleep(Duration::ZERO));
            let points = wait!(meeting_points(true));
            let text = points[0].waiters[0].waits_at().unwrap();
            assert!(text.contains("waits_here") && !text.contains("eventlet::hub::"), "{text}");
            assert_eq!(points[0].held_by, None, "nobody asked to note it");
            drop(guard);
            wait!(waits).unwrap();
            assert!(wait!(meeting_points(true)).is_empty());
        }));
    }

    /// Whoever had it, and gave it away or passed it on, has it no more.
    #[test]
    fn a_lock_is_held_by_whoever_took_it_last() {
        paused(green!({
            keep_holders(true);
            let lock = Lock::new();
            let turns = [1, 2, 3].map(|seconds| {
                let lock = lock.clone();
                spawn(green!({
                    let _guard = wait!(lock.lock());
                    wait!(sleep(Duration::from_secs(seconds)));
                }))
            });
            wait!(sleep(Duration::from_millis(500)));
            assert_eq!(wait!(meeting_points(false))[0].held_by, Some(turns[0].id()));
            wait!(sleep(Duration::from_secs(1)));
            let second = &wait!(meeting_points(false))[0];
            assert_eq!((second.held_by, ids(second)), (Some(turns[1].id()), vec![turns[2].id()]));
            turns[1].kill();
            wait!(sleep(Duration::ZERO));
            assert!(wait!(meeting_points(false)).is_empty());
            assert!(lock.try_lock().is_none());
            turns[2].kill();
        }));
    }
}

/// Whoever is polled to say what it waits for may end, or panic: the others are asked all the same.
#[test]
fn a_question_outlives_a_poll_that_panics() {
    paused(async {
        let polls = Rc::new(Cell::new(0));
        let panics = spawn({
            let polls = Rc::clone(&polls);
            poll_fn(move |_cx| {
                polls.set(polls.get() + 1);
                assert!(polls.get() < 2, "enough");
                Poll::<()>::Pending
            })
        });
        let event = Event::<()>::new();
        let waits = spawn(async move { event.wait().await });
        sleep(Duration::ZERO).await;
        let points = meeting_points(false).await;
        assert_eq!((polls.get(), ids(point(&points, "an event"))), (2, vec![waits.id()]));
        assert!(panics.await.unwrap_err().is_panic());
        waits.kill();
    });
}

#[test]
fn the_end_of_main_by_a_question_is_its_end() {
    let answered = Rc::new(Cell::new(false));
    let later = Rc::clone(&answered);
    eventlet::run(async move {
        let mut polls = 0;
        eventlet::spawn_n(async move {
            meeting_points(false).await;
            later.set(true);
            std::future::pending::<()>().await;
        });
        poll_fn(move |_cx| {
            polls += 1;
            if polls < 2 { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    });
    assert!(!answered.get(), "nobody had a turn after the end of main");
}

/// Questions of several at a time are answered, and so is one that nobody waits for any more.
#[test]
fn many_may_ask() {
    paused(async {
        let event = Event::<()>::new();
        let waits = spawn(async move { event.wait().await });
        let askers = [(); 3].map(|()| spawn(meeting_points(false)));
        let gone = spawn(meeting_points(false));
        sleep(Duration::ZERO).await;
        gone.kill();
        for asker in askers {
            assert_eq!(ids(point(&asker.await.unwrap(), "an event")), [waits.id()]);
        }
        waits.kill();
    });
}
