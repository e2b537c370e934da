//! Programs that nothing can wake any more, and such that only look so.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use eventlet::debug::{Deadlock, Stuck};
use eventlet::lock::Lock;
use eventlet::runtime::Builder;
use eventlet::{Queue, Semaphore, sleep, spawn};
use tokio::sync::oneshot;

fn run<T: 'static>(paused: bool, main: impl Future<Output = T> + 'static) -> io::Result<T> {
    Builder::new().start_paused(paused).deadlock_detection(true).run(main)
}

/// Runs a program to its deadlock.
fn stuck(main: impl Future<Output = ()> + 'static) -> Vec<Stuck> {
    let error = run(false, main).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Deadlock);
    let deadlock = Deadlock::from_error(&error).expect("it is a deadlock");
    let text = error.to_string();
    assert!(text.starts_with("deadlock: nothing can wake any of the hub's "), "{text}");
    deadlock.stuck().to_vec()
}

both_colours! {
    #[inline(never)]
    fn takes_two(first: Lock, second: Lock) -> impl Future<Output = ()> + 'static {
        green!({
            let _first = wait!(first.lock());
            wait!(sleep(Duration::ZERO));
            let _second = wait!(second.lock());
        })
    }

    /// Each has a lock that the other wants, and main waits for one of them.
    #[test]
    fn a_lock_order_that_is_wrong_is_reported_with_who_waits_for_what() {
        let error = run(false, green!({
            let (a, b) = (Lock::new(), Lock::new());
            let one = spawn(takes_two(a.clone(), b.clone()));
            let other = spawn(takes_two(b, a));
            other.set_name("other");
            wait!(one).unwrap();
        }))
        .unwrap_err();
        let deadlock = Deadlock::from_error(&error).unwrap();
        let [main, one, other] = deadlock.stuck() else { panic!("{deadlock}") };
        assert_eq!((&main.waits_for[..], &one.waits_for[..]), (&[one.id][..], &[][..]));
        assert_eq!(other.name.as_deref(), Some("other"));
        assert_ne!(one.meeting_points, other.meeting_points);
        assert_eq!((&one.held_by[..], &other.held_by[..]), (&[other.id][..], &[one.id][..]));
        assert_eq!(deadlock.cycle(), Some(vec![one.id, other.id]));
        let words = format!("waits for a lock (meeting point 3), which green thread {} has", one.id);
        assert!(other.to_string().contains(&words), "{deadlock}");
        let words = format!("waits for the end of green thread {}\n", one.id);
        assert!(main.to_string().contains(&words), "{deadlock}");
        assert!(one.spawned_at.file().ends_with("deadlock.rs"));
        for stuck in [one, other] {
            let waits_at: Vec<String> = stuck.waits_at().collect();
            assert_eq!(waits_at.len(), 1);
            assert!(waits_at[0].contains("takes_two"), "{}", waits_at[0]);
            assert!(waits_at[0].contains("eventlet::"), "{}", waits_at[0]);
            assert!(!waits_at[0].contains("eventlet::hub::"), "{}", waits_at[0]);
        }
    }

    #[test]
    fn a_circle_of_ends_is_named() {
        let error = run(true, green!({
            let ends = Queue::new(None);
            let second = spawn({
                let ends = ends.clone();
                green!({
                    let main: eventlet::GreenThread<()> = wait!(ends.get());
                    let _never = wait!(main);
                })
            });
            // A green thread that waits for the one that waits for it.
            let third = spawn(green!({
                let _never = wait!(second);
            }));
            wait!(ends.put(third));
            wait!(pending::<()>());
        }))
        .unwrap_err();
        let deadlock = Deadlock::from_error(&error).unwrap();
        let ids: Vec<u64> = deadlock.stuck().iter().map(|stuck| stuck.id).collect();
        assert_eq!(deadlock.cycle(), Some(vec![ids[1], ids[2]]), "{deadlock}");
        let words = format!("and the last for the first: {}, {}", ids[1], ids[2]);
        assert!(deadlock.to_string().contains(&words), "{deadlock}");
    }

    #[test]
    fn a_semaphore_that_nobody_releases_is_reported_in_no_time() {
        let stuck = stuck(green!({
            let semaphore = Semaphore::new(0);
            let same = semaphore.clone();
            let one = spawn(green!({ wait!(semaphore.acquire()) }));
            wait!(same.acquire());
            drop(one);
        }));
        assert_eq!(stuck[0].meeting_points, stuck[1].meeting_points);
    }

    /// On a paused clock it is known before time goes on, and whoever waits for time is not stuck.
    #[test]
    fn timers_of_either_kind_are_no_deadlock() {
        run(true, green!({
            let queue = Queue::new(1);
            let sender = queue.clone();
            let late = spawn(green!({
                wait!(sleep(Duration::from_secs(3600)));
                wait!(tokio::time::sleep(Duration::from_secs(3600)));
                wait!(sender.put(1));
            }));
            assert_eq!(wait!(queue.get()), 1);
            wait!(late).unwrap();
        }))
        .unwrap();
    }

    #[test]
    fn whoever_waits_for_another_os_thread_is_not_stuck() {
        run(false, green!({
            for _ in 0..20 {
                let (sender, receiver) = oneshot::channel();
                let helper = std::thread::spawn(move || sender.send(1).unwrap());
                let waiting = spawn(green!({ wait!(receiver).unwrap() }));
                assert_eq!(wait!(waiting).unwrap(), 1);
                helper.join().unwrap();
            }
            assert_eq!(wait!(tokio::task::spawn_blocking(|| 2)).unwrap(), 2);
        }))
        .unwrap();
    }

    #[test]
    fn whoever_waits_for_a_socket_is_not_stuck() {
        run(false, green!({
            let listener = wait!(eventlet::listen("127.0.0.1:0")).unwrap();
            let address = listener.local_addr().unwrap();
            let server = spawn(green!({ wait!(listener.accept()).map(drop) }));
            let helper = std::thread::spawn(move || std::net::TcpStream::connect(address));
            wait!(server).unwrap().unwrap();
            helper.join().unwrap().unwrap();
        }))
        .unwrap();
    }

    /// A task of Tokio's on the same OS thread can have a handle of anything.
    #[test]
    fn a_local_task_that_will_send_is_waited_for() {
        run(false, green!({
            let queue = Queue::new(1);
            let (sender, (go, gone)) = (queue.clone(), oneshot::channel::<()>());
            tokio::task::spawn_local(async move {
                gone.await.unwrap();
                sender.put(1).await;
            });
            std::thread::spawn(move || go.send(()).unwrap());
            assert_eq!(wait!(queue.get()), 1);
        }))
        .unwrap();
    }
}

/// A future that keeps the first waker that it gets, and never looks at another: wrong, and common.
#[test]
fn a_future_that_keeps_its_first_waker_is_not_stuck() {
    let done = Arc::new(AtomicBool::new(false));
    let mut helper = None;
    let future = poll_fn(move |cx| {
        if done.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        helper.get_or_insert_with(|| {
            let (waker, done) = (cx.waker().clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                // In vain, and then not.
                for _ in 0..100 {
                    waker.wake_by_ref();
                    std::thread::yield_now();
                }
                done.store(true, Ordering::Release);
                waker.wake();
            })
        });
        Poll::Pending
    });
    run(false, async move { spawn(future).await.unwrap() }).unwrap();
}

/// Whoever is polled to see what it waits for may go on, end, or panic.
#[test]
fn a_poll_in_vain_that_is_none_is_a_turn() {
    let mut polls = 0;
    let slow = poll_fn(move |_cx| {
        polls += 1;
        if polls < 2 { Poll::Pending } else { Poll::Ready(polls) }
    });
    assert_eq!(run(false, async { spawn(slow).await.unwrap() }).unwrap(), 2);

    let mut polls = 0;
    let panics = poll_fn(move |_cx| {
        polls += 1;
        assert!(polls < 2, "enough");
        Poll::<()>::Pending
    });
    let exit = run(false, async { spawn(panics).await.unwrap_err() }).unwrap();
    assert!(exit.is_panic());
}

#[test]
fn a_hub_of_another_kind_and_one_that_was_not_told_to_report_nothing() {
    let hub = Builder::new().deadlock_detection(true).start_thread().unwrap();
    let parked = hub.spawn(pending::<()>);
    assert_eq!(hub.spawn(|| async { 42 }).join().unwrap(), 42);
    hub.shutdown().join();
    assert!(parked.join().unwrap_err().is_killed());
    let late = async { eventlet::with_timeout(Duration::from_millis(1), pending::<()>()).await };
    assert!(Builder::new().start_paused(true).run(late).unwrap().is_err());
}

/// Main and all others are ended as ever: destructors run, and whoever is thrown at may say so.
#[test]
fn destructors_run_after_a_deadlock() {
    struct Sends(std::sync::mpsc::Sender<()>);
    impl Drop for Sends {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let stuck = stuck(async move {
        let (main, other) = (Sends(sender.clone()), Sends(sender));
        eventlet::spawn_n(async move {
            let _other = other;
            pending::<()>().await;
        });
        let _main = main;
        pending::<()>().await;
    });
    assert_eq!(stuck.len(), 2);
    assert!(stuck[0].to_string().contains("waits for nothing that this crate knows of"));
    assert_eq!(receiver.iter().count(), 2);
}
