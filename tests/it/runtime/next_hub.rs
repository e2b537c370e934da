//! What was made in one hub is good in the next one of the same OS thread, or says why not.

use super::*;

/// Polls a future once in a hub, which ends then.
fn begun<F: Future + Unpin + 'static>(make: impl FnOnce() -> F + 'static) -> F {
    run(async move {
        let mut future = make();
        assert!(futures::poll!(&mut future).is_pending());
        future
    })
}

/// Waits in a hub, and asserts that it takes no longer than it should.
fn ends<F: Future + 'static>(future: F) -> F::Output {
    Builder::new().run(guarded(future, Duration::from_secs(20))).unwrap()
}

async fn guarded<F: Future>(future: F, limit: Duration) -> F::Output {
    tokio::time::timeout(limit, future).await.expect("it hangs")
}

#[test]
fn a_sleep_ends() {
    let start = Instant::now();
    ends(run(async { sleep(ms(5)) }));
    assert!(start.elapsed() >= ms(5));
    ends(begun(|| sleep(ms(5))));
    ends(begun(|| sleep(ZERO)));
}

#[test]
fn a_sleep_keeps_its_moment() {
    let nap = run(async { sleep(Duration::from_secs(60)) });
    Builder::new()
        .start_paused(true)
        .run(async move {
            let start = tokio::time::Instant::now();
            nap.await;
            assert!(start.elapsed() <= Duration::from_secs(60));
            assert!(start.elapsed() >= Duration::from_secs(50));
        })
        .unwrap();
}

#[test]
fn a_limit_passes() {
    assert!(ends(run(async { with_timeout(ms(5), pending::<()>()) })).is_err());
    assert!(ends(begun(|| Box::pin(with_timeout(ms(5), pending::<()>())))).is_err());
    assert_eq!(ends(begun(|| Box::pin(with_timeout(ms(60_000), sleep(ms(5)))))), Ok(()));
}

#[test]
fn an_armed_limit_concerns_nobody() {
    let armed = run(async { Timeout::start(ms(1)) });
    ends(async move {
        sleep(ms(5)).await;
        drop(armed);
    });
}

#[test]
fn a_queue_an_event_and_a_semaphore_serve_those_who_wait() {
    let queue = Queue::new(1);
    let getter = begun({
        let queue = queue.clone();
        || Box::pin(async move { queue.get().await })
    });
    let other = queue.clone();
    ends(async move {
        spawn_n(async move { other.put(7).await });
        assert_eq!(getter.await, 7);
    });

    let event = Event::new();
    let waiter = begun({
        let event = event.clone();
        || Box::pin(async move { event.wait().await })
    });
    ends(async move {
        event.send(7);
        assert_eq!(waiter.await.unwrap(), 7);
    });

    let semaphore = Rc::new(Semaphore::new(0));
    let waiter = begun({
        let semaphore = Rc::clone(&semaphore);
        || Box::pin(async move { semaphore.acquire().await })
    });
    ends(async move {
        semaphore.release();
        waiter.await;
    });
}

#[test]
fn a_green_thread_of_the_last_hub_has_ended() {
    let parked = run(async { spawn(pending::<()>()) });
    let delayed = run(async { spawn_after(ms(1), async {}) });
    let waiter = begun(|| Box::pin(spawn(pending::<()>())));
    assert!(parked.dead() && delayed.dead());
    ends(async move {
        parked.kill();
        for ended in [parked.await, delayed.await, waiter.await] {
            assert!(ended.unwrap_err().is_killed());
        }
    });
}

#[test]
fn a_pool_has_all_its_slots() {
    let pool = run(async {
        let pool = GreenPool::new(2);
        pool.spawn_n(pending::<()>()).await;
        pool.spawn_n(pending::<()>()).await;
        pool
    });
    assert_eq!((pool.free(), pool.running()), (2, 0));
    ends(async move {
        assert_eq!(pool.spawn(async { 7 }).await.await.unwrap(), 7);
        pool.waitall().await;
    });
}

#[cfg(feature = "stackful")]
#[test]
fn a_stack_that_has_started_goes_on() {
    use eventlet::{Block, stackful};

    let half = begun(|| {
        Box::pin(stackful(|| {
            sleep(ms(5)).block();
            sleep(ms(5)).block();
            7
        }))
    });
    assert_eq!(ends(half), 7);
}

#[cfg(feature = "stackful")]
#[test]
fn a_socket_says_that_its_hub_has_ended() {
    use std::io::Read;

    use eventlet::green::net::{TcpListener, TcpStream};
    use eventlet::stackful;

    let (mut client, _conn) = run(stackful(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }));
    let error = ends(stackful(move || client.read(&mut [0]).unwrap_err()));
    assert!(error.to_string().contains("shutdown"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_descriptor_that_was_waited_for_can_be_waited_for() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use eventlet::hubs::{Interest, trampoline};

    let (here, mut there) = UnixStream::pair().unwrap();
    let here = Rc::new(here);
    let same = Rc::clone(&here);
    let old = begun(|| Box::pin(trampoline(same, Interest::Read, None)));
    ends(async move {
        let new = spawn(trampoline(here, Interest::Read, None));
        sleep(ZERO).await;
        there.write_all(b"x").unwrap();
        new.await.unwrap().unwrap();
        let gone = old.await.unwrap_err().to_string();
        assert!(gone.contains("shutdown"), "{gone}");
    });
}
