use super::*;

#[test]
fn one_that_is_never_polled_takes_no_stack_and_drops_its_closure() {
    let log = Log::new();
    let guard = log.at_drop("dropped");
    drop(eventlet::stackful(move || drop(guard)).stack_size(usize::MAX));
    assert_eq!(log.text(), "dropped");
}

#[test]
fn one_works_without_a_hub_and_without_tokio() {
    let mut future = Box::pin(eventlet::stackful(|| {
        let mut turns = 0;
        poll_fn(move |_| {
            turns += 1;
            if turns < 3 { Poll::Pending } else { Poll::Ready(turns) }
        })
        .block()
    }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(3));
    let panicked = panics(|| future.as_mut().poll(&mut cx));
    assert!(panicked.message.contains("polled after it had ended"));
}

#[test]
fn one_that_panicked_has_ended() {
    let mut future = Box::pin(eventlet::stackful(|| panic!("oops")));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(panics(|| future.as_mut().poll(&mut cx)).message, "oops");
    let again = panics(|| future.as_mut().poll(&mut cx));
    assert!(again.message.contains("was polled after it had ended"), "{again:?}");
}

#[test]
fn one_stays_where_it_is_while_its_owner_moves() {
    let mut future =
        Box::pin(eventlet::stackful(|| {
            let values: Vec<u64> = (0..10).collect();
            let borrowed = &values;
            let mut waited = false;
            poll_fn(|_| {
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .block();
            borrowed.iter().sum::<u64>()
        }));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    let mut moved = future;
    assert_eq!(moved.as_mut().poll(&mut cx), Poll::Ready(45));
}

#[test]
fn a_tokio_task_can_run_one() {
    run(async {
        let task = tokio::task::spawn_local(eventlet::stackful(|| {
            sleep(ms(1)).block();
            tokio::time::sleep(ms(1)).block();
            let gt = spawn(async { 7 });
            gt.block().unwrap()
        }));
        assert_eq!(task.await.unwrap(), 7);
        let log = Log::new();
        let guard = log.at_drop("dropped");
        let task = tokio::task::spawn_local(eventlet::stackful(move || {
            let _guard = guard;
            sleep(ms(100)).block();
        }));
        idle().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(log.text(), "dropped");
    });
}

#[test]
fn a_hub_can_live_on_a_green_stack() {
    let tokio =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let value = tokio.unwrap().block_on(eventlet::stackful(|| {
        let log = Log::new();
        let value = local({
            let log = log.clone();
            async move {
                let guard = log.at_drop("dropped");
                drop(green(move || {
                    let _guard = guard;
                    pending::<()>().block();
                }));
                sleep(ms(1)).await;
                green(|| {
                    sleep(ms(1)).block();
                    7
                })
                .await
                .unwrap()
            }
        })
        .block();
        assert_eq!(log.text(), "dropped");
        value
    }));
    assert_eq!(value, 7);
}

#[test]
fn one_that_is_forgotten_leaks_and_harms_nobody() {
    run_stackful(|| {
        let log = Log::new();
        for _ in 0..3 {
            let guard = log.at_drop("dropped");
            let mut forgotten = Box::pin(eventlet::stackful(move || {
                let _guard = guard;
                sleep(ms(5)).block();
                unreachable!("nobody polls it again");
            }));
            async { assert!(futures::poll!(&mut forgotten).is_pending()) }.block();
            std::mem::forget(forgotten);
        }
        // The timers wake this green thread, in vain.
        sleep(ms(10)).block();
        green(|| sleep(ms(1)).block()).block().unwrap();
        assert_eq!(log.text(), "");
    });
}

#[test]
fn two_drivers_of_one_stack_take_turns() {
    run(async {
        let shared = Rc::new(RefCell::new(Box::pin(eventlet::stackful(|| {
            for _ in 0..10 {
                sleep(ms(1)).block();
            }
            7
        }))));
        let drive = || {
            let shared = Rc::clone(&shared);
            poll_fn(move |cx| shared.borrow_mut().as_mut().poll(cx))
        };
        let first = tokio::time::timeout(ms(5), drive()).await;
        assert!(first.is_err());
        let rest = drive();
        let second = green(move || rest.block());
        assert_eq!(second.await.unwrap(), 7);
    });
}
