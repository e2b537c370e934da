//! Who uses the hub, and what is waited for.

use std::time::{Duration, Instant};

use eventlet::{Queue, Timeout, debug, sleep, spawn};

fn paused(test: impl Future<Output = ()> + 'static) {
    eventlet::runtime::Builder::new().start_paused(true).run(test).unwrap();
}

#[test]
fn turns_and_their_time_are_counted_for_each_green_thread() {
    paused(async {
        debug::keep_usage(true);
        let busy = spawn(async {
            for _ in 0..3 {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(2) {}
                sleep(Duration::ZERO).await;
            }
            std::future::pending::<()>().await;
        });
        busy.set_name("busy");
        let idle = spawn(std::future::pending::<()>());
        sleep(Duration::from_secs(1)).await;
        let top = debug::top();
        let of = |id| top.green_threads.iter().find(|usage| usage.greenlet.id() == id).unwrap();
        let (busy_usage, idle_usage) = (of(busy.id()), of(idle.id()));
        assert_eq!((busy_usage.turns, idle_usage.turns), (4, 1));
        assert!(busy_usage.time >= Duration::from_millis(6) && busy_usage.time <= top.time);
        assert!(busy_usage.longest >= Duration::from_millis(2));
        // Whoever was at the top longer than that was stopped by a machine that is busy.
        assert!(top.green_threads.is_sorted_by_key(|usage| std::cmp::Reverse(usage.time)));
        let table = top.to_string();
        assert!(table.contains("\"busy\", spawned at tests/seeing/usage.rs:"), "{table}");

        let turns = top.turns;
        busy.kill();
        idle.kill();
        assert_eq!(debug::top().turns, turns, "those that have ended stay in the sum");
        debug::keep_usage(false);
        assert_eq!(debug::top().turns, 0);
    });
}

#[test]
fn timers_are_listed_with_who_waits_for_them() {
    paused(async {
        let sleeper = spawn(sleep(Duration::from_secs(60)));
        let limited = spawn(async {
            let nothing = Queue::<u32>::new(1);
            let _expired =
                Timeout::new(Duration::from_secs(30)).run(nothing.get()).await.unwrap_err();
        });
        sleep(Duration::ZERO).await;
        let timers = debug::hub_timers();
        let dues: Vec<_> =
            timers.iter().map(|timer| (timer.due_in.as_secs(), timer.greenlet)).collect();
        assert_eq!(dues, [(30, Some(*limited)), (60, Some(*sleeper))]);
        let text = debug::format_hub_timers();
        assert_eq!(text.lines().next(), Some("TIMERS: 2"));
        assert!(text.contains(&format!("in 60s, green thread {}", sleeper.id())), "{text}");
        sleeper.kill();
        limited.await.unwrap();
        assert!(debug::hub_timers().is_empty());
    });
}

#[cfg(unix)]
#[test]
fn descriptors_are_listed_with_who_waits_for_them() {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use eventlet::hubs::{Interest, trampoline};

    eventlet::run(async {
        let (here, _there) = UnixStream::pair().unwrap();
        let fd = here.as_raw_fd();
        let reader = spawn(trampoline(here, Interest::Read, None));
        sleep(Duration::ZERO).await;
        let [listener] = &debug::hub_listeners()[..] else { panic!("there is one") };
        assert_eq!((listener.fd, listener.interest), (fd, Interest::Read));
        assert_eq!(listener.greenlet, Some(*reader));
        let text = debug::format_hub_listeners();
        assert!(text.starts_with(&format!("READERS:\ndescriptor {fd}, to read, for ")), "{text}");
        reader.kill();
        assert_eq!(debug::format_hub_listeners(), "READERS:\nWRITERS:\n");
    });
}

#[inline(never)]
async fn naps() {
    sleep(Duration::from_secs(60)).await;
}

#[test]
fn it_is_noted_where_timers_are_set() {
    paused(async {
        let before = spawn(sleep(Duration::from_secs(1)));
        sleep(Duration::ZERO).await;
        debug::hub_timer_stacks(true);
        let after = spawn(naps());
        sleep(Duration::ZERO).await;
        let timers = debug::hub_timers();
        let [first, second] = &timers[..] else { panic!("{timers:?}") };
        assert!(first.set_at().is_none());
        let place = second.set_at().unwrap();
        assert!(place.contains("naps") && !place.contains("eventlet::hub::"), "{place}");
        let text = debug::format_hub_timers();
        assert!(
            text.contains(&format!("green thread {}\n{}", after.id(), place.trim_end())),
            "{text}"
        );
        before.kill();
        after.kill();

        // Those that are over are forgotten some time.
        for _ in 0..1000 {
            sleep(Duration::from_millis(1)).await;
        }
        debug::hub_timer_stacks(false);
        let later = spawn(naps());
        sleep(Duration::ZERO).await;
        assert!(debug::hub_timers()[0].set_at().is_none());
        later.kill();
    });
}

/// A limit around code that waits is not in the way.
#[cfg(feature = "stackful")]
#[test]
fn it_is_noted_where_timers_of_code_on_stacks_are_set() {
    use eventlet::{Block, stackful};

    #[inline(never)]
    fn naps_on_a_stack() {
        let nothing = Queue::<()>::new(1);
        let _expired = Timeout::new(Duration::from_secs(9)).run(async move {
            eventlet::with_timeout(Duration::from_secs(5), nothing.get()).await
        });
        let _late = _expired.block();
    }

    paused(async {
        debug::hub_timer_stacks(true);
        let naps = spawn(stackful(naps_on_a_stack));
        sleep(Duration::ZERO).await;
        for timer in debug::hub_timers() {
            let place = timer.set_at().unwrap();
            assert!(place.contains("naps_on_a_stack"), "{place}");
        }
        naps.kill();
    });
}

#[cfg(unix)]
#[test]
fn it_is_noted_where_waits_for_descriptors_begin() {
    use std::os::unix::net::UnixStream;

    use eventlet::hubs::{Interest, trampoline};

    #[inline(never)]
    async fn reads(socket: UnixStream) {
        trampoline(&socket, Interest::Read, None).await.unwrap();
    }

    eventlet::run(async {
        let (here, _there) = UnixStream::pair().unwrap();
        debug::hub_listener_stacks(true);
        let reader = spawn(reads(here));
        sleep(Duration::ZERO).await;
        let listeners = debug::hub_listeners();
        let place = listeners[0].waits_at().unwrap();
        assert!(place.contains("reads") && !place.contains("Listener::new"), "{place}");
        assert!(debug::format_hub_listeners().contains(place.trim_end()));
        reader.kill();
        debug::hub_listener_stacks(false);
    });
}
