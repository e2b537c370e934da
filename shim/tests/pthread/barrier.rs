//! Barriers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use eventlet::Block;

use crate::c::Barrier;
use crate::support::{MS, blocked_by, crowd, green, run, turns};

#[test]
fn green_threads_of_one_hub_meet() {
    const ROUNDS: usize = 20;
    run(|| {
        let (barrier, arrived) = (Barrier::with_count(10), Rc::new(Cell::new(0)));
        let told = crowd(10, move |_| {
            let mut told = 0;
            for round in 1..=ROUNDS {
                arrived.set(arrived.get() + 1);
                told += usize::from(barrier.wait());
                assert!(arrived.get() >= 10 * round, "one was let go early");
            }
            told
        });
        assert_eq!(told.iter().sum::<usize>(), ROUNDS, "one of each round is told");
        barrier.destroy();
    });
}

fn on_three_green_threads<T: 'static>(call: impl Fn() -> T + Clone + 'static) -> Vec<T> {
    run(move || crowd(3, move |_| call()))
}

#[test]
fn green_threads_of_two_hubs_and_os_threads_meet() {
    const ROUNDS: u32 = 500;
    const ALL: u32 = 3 + 3 + 2;
    eventlet_shim::monkey_patch();
    let (barrier, arrived) = (Barrier::with_count(ALL), Arc::new(AtomicU32::new(0)));
    let meet = move || {
        (1..=ROUNDS)
            .filter(|round| {
                arrived.fetch_add(1, Ordering::SeqCst);
                let is_told = barrier.wait();
                assert!(arrived.load(Ordering::SeqCst) >= ALL * round);
                is_told
            })
            .count()
    };
    let hubs = [meet.clone(), meet.clone()]
        .map(|meet| std::thread::spawn(move || on_three_green_threads(meet).into_iter().sum()));
    let os_threads = [meet.clone(), meet].map(std::thread::spawn);
    let all = hubs.into_iter().chain(os_threads);
    let told: usize = all.map(|one| one.join().unwrap()).sum();
    assert_eq!(told, ROUNDS as usize, "one of each round is told");
}

#[test]
fn one_that_is_killed_is_counted_in_all_the_same() {
    run(|| {
        let barrier = Barrier::with_count(2);
        let victim = green(move || {
            barrier.wait();
            eventlet::sleep(MS).block();
            unreachable!("it was killed");
        });
        victim.kill();
        assert!(victim.dead());
        barrier.wait();
        let other = green(move || barrier.wait());
        turns(5);
        assert!(!other.dead(), "the next round is for two as well");
        barrier.wait();
        other.block().unwrap();
    });
}

#[test]
fn a_barrier_is_destroyed_before_all_have_returned() {
    run(|| {
        let barrier = Barrier::with_count(3);
        let others = [(); 2].map(|()| green(move || barrier.wait()));
        assert!(others.iter().all(|other| !other.dead()));
        barrier.wait();
        barrier.destroy();
        barrier.init(2, libc::PTHREAD_PROCESS_PRIVATE);
        let next = green(move || barrier.wait());
        assert!(others.map(|other| other.block().unwrap()).iter().all(|told| !told));
        assert!(!next.dead(), "it is of the next barrier");
        barrier.wait();
        next.block().unwrap();
    });
}

#[test]
fn a_barrier_of_processes_is_waited_for_inside_libc() {
    run(|| {
        let (barrier, before) = (Barrier::with_count(1), blocked_by("pthread_barrier_wait"));
        assert!(barrier.wait(), "it is for one");
        assert_eq!(blocked_by("pthread_barrier_wait"), before);
        barrier.destroy();
        barrier.init(1, libc::PTHREAD_PROCESS_SHARED);
        assert!(barrier.wait());
        assert_eq!(blocked_by("pthread_barrier_wait"), before + 1);
    });
}

#[test]
fn a_round_that_was_left_is_none_of_the_next_barrier_s() {
    run(|| {
        let barrier = Barrier::with_count(3);
        let left = green(move || barrier.wait());
        left.kill();
        barrier.init(2, libc::PTHREAD_PROCESS_PRIVATE);
        let next = green(move || barrier.wait());
        turns(5);
        assert!(!next.dead(), "one is missing");
        barrier.wait();
        next.block().unwrap();
    });
}
