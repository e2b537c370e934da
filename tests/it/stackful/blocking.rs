use super::*;

#[test]
fn block_on_what_is_ready_keeps_the_turn() {
    run_stackful(|| {
        assert_eq!(keeps_turn!(ready(1).block()), 1);
        assert_eq!(keeps_turn!(async { 2 }.block()), 2);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        sender.send(3).unwrap();
        assert_eq!(keeps_turn!(receiver.block()).unwrap(), 3);
        yields!(sleep(ZERO).block());
    });
}

#[test]
fn a_green_stack_can_wait_for_another_within_it() {
    run_stackful(|| {
        let log = Log::new();
        let logs = [log.clone(), log.clone()];
        let value = eventlet::stackful(move || {
            let [log, inner] = logs;
            log.add("second");
            sleep(ms(1)).block();
            let value = eventlet::stackful(move || {
                inner.add("third");
                sleep(ms(1)).block();
                let gt = green(|| 1);
                gt.block().unwrap() + 1
            })
            .block();
            sleep(ZERO).block();
            log.add("second");
            value + 1
        })
        .block();
        sleep(ZERO).block();
        log.add("first");
        assert_eq!((value, log.text().as_str()), (3, "second third second first"));
    });
}

#[test]
fn green_stacks_can_be_joined_and_raced_within_one() {
    run_stackful(|| {
        let log = Log::new();
        let each = |name: &'static str, turns: usize| {
            let log = log.clone();
            eventlet::stackful(move || {
                let _guard = log.at_drop(format!("-{name}"));
                for _ in 0..turns {
                    log.add(name);
                    sleep(ZERO).block();
                }
                name
            })
        };
        let (a, b, c) = (each("a", 2), each("b", 2), each("c", 9));
        let joined = async {
            tokio::select! {
                biased;
                joined = futures::future::join(a, b) => joined,
                _ = c => unreachable!("it takes longer"),
            }
        };
        assert_eq!(joined.block(), ("a", "b"));
        assert_eq!(log.text(), "a b c a b c -a -b -c");
    });
}

#[test]
fn block_where_nothing_can_be_put_aside_panics_in_the_caller_s_line() {
    let cure = "wait with `.await`, or run the closure with `spawn(stackful(closure))`";
    panics_here!(cure, ready(1).block());
    panics_here!(cure, stream::iter([1]).blocking().next());
    run(async move { panics_here!(cure, ready(1).block()) });
    run_stackful(move || {
        async { panics_here!(cure, ready(1).block()) }.block();
        async {
            sleep(ZERO).await;
            panics_here!(cure, sleep(ZERO).block());
        }
        .block();
        assert_eq!(ready(1).block(), 1, "it works again");
        let gt = spawn(async move { panics_here!(cure, ready(1).block()) });
        gt.block().unwrap();
        let nested = async {
            let inner = eventlet::stackful(|| sleep(ms(1)).block());
            inner.await;
            panics_here!(cure, ready(1).block());
        };
        nested.block();
    });
}

#[test]
fn a_panic_inside_a_future_comes_out_of_block() {
    run_stackful(|| {
        let panicked = panics(|| {
            async {
                sleep(ZERO).await;
                panic!("in the future")
            }
            .block()
        });
        assert_eq!(panicked.message, "in the future");
        let panicked = panics(|| eventlet::stackful(|| panic!("on the stack")).block());
        assert_eq!(panicked.message, "on the stack");
        sleep(ZERO).block();
    });
}

#[test]
fn what_borrows_from_the_stack_can_be_waited_for() {
    run_stackful(|| {
        let mut total = 0;
        for i in 0..10 {
            let total = &mut total;
            async move {
                sleep(ZERO).await;
                *total += i;
            }
            .block();
        }
        assert_eq!(total, 45);
    });
}

#[test]
fn a_stream_is_an_iterator() {
    run_stackful(|| {
        let slow = stream::unfold(0, |i| async move {
            sleep(ms(1)).await;
            (i < 5).then_some((i, i + 1))
        });
        let mut slow = slow.blocking();
        assert_eq!(yields!(slow.next()), Some(0));
        assert_eq!(slow.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(slow.sum::<i32>(), 7);
        let mut quick = stream::iter([1]).blocking();
        assert_eq!(keeps_turn!(quick.next()), Some(1));
        assert_eq!(keeps_turn!(quick.next()), None);
    });
}

#[test]
fn an_item_that_was_not_handed_out_stays_in_the_stream() {
    run_stackful(|| {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let receiver = Rc::new(RefCell::new(receiver));
        let gt = green({
            let receiver = Rc::clone(&receiver);
            move || {
                let mut items =
                    stream::poll_fn(|cx| receiver.borrow_mut().poll_recv(cx)).blocking();
                items.next()
            }
        });
        sleep(ZERO).block();
        gt.kill();
        sender.try_send(7).unwrap();
        assert_eq!(receiver.borrow_mut().try_recv(), Ok(7));
    });
}
