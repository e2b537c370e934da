//! Where green stacks come from: what they take, who is refused one, what is left of them.

use std::cell::RefCell;
use std::fs;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use eventlet::runtime::Builder;
use eventlet::stackful::{stack_stats, trim_stacks};
use eventlet::{Block, Exit, GreenThread, sleep, spawn, spawn_n, stackful};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Ear, OnDrop, ZERO, idle, in_a_process_of_its_own, run};

/// A green thread that waits for ever.
fn parked() -> GreenThread<()> {
    spawn(stackful(|| pending().block()))
}

/// Returns a number of pages of this process: 0 is its address space, 1 what is in memory.
fn bytes(field: usize) -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(field).unwrap().parse::<usize>().unwrap() * 4096
}

/// Uses so many bytes of the stack, and a little more.
fn use_up(bytes: usize) -> u8 {
    let here = 0_u8;
    descend(std::ptr::from_ref(&here).addr() - bytes)
}

#[inline(never)]
fn descend(target: usize) -> u8 {
    let frame = std::hint::black_box([1_u8; 64]);
    let done = std::ptr::from_ref(&frame).addr() < target;
    let deeper = if done { 0 } else { descend(target) };
    std::hint::black_box(frame)[deeper as usize]
}

mod numbers {
    use super::*;

    #[test]
    fn what_is_in_use_and_what_waits() {
        run(async {
            let gts: Vec<_> = (0..10).map(|_| parked()).collect();
            assert_eq!(stack_stats().in_use, 0, "a stack is taken at the first turn");
            idle().await;
            let parked = stack_stats();
            assert_eq!((parked.in_use, parked.pooled), (10, 0));
            assert!(parked.resident >= 10 * 4096 && parked.resident <= parked.mapped, "{parked:?}");
            gts[..4].iter().for_each(|gt| gt.kill());
            let some_left = stack_stats();
            assert_eq!((some_left.in_use, some_left.pooled), (6, 4));
            drop(gts.into_iter().map(|gt| gt.kill()).collect::<Vec<_>>());
            trim_stacks();
            let none_left = stack_stats();
            assert_eq!((none_left.in_use, none_left.pooled, none_left.resident), (0, 0, 0));
            assert_eq!(none_left.mapped, 0);
            assert!(none_left.high_water >= parked.high_water, "an unwind may go deeper");
        });
    }

    #[test]
    fn the_high_water_mark_is_that_of_the_deepest() {
        run(async {
            spawn(stackful(|| use_up(10_000))).await.unwrap();
            let shallow = stack_stats().high_water;
            assert!(shallow > 10_000, "{shallow}");
            spawn(stackful(|| use_up(150_000))).await.unwrap();
            let deep = stack_stats();
            assert!(deep.high_water > 150_000 && deep.high_water < 256 * 1024, "{deep:?}");
            assert!(deep.resident < 50_000, "what is deep was given back: {deep:?}");
        });
    }

    #[test]
    fn one_that_is_deep_now_is_seen() {
        run(async {
            let deep = stackful(|| {
                use_up(150_000);
                pending().block()
            });
            let gt: GreenThread<()> = spawn(deep);
            idle().await;
            assert!(stack_stats().high_water > 150_000);
            gt.kill();
        });
    }
}

mod sizes {
    use super::*;

    #[test]
    fn every_size_has_its_own_stacks() {
        run(async {
            for (asked, usable) in
                [(0, 40_000), (1, 40_000), (65_537, 100_000), (1 << 20, 1_000_000)]
            {
                spawn(stackful(move || use_up(usable)).stack_size(asked)).await.unwrap();
            }
            assert_eq!(stack_stats().pooled, 3, "64 KiB twice, 128 KiB, 1 MiB");
        });
    }

    /// The least that there is must be enough for what a failing program does.
    #[test]
    fn a_panic_has_room_on_the_smallest_stack() {
        let (passed, text) = in_a_process_of_its_own("stacks::sizes::alone_panic");
        assert!(passed, "{text}");
    }

    #[test]
    #[ignore = "has backtraces of its own: `a_panic_has_room_on_the_smallest_stack` runs it"]
    fn alone_panic() {
        // A hook like std's own, which prints a backtrace whatever the environment says.
        std::panic::set_hook(Box::new(|info| {
            eprintln!("{info}\n{}", std::backtrace::Backtrace::force_capture());
        }));
        run(async {
            let exit = spawn(stackful(|| panic!("{:?}", 1.5)).stack_size(0)).await.unwrap_err();
            assert_eq!(exit.to_string(), "the green thread panicked: 1.5");
        });
        eprintln!("{} bytes of stack", stack_stats().high_water);
    }
}

mod budgets {
    use super::*;

    #[test]
    fn what_waits_stays_within_the_budget() {
        let budget = 1 << 20;
        let test = async move {
            let gts: Vec<_> = (0..5_000).map(|_| parked()).collect();
            sleep(ZERO).await;
            assert!(stack_stats().resident > 10 * budget);
            drop(gts.into_iter().map(|gt| gt.kill()).collect::<Vec<_>>());
            let left = stack_stats();
            // The pool looks after itself now and then, not at every stack.
            assert!(left.resident < budget + (4 << 20), "{left:?}");
        };
        Builder::new().max_idle_stack_bytes(budget).run(test).unwrap();
    }

    #[test]
    fn warm_stacks_are_used_again() {
        run(async {
            let mut mapped = 0;
            for round in 0..3 {
                let gts: Vec<_> = (0..3_000).map(|i| spawn(stackful(move || i))).collect();
                for (i, gt) in gts.into_iter().enumerate() {
                    assert_eq!(gt.await.unwrap(), i);
                }
                assert!(round == 0 || stack_stats().mapped == mapped);
                mapped = stack_stats().mapped;
            }
        });
    }
}

mod limits {
    use super::*;

    #[test]
    fn without_address_space_a_stack_is_refused_and_the_program_goes_on() {
        let (passed, text) = in_a_process_of_its_own("stacks::limits::alone_address_space");
        assert!(passed, "{text}");
    }

    #[test]
    #[ignore = "limits its process: `without_address_space_a_stack_is_refused_and_the_program_goes_on` runs it"]
    fn alone_address_space() {
        Builder::new().run(shortage()).unwrap();
    }

    async fn shortage() {
        let ear = Ear::open();
        let limit = (bytes(0) + (256 << 20)) as u64;
        let unlimited = getrlimit(Resource::As);
        setrlimit(Resource::As, Rlimit { current: Some(limit), ..unlimited }).unwrap();
        for _ in 0..2 {
            let gts: Vec<_> = (0..2_000).map(|_| parked()).collect();
            let nobody_waits = spawn_n(stackful(|| pending::<()>().block()));
            sleep(ZERO).await;
            let (refused, served): (Vec<_>, Vec<_>) = gts.into_iter().partition(|gt| gt.dead());
            assert!(served.len() > 500, "{} of 256 MiB", served.len());
            assert!(refused.len() > 500 && nobody_waits.dead());
            assert_eq!(stack_stats().in_use, served.len());
            for gt in refused {
                assert_names_the_limit(&gt.await.unwrap_err(), limit);
            }
            // Others go on, and there is room again once some have ended.
            served[0].kill();
            assert_eq!(spawn(stackful(|| 42)).await.unwrap(), 42);
            served.iter().for_each(|gt| gt.kill());
            trim_stacks();
            assert_eq!(stack_stats().mapped, 0);
        }
        setrlimit(Resource::As, unlimited).unwrap();
        let heard = ear.heard();
        assert!(
            heard.len() > 5 && heard.len() < 20,
            "now and then, not each time: {}",
            heard.len()
        );
        assert!(heard[0].contains("no stack for a green thread"), "{}", heard[0]);
    }

    fn assert_names_the_limit(exit: &Exit, limit: u64) {
        let text = exit.error().expect("an error, not a panic").to_string();
        let words = format!("the limit is RLIMIT_AS, `ulimit -v`, of {limit} bytes");
        assert!(text.contains("a green stack of 262144 bytes") && text.contains(&words), "{text}");
    }

    #[test]
    fn a_hundred_thousand_wait_in_one_process() {
        let (passed, text) = in_a_process_of_its_own("stacks::limits::alone_crowd");
        assert!(passed, "{text}");
    }

    #[test]
    #[ignore = "measures its process: `a_hundred_thousand_wait_in_one_process` runs it"]
    fn alone_crowd() {
        const CROWD: usize = 100_000;
        Builder::new()
            .run(async {
                let before = bytes(1);
                let gts: Vec<_> = (0..CROWD).map(|_| parked()).collect();
                while stack_stats().in_use < CROWD {
                    sleep(ZERO).await;
                }
                let each = (bytes(1) - before) / CROWD;
                let most = if cfg!(debug_assertions) { 9_000 } else { 4_608 };
                assert!(each < most, "{each} bytes each");
                let mappings = fs::read_to_string("/proc/self/maps").unwrap().lines().count();
                assert!(mappings < 10_000, "{mappings} mappings");
                drop(gts.into_iter().map(|gt| gt.kill()).collect::<Vec<_>>());
                trim_stacks();
                assert_eq!(stack_stats().resident, 0);
                // What the allocator keeps for the next crowd, and tables: a tenth of what there
                // was.
                let left = bytes(1).saturating_sub(before);
                assert!(left < CROWD * 600, "{left} bytes are left");
            })
            .unwrap();
    }
}

mod os_threads {
    use super::*;

    thread_local! {
        static FIRST: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(None) };
    }

    /// A stackful future that is put aside, and counts when its stack is unwound.
    fn put_aside(unwound: &Arc<AtomicUsize>) -> Pin<Box<dyn Future<Output = ()>>> {
        let unwound = Arc::clone(unwound);
        let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(stackful(move || {
            let _guard = OnDrop(|| _ = unwound.fetch_add(1, Ordering::Relaxed));
            use_up(20_000);
            pending().block()
        }));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        future
    }

    /// Thread-locals are dropped in the order of their first use or in the reverse one, so one of
    /// the two outlives the pool. What they had borrowed may be gone, so neither is unwound.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn a_stack_may_outlive_the_pool_of_its_os_thread() {
        let unwound = Arc::new(AtomicUsize::new(0));
        let threads = (0..20).map(|_| {
            let unwound = Arc::clone(&unwound);
            std::thread::spawn(move || {
                FIRST.with(|_| ());
                FIRST.replace(Some(put_aside(&unwound)));
                LAST.replace(Some(put_aside(&unwound)));
            })
        });
        threads.for_each(|thread| thread.join().unwrap());
        assert_eq!(unwound.load(Ordering::Relaxed), 0);
    }

    /// As the other, but the thread-local makes its stack when there is no pool any more.
    #[test]
    fn a_stack_may_be_made_when_its_os_thread_ends() {
        struct AtEnd(Arc<AtomicUsize>);
        impl Drop for AtEnd {
            fn drop(&mut self) {
                let used = Arc::clone(&self.0);
                let mut future = Box::pin(stackful(move || used.fetch_add(1, Ordering::Relaxed)));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(future.as_mut().poll(&mut cx).is_ready());
            }
        }
        thread_local! {
            static EARLY: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
            static LATE: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
        }
        let used = Arc::new(AtomicUsize::new(0));
        let ours = Arc::clone(&used);
        let thread = std::thread::spawn(move || {
            EARLY.replace(Some(AtEnd(Arc::clone(&ours))));
            drop(put_aside(&ours));
            LATE.replace(Some(AtEnd(ours)));
        });
        thread.join().unwrap();
        assert_eq!(used.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn an_os_thread_that_ends_leaves_nothing_mapped() {
        let (passed, text) = in_a_process_of_its_own("stacks::os_threads::alone_threads");
        assert!(passed, "{text}");
    }

    #[test]
    #[ignore = "measures its process: `an_os_thread_that_ends_leaves_nothing_mapped` runs it"]
    fn alone_threads() {
        let round = || {
            let thread = std::thread::spawn(|| {
                run(async {
                    let results = Rc::new(RefCell::new(0));
                    for _ in 0..100 {
                        let results = Rc::clone(&results);
                        spawn(stackful(move || *results.borrow_mut() += 1)).await.unwrap();
                    }
                    assert_eq!(*results.borrow(), 100);
                });
            });
            thread.join().unwrap();
        };
        (0..10).for_each(|_| round());
        let before = bytes(0);
        (0..50).for_each(|_| round());
        assert!(bytes(0) < before + (2 << 20), "{before} bytes grew to {}", bytes(0));
    }
}
