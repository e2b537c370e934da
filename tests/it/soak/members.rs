//! What the green threads of the crowd and the jobs do.

use super::*;

/// What all of the crowd and of the jobs do: something with a meeting point.
async fn meet(world: &Rc<World>) {
    let which = world.roll_index(5);
    match world.roll(17) {
        0 | 1 => {
            let thing = world.thing();
            let id = thing.id;
            on_queue!(world, which, queue => queue.put(thing).await);
            world.was_put(id);
        }
        2 => {
            let thing = world.thing();
            let id = thing.id;
            let put =
                on_queue!(world, which, queue => queue.put_timeout(thing, ms(1)).await.is_ok());
            if put {
                world.was_put(id);
            }
        }
        3 => {
            let thing = world.thing();
            let id = thing.id;
            if on_queue!(world, which, queue => queue.put_nowait(thing).is_ok()) {
                world.was_put(id);
            }
        }
        4 | 5 => {
            let thing = on_queue!(world, which, queue => queue.get().await);
            world.was_got(which, thing);
        }
        6 => {
            let thing = on_queue!(world, which, queue => queue.get_timeout(ms(1)).await.ok());
            if let Some(thing) = thing {
                world.was_got(which, thing);
            }
        }
        7 => {
            let thing = on_queue!(world, which, queue => queue.get_nowait().ok());
            if let Some(thing) = thing {
                world.was_got(which, thing);
            }
        }
        8 => {
            let _permit = world.semaphore.permit().await;
            let _holder = Counted::new(&world.holders[0]);
            world.check(world.holders[0].get() <= SEMAPHORE, "more holders than permits");
            hold(world).await;
        }
        9 => {
            match world.roll(3) {
                0 if !world.bounded.try_acquire() => return,
                1 if !world.bounded.acquire_timeout(ms(1)).await => return,
                2 => world.bounded.acquire().await,
                _ => {}
            }
            let _release = OnDrop(|| world.bounded.release());
            let _holder = Counted::new(&world.holders[1]);
            world.check(world.holders[1].get() <= BOUNDED, "more holders than bounded permits");
            hold(world).await;
        }
        10 => {
            world.capped.acquire().await;
            world.capped_taken.set(world.capped_taken.get() + 1);
        }
        11 => {
            world.capped_unclear.set(world.capped_unclear.get() + 1);
            world.capped.release().await;
            world.capped_unclear.set(world.capped_unclear.get() - 1);
            world.capped_given.set(world.capped_given.get() + 1);
        }
        12 => {
            let which = which % 3;
            let _waiter = Counted::new(&world.event_waiters[which]);
            match world.roll(2) {
                0 => drop(world.events[which].wait().await),
                _ => drop(world.events[which].wait_timeout(ms(1)).await),
            }
        }
        13 => {
            let Ok(item) = world.items.item().await else { return };
            world.check(world.living_items.get() >= 1, "an item that does not live");
            hold(world).await;
            if world.roll(3) == 0 {
                eventlet::pools::Item::discard(item);
            }
        }
        14 => {
            let Ok(item) = world.items.get().await else { return };
            let mut item = Some(item);
            let discards = world.roll(3) == 0;
            let _back = OnDrop(|| match item.take() {
                Some(item) if discards => world.items.discard(item),
                Some(item) => world.items.put(item),
                None => {}
            });
            hold(world).await;
        }
        15 => world.local.with(|_| ()),
        _ => world.send_something(which % 3),
    }
}

/// Holds something for a while.
async fn hold(world: &Rc<World>) {
    match world.roll(4) {
        0 => {}
        1 => sleep(ZERO).await,
        2 => sleep(ms(1)).await,
        _ => sleep(ms(3)).await,
    }
}

/// What a member of a pool does. It waits for no green thread, or everybody could come to wait for
/// everybody.
fn job(world: &Rc<World>, depth: u32) -> impl Future<Output = u32> + 'static + use<> {
    let (world, birth) = (Rc::clone(world), world.birth());
    let stackful = world.roll(2) == 0;
    paint(stackful, async move {
        let _birth = birth;
        for _ in 0..world.roll(3) {
            meet(&world).await;
        }
        if depth < 2 && world.roll(4) == 0 {
            // When the pool is full, it runs right here.
            let inner = world.pool.spawn(boxed(job(&world, depth + 1))).await;
            world.keep(inner);
        }
        if world.roll(8) == 0 {
            panic_on_purpose();
        }
        hold(&world).await;
        depth
    })
}

fn boxed<T>(
    future: impl Future<Output = T> + 'static,
) -> std::pin::Pin<Box<dyn Future<Output = T>>> {
    Box::pin(future)
}

async fn paint<F: Future + 'static>(stackful: bool, future: F) -> F::Output {
    #[cfg(feature = "stackful")]
    if stackful {
        return eventlet::stackful(move || eventlet::Block::block(future)).await;
    }
    let _ = stackful;
    future.await
}

/// One thing that a green thread of the crowd does. It may wait for those who are older than it.
async fn step(world: &Rc<World>, older: usize) {
    match world.roll(30) {
        0 => sleep(ZERO).await,
        1 => sleep(ms(world.roll(4))).await,
        2 => join_crowd(world),
        3 => {
            let handle = world.pool.spawn(job(world, 0)).await;
            world.keep(handle);
        }
        4 => {
            world
                .pool
                .spawn_n({
                    let job = job(world, 0);
                    async move {
                        job.await;
                    }
                })
                .await
        }
        5 => {
            let (birth, waits, panics) = (world.birth(), world.roll(4), world.roll(6) == 0);
            let spawn = world.pile.spawn(async move {
                let _birth = birth;
                sleep(ms(waits)).await;
                if panics {
                    panic_on_purpose();
                }
                0
            });
            spawn.await;
            more(&world.pile_spawned);
        }
        6 | 7 => {
            if world.pile.next().await.is_some() {
                more(&world.pile_results);
            }
        }
        8 => map(world).await,
        9 => depend(world).await,
        10 => {
            if let Some(elder) = world.any_one(older) {
                let _ = elder.wait().await;
            }
        }
        11 | 12 => world.hurt_somebody(false),
        13 => world.drop_a_handle(),
        14 => world.resize_something(),
        15 => panic_on_purpose(),
        16 => {
            let limit = Timeout::start(ms(world.roll(4)));
            meet(world).await;
            drop(limit);
        }
        17..=20 => {
            let limit = ms(world.roll(4));
            let _ = with_timeout(limit, meet(world)).await;
        }
        _ => meet(world).await,
    }
}

/// Maps over a pool, all the way or part of it: the results come in order, and each once.
async fn map(world: &Rc<World>) {
    let inputs = world.roll(8) as u32;
    let enough = world.roll(8) as u32;
    let mut map = world.maps.imap(
        |input| {
            let (world, birth) = (Rc::clone(world), world.birth());
            async move {
                let _birth = birth;
                hold(&world).await;
                if input % 5 == 4 {
                    panic_on_purpose();
                }
                input
            }
        },
        0..inputs,
    );
    for expected in 0..enough.min(inputs) {
        if expected % 3 == 2 {
            let _ = with_timeout(ms(1), pending::<()>()).await;
        }
        match map.next().await {
            Some(Ok(input)) => world.check(input == expected, "a map out of order"),
            Some(Err(exit)) => world.check(exit.is_panic() && expected % 5 == 4, "a wrong panic"),
            None => world.check(false, "a map lost an input"),
        }
    }
    if enough >= inputs {
        world.check(map.next().await.is_none(), "a map doubled an input");
    }
}

/// Lets a chain of keys depend on each other, and ends one of them.
async fn depend(world: &Rc<World>) {
    let value = || Rc::new(Counted::new(&world.living_values));
    let dag = DAGPool::new([(0, value())]);
    for key in 1..4_u32 {
        let (world, birth) = (Rc::clone(world), world.birth());
        let spawned = dag.spawn(key, [key - 1], move |_, mut results| async move {
            let _birth = birth;
            while let Some(result) = results.next().await {
                result?;
            }
            hold(&world).await;
            Ok(Rc::new(Counted::new(&world.living_values)))
        });
        spawned.unwrap();
    }
    if world.roll(2) == 0 {
        sleep(ms(1)).await;
        let key = 1 + world.roll(3) as u32;
        // One that had not started is forgotten, and somebody has to stand in for it.
        if dag.kill(&key) && !dag.known_keys().contains(&key) {
            dag.post(key, value()).unwrap();
        }
    }
    let all = with_timeout(ms(20), dag.waitall()).await;
    world.check(all.is_ok(), "a dag that never ends");
}

/// Adds a green thread to the crowd, if there is room in it.
fn join_crowd(world: &Rc<World>) {
    if world.crowd.get() == CROWD {
        return;
    }
    more(&world.crowd);
    let older = world.handles.borrow().len();
    let steps = 1 + world.roll(12);
    let (me, birth) = (Rc::clone(world), world.birth());
    let drags_along = world.roll(8) == 0;
    let destructor = move |world: &Rc<World>| {
        if drags_along {
            world.hurt_somebody(true);
        }
    };
    let stackless = async move {
        let _birth = birth;
        let _destructor = OnDrop(|| destructor(&me));
        for _ in 0..steps {
            step(&me, older).await;
        }
        0
    };
    #[cfg(feature = "stackful")]
    if world.roll(2) == 0 {
        drop(stackless);
        let (me, birth) = (Rc::clone(world), world.birth());
        let stackful = eventlet::stackful(move || {
            let _birth = birth;
            let _destructor = OnDrop(|| destructor(&me));
            for _ in 0..steps {
                eventlet::Block::block(step(&me, older));
            }
            0
        });
        return start(world, stackful);
    }
    start(world, stackless);
}

fn start(world: &Rc<World>, future: impl Future<Output = u32> + 'static) {
    let later = ms(world.roll(3));
    match world.roll(6) {
        0 => world.keep(spawn_after(later, future)),
        1 => world.keep(spawn_after_local(later, future)),
        2 => {
            let greenlet = spawn_n(async move {
                future.await;
            });
            if world.roll(8) == 0 {
                kill(&greenlet);
            }
        }
        _ => world.keep(spawn(future)),
    }
}

/// Waits until everybody else waits. Those whose time has come together with main's had no turn
/// yet.
async fn until_all_wait() {
    idle().await;
    for _ in 0..100 {
        sleep(ZERO).await;
    }
}

/// A crowd comes, does what it does, and goes.
pub(super) async fn round(seed: u64) {
    // What panics on purpose is reported, and need not be seen.
    let _ear = Ear::open();
    let world = World::new(seed);
    for beat in 0..16 {
        for _ in 0..3 {
            join_crowd(&world);
        }
        if beat % 2 == 0 {
            world.hurt_somebody(false);
            world.resize_something();
        }
        until_all_wait().await;
        world.look_at_still_water();
        world.complain();
        sleep(ms(1)).await;
    }
    let mut tries = 0;
    while get_hub().green_threads() > 1 || world.pile_spawned.get() != world.pile_results.get() {
        world.let_everybody_go().await;
        sleep(ms(30)).await;
        until_all_wait().await;
        world.look_at_still_water();
        world.complain();
        tries += 1;
        assert!(tries < 200, "{} are stranded", get_hub().green_threads() - 1);
    }
    world.let_everybody_go().await;
    world.pool.waitall().await;
    world.queue.join().await;
    world.look_at_the_end();
    world.complain();
    world.handles.take();
    assert_eq!(Rc::strong_count(&world), 1, "somebody still knows the world");
}

/// Runs one round, and says its seed if it fails.
pub(super) fn run_round(seed: u64) {
    last_panic();
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| run(round(seed)))) {
        eprintln!("it was the round of EVENTLET_SOAK_SEED={seed}");
        resume_unwind(payload);
    }
}
