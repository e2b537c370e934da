use super::*;

/// Uses so many bytes of stack, and not many more. Returns how deep that went.
fn use_up(bytes: usize) -> usize {
    fn down_to(end: usize) -> usize {
        let frame = black_box([1_u8; 512]);
        if here() < end { usize::from(frame[0]) } else { down_to(end) + usize::from(frame[1]) }
    }
    down_to(here() - bytes)
}

/// Returns where the stack is that this is called on.
#[inline(never)]
fn here() -> usize {
    let local = 0_u8;
    std::ptr::from_ref(black_box(&local)).addr()
}

#[test]
fn the_default_stack_has_its_256_kib() {
    run_stackful(|| {
        green(|| {
            use_up(200 * 1024);
            sleep(ZERO).block();
            use_up(200 * 1024)
        })
        .block()
        .unwrap();
    });
}

#[test]
fn a_green_thread_may_ask_for_more() {
    run_stackful(|| {
        let deep = eventlet::stackful(|| use_up(7 * 1024 * 1024)).stack_size(8 * 1024 * 1024);
        assert!(spawn(deep).block().unwrap() > 1000);
    });
}

#[test]
fn a_hub_may_give_more_to_everybody() {
    let used = Builder::new().stack_size(8 * 1024 * 1024).run(async {
        let outer = green(|| {
            let inner = eventlet::stackful(|| use_up(7 * 1024 * 1024)).block();
            inner + use_up(7 * 1024 * 1024)
        });
        outer.await.unwrap()
    });
    assert!(used.unwrap() > 2000);
}

#[test]
fn a_stack_that_is_deep_may_be_unwound() {
    fn deep(depth: usize, drops: Rc<Cell<usize>>) {
        let _guard = OnDrop({
            let drops = Rc::clone(&drops);
            move || drops.set(drops.get() + 1)
        });
        match depth {
            0 => pending::<()>().block(),
            _ => deep(depth - 1, drops),
        }
    }
    run_stackful(|| {
        let drops = Rc::new(Cell::new(0));
        let gt = green({
            let drops = Rc::clone(&drops);
            move || deep(300, drops)
        });
        sleep(ZERO).block();
        gt.kill();
        assert_eq!(drops.get(), 301);
    });
}

#[test]
fn a_stack_nobody_can_have_ends_its_green_thread_with_words() {
    let absurd = [
        usize::MAX,
        usize::MAX - 1,
        usize::MAX - 4096,
        isize::MAX as usize,
        isize::MAX as usize - 4096,
        isize::MAX as usize / 2 + 1,
        isize::MAX as usize / 2,
        isize::MAX as usize / 4,
        1 << 60,
        1 << 48,
    ];
    run_stackful(move || {
        for bytes in absurd {
            let log = Log::new();
            let guard = log.at_drop("closure");
            let gt = spawn(eventlet::stackful(move || drop(guard)).stack_size(bytes));
            let linked = log.clone();
            gt.link(move |result| linked.add(result.is_err()));
            let exit = gt.block().unwrap_err();
            let text = exit.error().expect("an error, not a panic").to_string();
            assert!(text.contains(&format!("a green stack of {bytes} bytes")), "{text}");
            assert!(text.contains("vm.max_map_count"), "{text}");
            assert!(exit.downcast_ref::<std::io::Error>().is_some());
            assert_eq!(log.text(), "closure true");
            assert_eq!(green(|| 1).block().unwrap(), 1, "the program goes on");
        }
    });
}

#[test]
fn a_stack_nobody_can_have_ends_whoever_waits_for_it_within() {
    run_stackful(|| {
        let log = Log::new();
        let guard = log.at_drop("outer");
        let gt = green(move || {
            let _guard = guard;
            eventlet::stackful(|| ()).stack_size(usize::MAX).block();
        });
        assert!(gt.block().unwrap_err().error().is_some());
        let stackless = spawn(async { eventlet::stackful(|| ()).stack_size(usize::MAX).await });
        assert!(stackless.block().unwrap_err().error().is_some());
        assert_eq!(log.text(), "outer");
        assert_eq!(keeps_turn!(ready(1).block()), 1);
    });
}

#[test]
fn a_stack_is_used_again() {
    run_stackful(|| {
        let mut places = HashSet::new();
        for i in 0..5000 {
            let gt = green(move || {
                if i % 3 == 0 {
                    sleep(ZERO).block();
                }
                if i % 7 == 0 {
                    pending::<()>().block();
                }
                here()
            });
            match i % 7 {
                0 => {
                    sleep(ZERO).block();
                    gt.kill();
                }
                _ => _ = places.insert(gt.block().unwrap() / (256 * 1024)),
            }
        }
        assert!(places.len() <= 2, "{} stacks for one at a time", places.len());
    });
}

#[test]
fn a_stack_of_another_size_is_not_mistaken_for_the_right_one() {
    run_stackful(|| {
        for _ in 0..20 {
            let small = spawn(eventlet::stackful(|| use_up(8 * 1024)).stack_size(64 * 1024));
            small.block().unwrap();
            let large = eventlet::stackful(|| use_up(900 * 1024)).stack_size(1024 * 1024);
            spawn(large).block().unwrap();
        }
    });
}

#[test]
fn ten_thousand_that_wait_can_be_killed_at_once() {
    run(async {
        let drops = Rc::new(Cell::new(0));
        let gts: Vec<_> = (0..10_000)
            .map(|_| {
                let drops = Rc::clone(&drops);
                green(move || {
                    let _guard = OnDrop(|| drops.set(drops.get() + 1));
                    pending::<()>().block();
                })
            })
            .collect();
        idle().await;
        assert_eq!(get_hub().green_threads(), 10_001);
        gts.iter().for_each(|gt| gt.kill());
        assert_eq!(drops.get(), 10_000);
        assert_eq!(get_hub().green_threads(), 1);
        assert_eq!(green(|| 1).await.unwrap(), 1);
    });
}

#[test]
fn the_memory_of_five_thousand_stacks_is_given_back() {
    let (passed, text) = in_a_process_of_its_own("stackful::stacks::alone_memory");
    assert!(passed, "{text}");
}

#[test]
#[ignore = "measures its process: `the_memory_of_five_thousand_stacks_is_given_back` runs it"]
fn alone_memory() {
    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    /// Returns what there was before it, and while the stacks were in use.
    fn round() -> (u64, u64) {
        let before = resident_kib();
        let in_use = async {
            for _ in 0..5_000 {
                drop(green(|| pending::<()>().block()));
            }
            sleep(ZERO).await;
            resident_kib()
        };
        (before, Builder::new().run(in_use).unwrap())
    }
    let (before, in_use) = round();
    assert!(in_use > before + 20_000, "of {in_use} KiB five thousand stacks take a page each");
    let first = resident_kib();
    for _ in 0..4 {
        round();
    }
    let last = resident_kib();
    assert!(last < first + 4_000, "{first} KiB grew to {last} KiB");
    eventlet::stackful::trim_stacks();
    let last = resident_kib();
    assert!(
        last < before + 4_000,
        "of {before} KiB before and {in_use} KiB in use {last} KiB are kept"
    );
}
