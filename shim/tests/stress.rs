//! What this crate itself calls on a green stack is never suspended: OS threads wake one hub, whose
//! green stacks wake, spawn, kill and look back at them, through locks that all of them contend
//! for. Debug builds check at each switch of stacks that nothing of the hub is borrowed.

#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use eventlet::lowlevel::{Place, hub_is_borrowed, place};
use eventlet::queue::SharedQueue;
use eventlet::{
    Block, GreenPool, HubThread, Queue, Timeout, debug, getcurrent, green, spawn, stackful, tpool,
};
use support::{MS, run, turns};

/// How long each test goes on.
const TIME: Duration = Duration::from_millis(1500);

const OS_THREADS: u64 = 4;

/// An allocator that locks, as some do: in a test that asks for it each allocation of the hub's OS
/// thread lets others run, where that is possible.
struct Yields;

thread_local! {
    static YIELDS: Cell<bool> = const { Cell::new(false) };
}

static YIELDED_IN_HUB: AtomicU64 = AtomicU64::new(0);

// SAFETY: it is the system's.
unsafe impl GlobalAlloc for Yields {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if YIELDS.try_with(Cell::get).unwrap_or(false) && place() == Place::Stack {
            if hub_is_borrowed() {
                YIELDED_IN_HUB.fetch_add(1, Ordering::Relaxed);
            }
            // SAFETY: it takes nothing.
            unsafe { libc::sched_yield() };
        }
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Yields = Yields;

/// OS threads that do something again and again, until this is dropped.
struct Others {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<u64>>,
}

impl Others {
    fn start(each: impl Fn(u64) + Clone + Send + 'static) -> Others {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (stop, each) = (Arc::clone(&stop), each.clone());
            std::thread::spawn(move || {
                let mut rounds = 0;
                while !stop.load(Ordering::Relaxed) {
                    each(number);
                    rounds += 1;
                }
                rounds
            })
        };
        let threads = (0..OS_THREADS).map(start).collect();
        Others { stop, threads }
    }

    /// Stops them, and returns how many rounds they made.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
}

/// Calls a function on green stacks until it is time.
fn for_a_while(each: impl Fn(usize) + Clone + 'static) {
    let end = Instant::now() + TIME;
    support::crowd(8, move |number| {
        while Instant::now() < end {
            each(number);
            turns(1);
        }
    });
}

#[test]
fn four_os_threads_and_one_hub_put_and_take() {
    run(|| {
        let (there, back) = (SharedQueue::<u64>::new(64), SharedQueue::<u64>::new(64));
        let (items, answers) = (there.clone(), back.clone());
        let others = Others::start(move |number| {
            items.blocking_put(number);
            while answers.get_nowait().is_ok() {}
        });
        let (items, answers) = (there.clone(), back.clone());
        let taken = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&taken);
        for_a_while(move |_| {
            while let Ok(item) = items.get_nowait() {
                count.fetch_add(1, Ordering::Relaxed);
                let _full = answers.put_nowait(item);
            }
        });
        let drain = spawn(stackful(move || {
            loop {
                there.get().block();
            }
        }));
        let rounds = tpool::execute(move || others.stop()).block();
        drain.kill();
        assert!(rounds > 0 && taken.load(Ordering::Relaxed) > 0);
    });
}

#[test]
fn hubs_wake_each_other_from_green_stacks() {
    run(|| {
        let hubs: Vec<_> = (0..OS_THREADS).map(|_| HubThread::start()).collect();
        let hubs = Arc::new(hubs);
        let ours = Arc::clone(&hubs);
        let done = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&done);
        for_a_while(move |number| {
            let hub = &ours[number % ours.len()];
            let queue = SharedQueue::new(1);
            let theirs = queue.clone();
            let remote = hub.spawn(move || {
                stackful(move || {
                    let item: u64 = theirs.get().block();
                    item + 1
                })
            });
            queue.put_nowait(41).unwrap();
            if number % 4 == 3 {
                remote.kill();
            } else if remote.block().unwrap() == 42 {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(done.load(Ordering::Relaxed) > 0);
    });
}

#[test]
fn a_hub_that_is_watched_is_named_and_looked_into_from_green_stacks() {
    run(|| {
        debug::hub_blocking_detection(true, MS).unwrap();
        for_a_while(|number| {
            getcurrent().set_name(format!("worker {number}"));
            assert!(!debug::green_threads().is_empty());
            let _stalls = debug::stalls();
            let killed = spawn(async { std::future::pending::<()>().await });
            killed.kill();
        });
        debug::hub_blocking_detection(false, MS).unwrap();
    });
}

#[test]
fn jobs_of_the_pool_are_given_up_on_green_stacks() {
    run(|| {
        for_a_while(|number| {
            let job = tpool::execute(move || std::thread::sleep(MS * (number as u32 % 3)));
            let _late = Timeout::new(MS).run(job).block();
            let unused = tpool::execute(|| unreachable!("it is never asked for"));
            drop(unused);
            let mut limit = Box::pin(tpool::execute(|| 7));
            let ready = std::future::poll_fn(|cx| {
                let _first = limit.as_mut().poll(cx);
                std::task::Poll::Ready(())
            });
            ready.block();
            drop(limit);
        });
    });
}

#[test]
fn an_allocator_that_yields_finds_nothing_of_the_hub_borrowed() {
    run(|| {
        YIELDS.set(true);
        let (queue, pool) = (Queue::<u64>::new(4), GreenPool::new(10));
        for number in 0..200 {
            let filled = queue.clone();
            let worker = pool.spawn(stackful(move || {
                getcurrent().set_name(format!("worker {number}"));
                let local: Vec<u64> = std::iter::repeat_n(number, 10).collect();
                let inner = spawn(stackful(move || local.iter().sum::<u64>() / 10));
                let link = inner.link(|_| drop(vec![1]));
                inner.unlink(link);
                let limit = Timeout::new(60_000 * MS);
                let value = limit.run_blocking(|| inner.block().unwrap()).unwrap();
                filled.put(value).block();
            }));
            drop(worker.block());
            if number % 4 == 3 {
                assert!((0..4).all(|_| queue.get().block() < 200));
                let victim = spawn(stackful(|| std::future::pending::<()>().block()));
                turns(1);
                victim.kill();
            }
        }
        let scope: u64 = green::thread::scope(|scope| {
            (0..10).map(|number| scope.spawn(move || number)).map(|one| one.join().unwrap()).sum()
        });
        pool.waitall().block();
        YIELDS.set(false);
        assert_eq!(scope, 45);
        assert!(YIELDED_IN_HUB.load(Ordering::Relaxed) > 0, "nothing is tested");
    });
}
