//! The scheduler: turns and I/O, the census, timers, and wakeups from other OS threads.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::task::{Context, Poll};

use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{GreenThread, Greenlet, local, sleep, spawn, spawn_after, spawn_n};
use futures::task::AtomicWaker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop;

use crate::support::{Dice, Log, ZERO, both_colours, idle, ms, run, run_in_real_time};

mod census {
    use super::*;

    both_colours! {
        fn it_counts_who_has_not_ended() {
            let hub = get_hub();
            assert_eq!(hub.green_threads(), 1);
            let ends = spawn(green!({}));
            let waits = spawn(green!({ wait!(pending::<()>()) }));
            let later = spawn_after(ms(10), green!({}));
            assert_eq!(hub.green_threads(), 4);
            wait!(sleep(ZERO));
            assert!(ends.dead());
            assert_eq!(hub.green_threads(), 3);
            waits.kill();
            assert_eq!(hub.green_threads(), 2);
            wait!(later).unwrap();
            assert_eq!(hub.green_threads(), 1);
        }

        /// TestTimerCleanup: what is cancelled does not count.
        fn it_counts_the_timers_that_somebody_waits_for() {
            let hub = get_hub();
            let sleepers: Vec<_> = (0..2000).map(|_| spawn(green!({ wait!(sleep(ms(60))) }))).collect();
            assert_eq!(hub.timers(), 0, "nobody sleeps yet");
            wait!(sleep(ZERO));
            assert_eq!(hub.timers(), 2000);
            for (i, sleeper) in sleepers.iter().enumerate() {
                if i % 3 != 0 {
                    sleeper.kill();
                }
            }
            assert_eq!(hub.timers(), 667);
            wait!(sleep(ms(60)));
            wait!(sleep(ZERO));
            assert_eq!(hub.timers(), 0);
            assert!(sleepers.iter().all(|sleeper| sleeper.dead()));
        }

        fn a_timer_that_is_earlier_than_those_before_it_and_beside_it_is_on_time() {
            let start = tokio::time::Instant::now();
            let mut sleepers = Vec::new();
            for together in [&[100][..], &[50, 10, 70]] {
                for milliseconds in together {
                    sleepers.push(spawn(green!({
                        wait!(sleep(ms(*milliseconds)));
                        assert_eq!(start.elapsed(), ms(*milliseconds));
                    })));
                }
                // The hub's poll ends here, and sets Tokio's timer.
                wait!(tokio::task::yield_now());
            }
            for sleeper in sleepers {
                wait!(sleeper).unwrap();
            }
        }

        fn timers_come_and_go_in_any_order() {
            let mut dice = Dice::new(7);
            let due = Rc::new(RefCell::new(Vec::new()));
            let mut sleepers = VecDeque::new();
            let mut left = 0;
            for _ in 0..3000 {
                let length = ms(1 + dice.below(50));
                let due = Rc::clone(&due);
                sleepers.push_back(spawn(green!({
                    let start = tokio::time::Instant::now();
                    wait!(sleep(length));
                    assert_eq!(start.elapsed(), length);
                    due.borrow_mut().push(tokio::time::Instant::now());
                })));
                left += 1;
                match dice.below(4) {
                    0 => wait!(sleep(ZERO)),
                    1 => wait!(sleep(ms(1))),
                    2 => {
                        let one = sleepers.pop_front().unwrap();
                        left -= usize::from(!one.dead());
                        one.kill();
                    }
                    _ => {}
                }
            }
            for sleeper in sleepers {
                wait!(sleeper).unwrap();
            }
            assert_eq!(due.borrow().len(), left);
            assert!(due.borrow().is_sorted());
            assert_eq!(get_hub().timers(), 0);
        }
    }

    /// Runs a timer of the hub from a Tokio task beside it.
    #[test]
    fn a_timer_works_while_no_green_thread_does() {
        run(async {
            let start = tokio::time::Instant::now();
            let task = tokio::task::spawn_local(async {
                for _ in 0..3 {
                    sleep(ms(5)).await;
                }
            });
            task.await.unwrap();
            assert_eq!(start.elapsed(), ms(15));
            // One that is earlier than the one Tokio's timer was set for.
            let late = spawn(sleep(ms(100)));
            idle().await;
            let start = tokio::time::Instant::now();
            let task = tokio::task::spawn_local(sleep(ms(2)));
            task.await.unwrap();
            assert_eq!(start.elapsed(), ms(2));
            late.kill();
        });
    }
}

mod turns {
    use super::*;

    /// A spinner, and a count of its turns.
    fn spin(work: impl AsyncFn() + 'static) -> (Greenlet, Rc<Cell<u64>>) {
        let turns = Rc::new(Cell::new(0));
        let counts = Rc::clone(&turns);
        let spinner = spawn_n(async move {
            loop {
                work().await;
                counts.set(counts.get() + 1);
                // Where nothing else gets a look the test must fail, not hang.
                assert!(counts.get() < 20_000_000, "somebody starves");
            }
        });
        (spinner, turns)
    }

    /// Turns of a spinner within which others must have got their look: a few polls of the hub.
    const SOON: u64 = 2_000;

    async fn io_gets_its_look(soon: u64, work: impl AsyncFn() + 'static) {
        let (spinner, turns) = spin(work);
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let echo = spawn(async move {
            let mut buffer = [0; 1];
            while far.read_exact(&mut buffer).await.is_ok() {
                far.write_all(&buffer).await.unwrap();
            }
        });
        for i in 0..20 {
            let before = turns.get();
            near.write_all(&[i]).await.unwrap();
            let mut buffer = [0; 1];
            near.read_exact(&mut buffer).await.unwrap();
            assert_eq!(buffer, [i]);
            assert!(turns.get() - before < soon, "{} turns", turns.get() - before);
        }
        drop(near);
        echo.await.unwrap();
        assert!(turns.get() > 0);
        spinner.kill();
    }

    async fn timers_get_their_look(work: impl AsyncFn() + 'static) {
        let (spinner, turns) = spin(work);
        for by_tokio in [false, true] {
            let sleeper = match by_tokio {
                false => spawn(async { sleep(ms(10)).await }),
                true => spawn(async { tokio::time::sleep(ms(10)).await }),
            };
            sleep(ZERO).await;
            let before = turns.get();
            tokio::time::advance(ms(10)).await;
            sleeper.await.unwrap();
            assert!(turns.get() - before < SOON, "{} turns", turns.get() - before);
        }
        spinner.kill();
    }

    async fn turn() {
        sleep(ZERO).await;
    }

    /// Returns work that never waits for anybody else, but uses up Tokio's budget.
    fn budgeted() -> impl AsyncFn() + 'static {
        let (sender, receiver) = mpsc::unbounded_channel();
        let receiver = Rc::new(tokio::sync::Mutex::new(receiver));
        async move || {
            sender.send(()).unwrap();
            receiver.lock().await.recv().await.unwrap();
        }
    }

    /// Runs a test under each way to start a hub, with a paused clock where there is one.
    fn under_every_hub<F: Future<Output = ()> + 'static>(test: impl Fn() -> F) {
        run(test());
        let paused =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        paused.unwrap().block_on(local(test()));
    }

    #[test]
    fn one_that_spins_on_turns_lets_io_through() {
        under_every_hub(|| io_gets_its_look(SOON, turn));
        // There another OS thread looks at I/O, whenever it gets to it.
        let threads =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        threads.unwrap().block_on(local(io_gets_its_look(u64::MAX, turn)));
    }

    /// What the documentation of `sleep` gives as the way to do so.
    #[test]
    fn one_that_yields_to_tokio_lets_io_through_at_once() {
        eventlet::run(io_gets_its_look(10, tokio::task::yield_now));
    }

    #[test]
    fn one_that_spins_on_turns_lets_timers_through() {
        under_every_hub(|| timers_get_their_look(turn));
    }

    #[test]
    fn one_that_leaves_no_budget_to_the_next_strands_nobody() {
        under_every_hub(|| async {
            let spender = spawn(async {
                while coop::has_budget_remaining() {
                    coop::consume_budget().await;
                }
            });
            let next = spawn(async { "it came" });
            assert_eq!(next.await.unwrap(), "it came");
            spender.await.unwrap();
        });
    }

    #[test]
    fn one_that_spins_on_a_channel_lets_timers_through() {
        under_every_hub(|| timers_get_their_look(budgeted()));
    }

    #[test]
    fn one_that_spins_on_a_channel_lets_io_through() {
        under_every_hub(|| io_gets_its_look(SOON, budgeted()));
    }

    /// Here Tokio's budget ends between two turns, and nobody asks for more.
    #[test]
    fn one_that_spins_on_turns_and_a_channel_lets_both_through() {
        let work = || {
            let budgeted = budgeted();
            async move || {
                budgeted().await;
                turn().await;
            }
        };
        under_every_hub(|| io_gets_its_look(SOON, work()));
        under_every_hub(|| timers_get_their_look(work()));
    }

    #[test]
    fn one_that_spins_lets_tokio_s_tasks_through() {
        under_every_hub(|| async {
            let (spinner, turns) = spin(turn);
            for _ in 0..10 {
                let before = turns.get();
                tokio::task::spawn_local(tokio::task::yield_now()).await.unwrap();
                assert!(turns.get() - before < SOON, "{} turns", turns.get() - before);
            }
            spinner.kill();
        });
    }

    #[test]
    fn a_turn_gives_everybody_who_is_ready_one_run() {
        run(async {
            let log = Log::new();
            // More than the hub runs in one poll.
            let gts: Vec<_> = (0..600)
                .map(|i| {
                    let log = log.clone();
                    spawn(async move {
                        for round in 0..3 {
                            log.add(round * 600 + i);
                            sleep(ZERO).await;
                        }
                    })
                })
                .collect();
            for gt in gts {
                gt.await.unwrap();
            }
            let expected: Vec<_> = (0..1800).map(|i| i.to_string()).collect();
            assert_eq!(log.text(), expected.join(" "));
        });
    }

    #[test]
    fn one_that_is_woken_many_times_runs_once() {
        run(async {
            let runs = Rc::new(Cell::new(0));
            let waker = Rc::new(RefCell::new(None));
            let gt = spawn({
                let (runs, waker) = (Rc::clone(&runs), Rc::clone(&waker));
                poll_fn(move |cx| {
                    runs.set(runs.get() + 1);
                    waker.replace(Some(cx.waker().clone()));
                    Poll::<()>::Pending
                })
            });
            sleep(ZERO).await;
            let waker = waker.take().unwrap();
            for _ in 0..5 {
                waker.wake_by_ref();
            }
            for _ in 0..3 {
                sleep(ZERO).await;
            }
            assert_eq!(runs.get(), 2, "the wakeups while it was ready were one");
            std::thread::spawn({
                let waker = waker.clone();
                move || (0..5).for_each(|_| waker.wake_by_ref())
            })
            .join()
            .unwrap();
            idle().await;
            assert_eq!(runs.get(), 3, "the wakeups that came together were one");
            gt.kill();
            waker.wake();
            sleep(ZERO).await;
            assert_eq!(runs.get(), 3);
        });
    }
}

mod remote {
    use super::*;

    /// A flag that another OS thread sets: the smallest future that can lose a wakeup.
    #[derive(Default)]
    struct Flag {
        set: AtomicBool,
        waker: AtomicWaker,
    }

    struct Raised(Arc<Flag>);

    impl Future for Raised {
        type Output = ();

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.0.waker.register(cx.waker());
            if self.0.set.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    /// What the other OS threads are asked for.
    enum Please {
        Answer(oneshot::Sender<u64>, u64),
        Send(mpsc::Sender<u64>, u64),
        Raise(Arc<Flag>),
    }

    fn helpers() -> Vec<std_mpsc::Sender<Please>> {
        (0..3)
            .map(|_| {
                let (sender, receiver) = std_mpsc::channel();
                std::thread::spawn(move || {
                    for please in receiver {
                        match please {
                            Please::Answer(sender, i) => _ = sender.send(i),
                            Please::Send(sender, i) => _ = sender.blocking_send(i),
                            Please::Raise(flag) => {
                                flag.set.store(true, Ordering::SeqCst);
                                flag.waker.wake();
                            }
                        }
                    }
                });
                sender
            })
            .collect()
    }

    /// One green thread's work: ask a helper, wait for it, again and again.
    macro_rules! work {
        ($wait:ident, $helpers:ident, $dice:ident, $rounds:ident) => {
            for round in 0..$rounds {
                let helper = &$helpers[$dice.below(3) as usize];
                match $dice.below(4) {
                    0 => {
                        let (sender, receiver) = oneshot::channel();
                        helper.send(Please::Answer(sender, round)).unwrap();
                        assert_eq!($wait!(receiver), Ok(round));
                    }
                    1 => {
                        let (sender, mut receiver) = mpsc::channel(1);
                        helper.send(Please::Send(sender.clone(), round)).unwrap();
                        helper.send(Please::Send(sender, round + 1)).unwrap();
                        assert_eq!($wait!(receiver.recv()), Some(round));
                        assert_eq!($wait!(receiver.recv()), Some(round + 1));
                        assert_eq!($wait!(receiver.recv()), None);
                    }
                    2 => {
                        let flag = Arc::new(Flag::default());
                        helper.send(Please::Raise(Arc::clone(&flag))).unwrap();
                        $wait!(Raised(flag));
                    }
                    _ => $wait!(sleep(ZERO)),
                }
            }
        };
    }

    fn worker(
        stackful: bool,
        helpers: Rc<Vec<std_mpsc::Sender<Please>>>,
        mut dice: Dice,
        rounds: u64,
    ) -> GreenThread<()> {
        use crate::support::stackless::wait;
        #[cfg(feature = "stackful")]
        if stackful {
            use crate::support::stackful::wait;
            return spawn(eventlet::stackful(move || work!(wait, helpers, dice, rounds)));
        }
        let _ = stackful;
        spawn(async move { work!(wait, helpers, dice, rounds) })
    }

    /// A hub in which fifty green threads ask helpers, and some are killed meanwhile. It ends with
    /// some of them still waiting.
    async fn ask_and_kill(seed: u64) {
        let helpers = Rc::new(helpers());
        let mut dice = Dice::new(seed);
        let mut workers: Vec<_> = (0..50)
            .map(|i| worker(i % 2 == 0, Rc::clone(&helpers), Dice::new(seed + i + 1), 40))
            .collect();
        let mut killed = 0;
        for _ in 0..200 {
            sleep(ZERO).await;
            if dice.below(8) == 0 {
                let victim = &workers[dice.below(50) as usize];
                killed += u32::from(!victim.dead());
                victim.kill();
                assert!(victim.dead());
            }
        }
        let left = workers.split_off(40);
        for worker in workers {
            match worker.await {
                Ok(()) => {}
                Err(exit) if exit.is_killed() => killed -= 1,
                Err(exit) => panic!("{exit}"),
            }
        }
        assert!(killed <= 10, "somebody ended as killed whom nobody killed");
        drop(left);
    }

    #[test]
    fn no_wakeup_from_another_os_thread_is_lost() {
        let hubs: Vec<_> = (0..3)
            .map(|hub| {
                std::thread::spawn(move || {
                    for round in 0..10 {
                        let limit = std::time::Duration::from_secs(60);
                        let test = ask_and_kill(hub * 1_000_000 + round * 1_000);
                        let ended = Builder::new()
                            .run(async move { tokio::time::timeout(limit, test).await });
                        ended.unwrap().expect("a wakeup was lost");
                    }
                })
            })
            .collect();
        for hub in hubs {
            hub.join().unwrap();
        }
    }

    #[test]
    fn an_idle_hub_is_woken_at_every_single_wakeup() {
        run_in_real_time(async {
            let helpers = helpers();
            let gt = spawn(async move {
                for _ in 0..5000 {
                    let flag = Arc::new(Flag::default());
                    helpers[0].send(Please::Raise(Arc::clone(&flag))).unwrap();
                    Raised(flag).await;
                }
            });
            gt.await.unwrap();
        });
    }

    #[test]
    fn one_hub_wakes_the_green_threads_of_another() {
        let (there, here) = (mpsc::channel::<u32>(1), mpsc::channel::<u32>(1));
        let (to_there, mut from_here) = there;
        let (to_here, mut from_there) = here;
        let other = std::thread::spawn(move || {
            run_in_real_time(async move {
                let gt = spawn(async move {
                    while let Some(ball) = from_here.recv().await {
                        to_here.send(ball + 1).await.unwrap();
                    }
                });
                gt.await.unwrap();
            });
        });
        run_in_real_time(async move {
            let mut ball = 0;
            for _ in 0..2000 {
                to_there.send(ball).await.unwrap();
                ball = from_there.recv().await.unwrap();
            }
            assert_eq!(ball, 2000);
        });
        other.join().unwrap();
    }

    #[test]
    fn wakeups_that_come_while_the_hub_ends_are_harmless() {
        for _ in 0..200 {
            let flag = Arc::new(Flag::default());
            let other = std::thread::spawn({
                let flag = Arc::clone(&flag);
                move || {
                    for _ in 0..50 {
                        flag.waker.wake();
                        std::thread::yield_now();
                    }
                }
            });
            run_in_real_time({
                let flag = Arc::clone(&flag);
                async move {
                    let gts: Vec<_> = (0..3).map(|_| spawn(Raised(Arc::clone(&flag)))).collect();
                    sleep(ZERO).await;
                    gts.iter().for_each(|gt| gt.kill());
                }
            });
            other.join().unwrap();
        }
    }
}
