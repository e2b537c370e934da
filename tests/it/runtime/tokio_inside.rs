use super::*;
use crate::support::{both_colours, run_in_real_time};

tokio::task_local! {
    static NAME: &'static str;
}

both_colours! {
    fn tokio_tasks_run_beside_green_threads() {
        let (sender, mut receiver) = mpsc::channel(1);
        let other = sender.clone();
        let task = tokio::spawn(async move { sender.send("spawn").await.unwrap() });
        let local = spawn_local(async move { other.send("spawn_local").await.unwrap() });
        assert_eq!(wait!(receiver.recv()), Some("spawn"));
        assert_eq!(wait!(receiver.recv()), Some("spawn_local"));
        assert_eq!(wait!(receiver.recv()), None);
        wait!(task).unwrap();
        wait!(local).unwrap();
    }

    fn a_join_set_works() {
        let gt = spawn(green!({
            let mut set = JoinSet::new();
            for i in 0..10 {
                set.spawn_local(async move {
                    yield_now().await;
                    i
                });
            }
            let mut sum = 0;
            while let Some(value) = wait!(set.join_next()) {
                sum += value.unwrap();
            }
            sum
        }));
        assert_eq!(wait!(gt).unwrap(), 45);
    }

    fn task_locals_belong_to_their_scope() {
        let names = ["one", "two"].map(|name| {
            spawn(NAME.scope(name, green!({
                let before = NAME.get();
                wait!(sleep(ZERO));
                (before, NAME.get())
            })))
        });
        let [one, two] = names;
        assert_eq!(wait!(one).unwrap(), ("one", "one"));
        assert_eq!(wait!(two).unwrap(), ("two", "two"));
        assert!(NAME.try_with(|_| ()).is_err());
    }

    fn tokio_s_timers_wake_green_threads() {
        let start = tokio::time::Instant::now();
        wait!(tokio::time::sleep(ms(5)));
        assert_eq!(start.elapsed(), ms(5));
        let late = wait!(tokio::time::timeout(ms(5), green!({ wait!(sleep(ms(10))) })));
        assert!(late.is_err());
        assert_eq!(start.elapsed(), ms(10));
        wait!(idle());
        assert_eq!(get_hub().timers(), 0);
    }

    fn a_green_thread_that_was_aborted_in_a_tokio_task_is_let_go() {
        let gt = spawn(green!({
            wait!(sleep(ms(10)));
            7
        }));
        let gt = Rc::new(gt);
        let task = spawn_local({
            let gt = Rc::clone(&gt);
            async move { gt.wait().await }
        });
        wait!(sleep(ms(1)));
        task.abort();
        assert!(wait!(task).unwrap_err().is_cancelled());
        assert_eq!(wait!(gt.wait()).unwrap(), 7);
    }

    fn the_blocking_pool_wakes_green_threads() {
        let gt = spawn(green!({
            let jobs: Vec<_> = (0..20).map(|i| tokio::task::spawn_blocking(move || i)).collect();
            let mut sum = 0;
            for job in jobs {
                sum += wait!(job).unwrap();
            }
            sum
        }));
        assert_eq!(wait!(gt).unwrap(), 190);
    }
}

#[test]
fn a_channel_fed_by_another_os_thread_loses_nothing() {
    run_in_real_time(async {
        let (sender, mut receiver) = mpsc::channel(4);
        let feeder = std::thread::spawn(move || {
            for i in 0..2000 {
                sender.blocking_send(i).unwrap();
            }
        });
        let gt = spawn(async move {
            let mut seen = Vec::new();
            while let Some(i) = receiver.recv().await {
                seen.push(i);
            }
            seen
        });
        assert_eq!(gt.await.unwrap(), (0..2000).collect::<Vec<_>>());
        feeder.join().unwrap();
    });
}

#[test]
fn a_spent_budget_moves_the_hub_on_and_nobody_is_passed_over() {
    run_in_real_time(async {
        // Each has far more ready than one poll's budget of 128.
        let seen = Rc::new(RefCell::new(Vec::new()));
        let gts: Vec<_> = (0..3)
            .map(|name| {
                let seen = Rc::clone(&seen);
                let (sender, mut receiver) = mpsc::unbounded_channel();
                (0..1000).for_each(|i| sender.send(i).unwrap());
                drop(sender);
                spawn(async move {
                    while receiver.recv().await.is_some() {
                        seen.borrow_mut().push(name);
                    }
                })
            })
            .collect();
        for gt in gts {
            gt.await.unwrap();
        }
        let seen = seen.borrow();
        assert_eq!(seen.len(), 3000);
        let longest = seen.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap();
        assert!(longest <= 128 * 2, "one had {longest} turns' worth in a row");
    });
}

#[test]
fn the_options_of_a_builder_reach_the_runtime() {
    let name = Builder::new().thread_name("here").max_blocking_threads(1).run(async {
        let job = || std::thread::current().name().map(str::to_owned);
        tokio::task::spawn_blocking(job).await.unwrap()
    });
    assert_eq!(name.unwrap().as_deref(), Some("here"));
    let refused = catch_unwind(AssertUnwindSafe(|| {
        Builder::new().max_blocking_threads(0);
    }));
    assert!(refused.is_err());
}
