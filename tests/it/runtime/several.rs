use super::*;

#[test]
fn hubs_follow_each_other_on_one_os_thread() {
    let (kept, greenlet) = run(async {
        let kept = spawn(pending::<()>());
        let greenlet = spawn_n(pending::<()>());
        sleep(ZERO).await;
        (kept, greenlet)
    });
    assert!(kept.dead() && greenlet.dead());
    run(async move {
        let new: Vec<_> = (0..10).map(|_| spawn(pending::<()>())).collect();
        sleep(ZERO).await;
        greenlet.kill();
        kept.kill();
        kept.cancel();
        assert_eq!(get_hub().green_threads(), 11, "an old name names nobody new");
        assert!(kept.await.unwrap_err().is_killed(), "the first hub ended it");
        new.into_iter().for_each(|gt| gt.kill());
    });
    let mut builder = Builder::new();
    for _ in 0..2 {
        builder.run(async { spawn(async {}).await.unwrap() }).unwrap();
    }
}

#[test]
fn every_os_thread_may_have_a_hub() {
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let barrier = std::sync::Arc::clone(&barrier);
            std::thread::spawn(move || {
                run(async move {
                    barrier.wait();
                    let gts: Vec<_> = (0..100)
                        .map(|j| {
                            spawn(async move {
                                sleep(ZERO).await;
                                i * j
                            })
                        })
                        .collect();
                    let mut sum = 0;
                    for gt in gts {
                        sum += gt.await.unwrap();
                    }
                    barrier.wait();
                    assert_eq!(get_hub().green_threads(), 1);
                    sum
                })
            })
        })
        .collect();
    for (i, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap(), i * 4950);
    }
}

#[test]
fn local_works_in_every_runtime() {
    for runtime in runtimes() {
        let value = runtime.block_on(guarded_local(async {
            let (sender, receiver) = oneshot::channel();
            // On a worker thread, or between the hub's polls.
            tokio::spawn(async move { sender.send(3).unwrap() });
            let gt = spawn(async {
                sleep(ZERO).await;
                4
            });
            spawn(async { sleep(ms(1)).await }).await.unwrap();
            receiver.await.unwrap() + gt.await.unwrap()
        }));
        assert_eq!(value, 7);
        let value = runtime.block_on(guarded_local(async { 8 }));
        assert_eq!(value, 8, "the place is free again");
    }
}

/// `local`, with the looks at the hub that all tests have.
async fn guarded_local<T: 'static>(test: impl Future<Output = T> + 'static) -> T {
    let value = Rc::new(Cell::new(None));
    let test = {
        let value = Rc::clone(&value);
        async move { value.set(Some(test.await)) }
    };
    local(guarded(Box::pin(test), Duration::from_secs(60))).await;
    value.take().unwrap()
}

#[test]
fn local_works_in_a_local_set_and_beside_other_tasks() {
    paused().block_on(async {
        let log = Log::new();
        let beside = log.clone();
        tokio::task::LocalSet::new()
            .run_until(async move {
                let hub = spawn_local(local({
                    let log = log.clone();
                    async move {
                        sleep(ms(10)).await;
                        log.add("hub");
                        7
                    }
                }));
                let task = spawn_local(async move {
                    tokio::time::sleep(ms(5)).await;
                    beside.add("task");
                });
                task.await.unwrap();
                assert_eq!(hub.await.unwrap(), 7);
                assert_eq!(log.text(), "task hub");
            })
            .await;
    });
}
