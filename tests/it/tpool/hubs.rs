//! Each hub has a pool of its own.

use super::*;

#[test]
fn jobs_may_wait_for_a_hub_that_uses_the_pool() {
    run_in_real_time(async {
        let hub = HubThread::start();
        let jobs = (0..40).map(|number| {
            let hub = hub.clone();
            execute(move || {
                let there = hub.spawn(move || async move { execute(move || number).await });
                there.join().unwrap()
            })
        });
        let limit = with_timeout(Duration::from_secs(20), join_all(jobs));
        assert_eq!(limit.await.unwrap(), (0..40).collect::<Vec<_>>());
    });
}

#[test]
fn a_job_may_run_a_hub_that_uses_the_pool() {
    run_in_real_time(async {
        let jobs = (0..40).map(|number| execute(move || run(execute(move || number))));
        let limit = with_timeout(Duration::from_secs(20), join_all(jobs));
        assert_eq!(limit.await.unwrap(), (0..40).collect::<Vec<_>>());
    });
}

#[test]
fn a_size_is_that_of_a_hub() {
    run_in_real_time(async {
        let other = HubThread::start();
        set_num_threads(1);
        let (job, begun, release) = held(());
        let first = spawn(execute(job));
        sleep(ZERO).await;
        begun.recv().unwrap();
        // The other hub has threads to spare.
        let there = other.spawn(|| async {
            let together = Arc::new(Barrier::new(5));
            join_all((0..5).map(|_| {
                let together = Arc::clone(&together);
                execute(move || together.wait().is_leader())
            }))
            .await
        });
        assert_eq!(there.await.unwrap().into_iter().filter(|leads| *leads).count(), 1);
        assert!(poll_immediate(execute(|| ())).await.is_none(), "this one has none");
        release.send(()).unwrap();
        first.await.unwrap();
    });
}

both_colours_in_real_time! {
    fn killall_waits_for_the_jobs_and_the_next_job_starts_the_pool_anew() {
        set_num_threads(1);
        let before = wait!(execute(|| thread::current().id()));
        let (job, begun, release) = held(7);
        let first = spawn(execute(job));
        let second = spawn(execute(|| thread::current().id()));
        wait!(sleep(ZERO));
        begun.recv().unwrap();
        let end = spawn(killall());
        wait!(sleep(ZERO));
        assert!(!end.dead());
        release.send(()).unwrap();
        wait!(end).unwrap();
        assert_eq!(wait!(first).unwrap(), 7);
        assert_eq!(wait!(second).unwrap(), before, "it was in line");
        let after = wait!(execute(|| thread::current().id()));
        assert_ne!(after, before);
        // It has kept its size.
        let others = wait!(join_all((0..3).map(|_| execute(|| thread::current().id()))));
        assert_eq!(others, [after; 3]);
    }

    fn killall_of_a_pool_that_has_not_started_does_nothing() {
        keeps_turn!(wait!(killall()));
        assert_eq!(wait!(execute(|| 7)), 7);
        wait!(killall());
        keeps_turn!(wait!(killall()));
    }
}

#[test]
fn a_killed_killall_has_its_way_all_the_same() {
    run_in_real_time(async {
        set_num_threads(1);
        let before = execute(|| thread::current().id()).await;
        let (job, begun, release) = held(());
        let first = spawn(execute(job));
        sleep(ZERO).await;
        begun.recv().unwrap();
        let end = spawn(killall());
        sleep(ZERO).await;
        end.kill();
        assert_ne!(execute(|| thread::current().id()).await, before);
        release.send(()).unwrap();
        first.await.unwrap();
    });
}

#[test]
fn the_threads_end_with_the_os_thread_of_the_hub() {
    let hub = HubThread::start();
    let (gone, is_gone) = mpsc::channel();
    hub.spawn(move || {
        execute(move || {
            type Witness = OnDrop<Box<dyn FnMut()>>;
            thread_local! {
                static WITNESS: RefCell<Option<Witness>> = const { RefCell::new(None) };
            }
            WITNESS.set(Some(OnDrop(Box::new(move || gone.send(()).unwrap()))));
        })
    })
    .join()
    .unwrap();
    hub.shutdown().join();
    is_gone.recv().unwrap();
}
