use super::*;

both_colours_in_real_time! {
    fn calls_are_made_one_at_a_time_in_order() {
        let log = Proxy::new(Vec::new());
        let (job, begun, release) = held(());
        let first = spawn({
            let log = log.clone();
            green!({ wait!(log.call(move |log| { job(); log.push(0) })) })
        });
        wait!(execute(move || begun.recv())).unwrap();
        let others: Vec<_> = (1..50)
            .map(|number| {
                let log = log.clone();
                spawn(green!({ wait!(log.call(move |log| log.push(number))) }))
            })
            .collect();
        wait!(sleep(ZERO));
        release.send(()).unwrap();
        wait!(first).unwrap();
        for other in others {
            wait!(other).unwrap();
        }
        let log = wait!(log.call(std::mem::take));
        assert_eq!(log, (0..50).collect::<Vec<_>>());
    }

    fn a_call_given_up_before_it_began_is_never_made() {
        let log = Proxy::new(Vec::new());
        let (job, begun, release) = held(());
        let first = spawn({
            let log = log.clone();
            green!({ wait!(log.call(move |log| { job(); log.push("first") })) })
        });
        wait!(execute(move || begun.recv())).unwrap();

        let (dropped, was_dropped) = mpsc::channel();
        let witness = OnDrop(move || dropped.send(()).unwrap());
        let second = spawn({
            let log = log.clone();
            green!({ wait!(log.call(move |log| { let _witness = witness; log.push("second") })) })
        });
        wait!(sleep(ZERO));
        second.kill();
        was_dropped.try_recv().expect("its closure is dropped at once");

        release.send(()).unwrap();
        wait!(first).unwrap();
        assert_eq!(wait!(log.call(|log| log.clone())), ["first"]);
    }

    fn a_call_given_up_while_it_is_made_holds_the_next_one_up() {
        let log = Proxy::new(Vec::new());
        let (job, begun, release) = held(());
        let first = spawn({
            let log = log.clone();
            green!({ wait!(log.call(move |log| { job(); log.push("first") })) })
        });
        wait!(execute(move || begun.recv())).unwrap();
        first.kill();
        let second = spawn({
            let log = log.clone();
            green!({ wait!(log.call(|log| { log.push("second"); log.clone() })) })
        });
        wait!(sleep(ZERO));
        release.send(()).unwrap();
        assert_eq!(wait!(second).unwrap(), ["first", "second"]);
    }

    fn a_panic_leaves_the_object_as_it_is() {
        let list = Proxy::new(vec![1]);
        let caller = spawn({
            let list = list.clone();
            green!({ wait!(list.call(|list| { list.push(2); panic!("oops") })) })
        });
        assert!(wait!(caller).unwrap_err().is_panic());
        assert_eq!(wait!(list.call(|list| list.clone())), [1, 2]);
    }
}

#[test]
fn a_call_from_inside_a_call_of_the_same_object_panics_with_words() {
    run_in_real_time(async {
        let proxy = Proxy::new(0);
        let same = proxy.clone();
        let caller =
            spawn(async move { proxy.call(move |_| same.call(|_| ()).now_or_never()).await });
        let exit = caller.await.unwrap_err().to_string();
        assert!(exit.contains("a call of a `Proxy` called the same proxy"), "{exit}");
    });
}

#[test]
fn a_call_from_inside_a_call_of_another_object_is_made_right_there() {
    run_in_real_time(async {
        let (outer, inner) = (Proxy::new(1), Proxy::new(2));
        let both =
            outer.call(move |outer| inner.call(|inner| *inner).now_or_never().unwrap() + *outer);
        assert_eq!(both.await, 3);
    });
}

#[test]
fn the_object_goes_with_its_last_handle() {
    run_in_real_time(async {
        let (dropped, was_dropped) = mpsc::channel();
        let proxy = Proxy::new(OnDrop(move || dropped.send(()).unwrap()));
        let other = proxy.clone();
        other.call(|_| ()).await;
        drop(proxy);
        assert!(was_dropped.try_recv().is_err());
        drop(other);
        // The thread that made the call may have been the last to let go of it.
        execute(move || was_dropped.recv()).await.unwrap();
    });
}
