//! The blocking detector. In real time, as it is; but no test sleeps: a culprit blocks until it is
//! reported.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use eventlet::debug::{self, Stall};
use eventlet::runtime::Builder;
use eventlet::{HubThread, sleep, spawn};

const RESOLUTION: Duration = Duration::from_millis(20);

/// The hook is one for the whole process: so only one test at a time hears.
struct Ear {
    stalls: mpsc::Receiver<Stall>,
}

static IN_USE: Mutex<bool> = Mutex::new(false);
static FREE: Condvar = Condvar::new();

impl Ear {
    fn open() -> Ear {
        let in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = FREE.wait_while(in_use, |in_use| *in_use);
        *in_use.unwrap_or_else(PoisonError::into_inner) = true;
        let (sender, stalls) = mpsc::channel();
        debug::set_blocking_hook(move |stall| drop(sender.send(stall.clone())));
        Ear { stalls }
    }

    /// Blocks until the green thread of that name is reported.
    fn block_as(&self, name: &str) -> Stall {
        loop {
            let stall = self.stalls.recv_timeout(Duration::from_secs(60)).expect("no report");
            if stall.name.as_deref() == Some(name) {
                return stall;
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        *IN_USE.lock().unwrap_or_else(PoisonError::into_inner) = false;
        FREE.notify_one();
    }
}

#[inline(never)]
fn blocks_in_rust(ear: &Ear) -> Stall {
    ear.block_as("culprit")
}

fn assert_names_the_culprit(stall: &Stall, line: u32, function: &str) {
    assert_eq!((stall.spawned_at.file(), stall.spawned_at.line()), (file!(), line));
    assert!(stall.lasted >= RESOLUTION && stall.lasted < Duration::from_secs(60));
    let text = stall.to_string();
    assert!(text.contains("\"culprit\", spawned at tests/seeing/blocking.rs:"), "{text}");
    assert_eq!(stall.backtrace().is_some(), cfg!(feature = "backtrace"), "{text}");
    if let Some(backtrace) = stall.backtrace() {
        assert!(backtrace.contains(function), "{backtrace}");
        assert!(!backtrace.contains("eventlet::hub::"), "{backtrace}");
        assert!(!backtrace.contains("watchdog::capture"), "{backtrace}");
    }
}

#[test]
fn a_stackless_culprit_is_named_while_it_blocks() {
    let ear = Ear::open();
    Builder::new()
        .blocking_detection(RESOLUTION)
        .run(async move {
            let (line, culprit) = (line!(), spawn(async move { blocks_in_rust(&ear) }));
            culprit.set_name("culprit");
            assert_names_the_culprit(&culprit.await.unwrap(), line, "blocks_in_rust");
        })
        .unwrap();
}

#[cfg(feature = "stackful")]
#[test]
fn a_stackful_culprit_is_named_while_it_blocks() {
    use eventlet::{Block, stackful};

    let ear = Ear::open();
    eventlet::run(stackful(move || {
        debug::hub_blocking_detection(true, RESOLUTION).unwrap();
        let (line, culprit) = (line!(), spawn(stackful(move || blocks_in_rust(&ear))));
        culprit.set_name("culprit");
        let stall = culprit.block().unwrap();
        assert_names_the_culprit(&stall, line, "blocks_in_rust");
        if let Some(backtrace) = stall.backtrace() {
            assert!(!backtrace.contains("corosensei"), "{backtrace}");
        }
    }));
}

/// A function of C calls one of Rust, which blocks: so C is in the middle of the stack.
#[cfg(feature = "backtrace")]
#[test]
fn a_culprit_inside_c_is_named() {
    use std::ffi::{c_int, c_void};

    thread_local! {
        static EAR: RefCell<Option<Ear>> = const { RefCell::new(None) };
        static HEARD: RefCell<Option<Stall>> = const { RefCell::new(None) };
    }

    extern "C" fn compares_slowly(_: *const c_void, _: *const c_void) -> c_int {
        if let Some(ear) = EAR.take() {
            HEARD.set(Some(ear.block_as("culprit")));
        }
        0
    }

    #[allow(unsafe_code)]
    fn sorts_in_c() -> Stall {
        let mut numbers = [2_u8, 1];
        // SAFETY: the array has two elements of a byte each, and the function compares nothing.
        unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 2, 1, Some(compares_slowly)) };
        HEARD.take().unwrap()
    }

    EAR.set(Some(Ear::open()));
    Builder::new()
        .blocking_detection(RESOLUTION)
        .run(async {
            let (line, culprit) = (line!(), spawn(async { sorts_in_c() }));
            culprit.set_name("culprit");
            let stall = culprit.await.unwrap();
            assert_names_the_culprit(&stall, line, "compares_slowly");
            assert_names_the_culprit(&stall, line, "sorts_in_c");
        })
        .unwrap();
}

#[test]
fn hubs_of_other_kinds_are_watched_too() {
    let ear = Ear::open();
    let hub = Builder::new().blocking_detection(RESOLUTION).start_thread().unwrap();
    let stall = hub.spawn(move || async move {
        eventlet::getcurrent().set_name("culprit");
        (ear.block_as("culprit"), ear)
    });
    let (stall, ear) = stall.join().unwrap();
    assert_eq!(stall.thread.as_deref(), Some("eventlet"));
    hub.shutdown().join();

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(Builder::new().blocking_detection(RESOLUTION).local(async move {
        eventlet::getcurrent().set_name("culprit");
        ear.block_as("culprit");
    }));
}

#[test]
fn a_destructor_that_blocks_counts_for_its_green_thread() {
    struct Blocks(Ear, mpsc::Sender<Stall>);
    impl Drop for Blocks {
        fn drop(&mut self) {
            self.1.send(self.0.block_as("culprit")).unwrap();
        }
    }

    let (sender, reported) = mpsc::channel();
    let blocks = Blocks(Ear::open(), sender);
    eventlet::run(async move {
        debug::hub_blocking_detection(true, RESOLUTION).unwrap();
        let line = line!() + 1;
        let culprit = spawn(async move {
            let _blocks = blocks;
            std::future::pending::<()>().await;
        });
        culprit.set_name("culprit");
        sleep(Duration::ZERO).await;
        culprit.kill();
        assert_names_the_culprit(&reported.recv().unwrap(), line, "drop");
    });
}

#[test]
fn stalls_are_counted_for_each_green_thread() {
    let ear = Ear::open();
    Builder::new()
        .blocking_detection(RESOLUTION)
        .run(async move {
            let culprit = spawn(async move {
                ear.block_as("culprit");
                std::future::pending::<()>().await;
            });
            culprit.set_name("culprit");
            sleep(Duration::ZERO).await;
            let [main, info] = &debug::green_threads()[..] else { panic!("there are two") };
            assert_eq!(info.stalls, 1, "{info}");
            assert!(info.stalled >= RESOLUTION, "{info}");
            assert!(info.to_string().contains("blocked the hub for "), "{info}");
            // Where the machine is busy, main may be stopped for so long, too.
            let total = debug::stalls().0;
            assert!(total > main.stalls, "{main}");
            culprit.kill();
            assert!(debug::stalls().0 >= total, "the total stays");

            debug::hub_blocking_detection(false, RESOLUTION).unwrap();
            assert_eq!(debug::stalls().0, 0);
        })
        .unwrap();
}

/// The turns together take several times the resolution, and each hardly anything, unless the
/// machine is so busy that it stops in one.
#[test]
fn whoever_takes_turns_is_not_reported() {
    let ear = Ear::open();
    eventlet::run(async move {
        let long = Duration::from_millis(250);
        debug::hub_blocking_detection(true, long).unwrap();
        let start = Instant::now();
        let turns = Rc::new(RefCell::new(vec![start]));
        let busy = [(); 10].map(|()| {
            let turns = Rc::clone(&turns);
            spawn(async move {
                while start.elapsed() < 4 * long {
                    turns.borrow_mut().push(Instant::now());
                    sleep(Duration::ZERO).await;
                }
            })
        });
        for busy in busy {
            busy.await.unwrap();
        }
        turns.borrow_mut().push(Instant::now());
        assert!(turns.borrow().len() > 100);
        if turns.borrow().windows(2).all(|turn| turn[1] - turn[0] < long / 2) {
            assert_eq!(debug::stalls(), (0, Duration::ZERO));
            assert!(ear.stalls.try_recv().is_err());
        }
    });
}

#[test]
fn a_resolution_that_is_too_short_is_refused() {
    eventlet::run(async {
        let error = debug::hub_blocking_detection(true, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    });
    let refused = std::panic::catch_unwind(|| {
        Builder::new().blocking_detection(Duration::from_nanos(1));
    });
    let message = *refused.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("give each turn 1ms at least"), "{message}");
}

/// Hubs come and go, and one that has gone is not looked at.
#[test]
fn a_hub_that_ends_leaves_the_watchdog() {
    let ear = Ear::open();
    let mut builder = Builder::new();
    builder.blocking_detection(RESOLUTION);
    let hubs: Vec<HubThread> = (0..8).map(|_| builder.start_thread().unwrap()).collect();
    for hub in hubs {
        hub.spawn(|| async { sleep(Duration::ZERO).await }).join().unwrap();
        hub.shutdown().join();
    }
    builder
        .run(async move {
            eventlet::getcurrent().set_name("culprit");
            ear.block_as("culprit");
        })
        .unwrap();
}
