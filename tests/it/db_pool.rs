//! Follows eventlet tests/db_pool_test.py at c8f903a3, over a database that is none, and the
//! defects of its pools.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use eventlet::db_pool::{
    Cleaned, ConnectionPool, Database, DatabaseConnector, GetError, Pooled, Tpooled,
};
use eventlet::{Queue, sleep, spawn, spawn_n, with_timeout};

use crate::support::*;

/// What the next call does.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Fails,
    Hangs,
    Panics,
}

impl Mood {
    async fn act(self) -> io::Result<()> {
        match self {
            Mood::Well => Ok(()),
            Mood::Fails => Err(io::Error::other("a bad mood")),
            Mood::Hangs => pending().await,
            Mood::Panics => panic!("a very bad mood"),
        }
    }
}

/// A database that counts its open connections.
#[derive(Clone)]
struct Fake(Rc<Inside>);

struct Inside {
    connect: Cell<Mood>,
    cleanup: Cell<Mood>,
    check: Cell<Mood>,
    broken: RefCell<HashSet<u32>>,
    last: Cell<u32>,
    open: Cell<usize>,
    most: Cell<usize>,
    takes: Cell<Duration>,
}

struct Connection {
    number: u32,
    in_transaction: bool,
    inside: Rc<Inside>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.inside.open.set(self.inside.open.get() - 1);
    }
}

impl Fake {
    fn new() -> Fake {
        let well = || Cell::new(Mood::Well);
        Fake(Rc::new(Inside {
            connect: well(),
            cleanup: well(),
            check: well(),
            broken: RefCell::default(),
            last: Cell::new(0),
            open: Cell::new(0),
            most: Cell::new(0),
            takes: Cell::new(ms(1)),
        }))
    }

    fn open(&self) -> usize {
        self.0.open.get()
    }
}

impl Database for Fake {
    type Connection = Connection;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<Connection> {
        sleep(self.0.takes.get()).await;
        self.0.connect.get().act().await?;
        self.0.last.set(self.0.last.get() + 1);
        self.0.open.set(self.open() + 1);
        self.0.most.set(self.0.most.get().max(self.open()));
        let inside = Rc::clone(&self.0);
        Ok(Connection { number: self.0.last.get(), in_transaction: false, inside })
    }

    async fn cleanup(&self, connection: &mut Connection) -> io::Result<()> {
        sleep(ms(1)).await;
        self.0.cleanup.get().act().await?;
        connection.in_transaction = false;
        Ok(())
    }

    fn cleans(&self) -> bool {
        true
    }

    async fn check(&self, _: &mut Connection) -> io::Result<()> {
        self.0.check.get().act().await
    }

    fn is_broken(&self, connection: &mut Connection) -> bool {
        self.0.broken.borrow().contains(&connection.number)
    }
}

fn fake_pool() -> (Fake, ConnectionPool<Fake>) {
    let fake = Fake::new();
    (fake.clone(), ConnectionPool::new(fake))
}

both_colours! {
    /// test_connecting, test_close_does_a_put
    fn a_connection_is_made_when_it_is_needed_and_lent_again() {
        let (fake, pool) = fake_pool();
        assert_eq!((pool.free(), fake.open()), (4, 0));
        let first = wait!(pool.get()).unwrap();
        assert_eq!((pool.free(), fake.open(), first.number), (3, 1, 1));
        wait!(first.put());
        assert_eq!((pool.free(), fake.open()), (4, 1));
        assert_eq!(wait!(pool.get()).unwrap().number, 1, "no second one was made");
        wait!(sleep(ms(2)));
    }

    fn the_one_that_came_back_last_is_lent_first() {
        let (_, pool) = fake_pool();
        let (one, two) = (wait!(pool.get()).unwrap(), wait!(pool.get()).unwrap());
        wait!(one.put());
        wait!(two.put());
        let next = wait!(pool.get()).unwrap();
        assert_eq!(next.number, 2);
        wait!(next.put());
    }

    /// test_put_none
    fn a_discarded_one_frees_its_place() {
        let (fake, pool) = fake_pool();
        Pooled::discard(wait!(pool.get()).unwrap());
        assert_eq!((pool.free(), fake.open(), pool.stats().size), (4, 0, 0));
    }

    /// test_full_house, test_waiters_get_woken
    fn who_waits_is_served_in_order_of_arrival() {
        let (_, pool) = fake_pool();
        let pool = pool.max_size(1);
        let log = Log::new();
        let held = wait!(pool.get()).unwrap();
        for name in ["a", "b", "c"] {
            let (pool, log) = (pool.clone(), log.clone());
            spawn_n(green!({
                let connection = wait!(pool.get()).unwrap();
                log.add(name);
                wait!(connection.put());
            }));
        }
        wait!(idle());
        assert_eq!((pool.waiting(), pool.free()), (3, 0));
        wait!(held.put());
        wait!(sleep(ms(100)));
        assert_eq!(log.text(), "a b c");
    }

    /// test_connection_pool_with_uncommitted_work: a rollback comes before the next borrower.
    fn nobody_meets_the_transaction_of_another() {
        let (_, pool) = fake_pool();
        let pool = pool.max_size(1);
        let mut connection = wait!(pool.get()).unwrap();
        connection.in_transaction = true;
        drop(connection);
        assert_eq!(pool.free(), 0, "it is being cleaned");
        assert!(!wait!(pool.get()).unwrap().in_transaction);
        wait!(sleep(ms(2)));
        assert_eq!(pool.free(), 1);
    }

    fn nor_that_of_one_who_was_killed() {
        let (_, pool) = fake_pool();
        let pool = pool.max_size(1);
        let same = pool.clone();
        let victim = spawn(green!({
            let mut connection = wait!(same.get()).unwrap();
            connection.in_transaction = true;
            wait!(pending::<()>());
        }));
        wait!(sleep(ms(5)));
        victim.kill();
        let next = wait!(pool.get()).unwrap();
        assert_eq!((next.number, next.in_transaction), (1, false));
        wait!(next.put());
    }

    /// [22]: a cleaning that fails costs the connection, never its place.
    fn one_that_cannot_be_cleaned_is_closed() {
        for mood in [Mood::Fails, Mood::Hangs, Mood::Panics] {
            let (fake, pool) = fake_pool();
            let pool = pool.max_size(1);
            fake.0.cleanup.set(mood);
            let ear = Ear::open();
            drop(wait!(pool.get()).unwrap());
            let next = wait!(pool.get()).unwrap();
            assert_eq!((next.number, fake.open(), pool.stats().size), (2, 1, 1));
            assert_eq!(ear.heard().len(), 1, "{:?}", ear.heard());
            Pooled::discard(next);
            assert_eq!(pool.free(), 1);
        }
    }

    /// [21]: a connect that fails leaves nobody waiting.
    fn a_connect_that_fails_lets_the_next_one_try() {
        let (fake, pool) = fake_pool();
        let pool = pool.max_size(1);
        fake.0.connect.set(Mood::Fails);
        let others: Vec<_> = (0..3).map(|_| {
            let pool = pool.clone();
            spawn(green!({ wait!(pool.get()).map(drop) }))
        }).collect();
        for other in others {
            assert!(matches!(wait!(other).unwrap(), Err(GetError::Connect(_))));
        }
        assert_eq!((pool.free(), pool.stats().failed), (1, 3));
        fake.0.connect.set(Mood::Well);
        wait!(wait!(pool.get()).unwrap().put());
    }

    /// test_connection_timeout
    fn a_connect_that_takes_too_long_is_given_up() {
        let (fake, pool) = fake_pool();
        let pool = pool.connect_timeout(ms(100));
        fake.0.connect.set(Mood::Hangs);
        let start = tokio::time::Instant::now();
        let late = wait!(pool.get()).map(drop).unwrap_err();
        assert!(matches!(late, GetError::Timeout));
        assert_eq!((start.elapsed(), pool.free()), (ms(100), 4));
        assert_eq!(io::Error::from(late).kind(), io::ErrorKind::TimedOut);
    }

    fn a_kill_while_connecting_or_waiting_loses_no_place() {
        let (_, pool) = fake_pool();
        let pool = pool.max_size(1);
        let gts: Vec<_> = (0..2).map(|_| {
            let pool = pool.clone();
            spawn(green!({ wait!(pool.get()).map(drop) }))
        }).collect();
        wait!(sleep(ZERO));
        gts.iter().for_each(|gt| gt.kill());
        assert_eq!((pool.free(), pool.waiting(), pool.stats().size), (1, 0, 0));
    }

    fn one_that_is_broken_or_does_not_answer_is_not_lent_again() {
        let (fake, pool) = fake_pool();
        let first = wait!(pool.get()).unwrap();
        fake.0.broken.borrow_mut().insert(first.number);
        wait!(first.put());
        assert_eq!((fake.open(), pool.stats().broken), (0, 1), "broken when it came back");

        wait!(wait!(pool.get()).unwrap().put());
        fake.0.broken.borrow_mut().insert(2);
        let third = wait!(pool.get()).unwrap();
        assert_eq!((third.number, fake.open()), (3, 1), "broken while it was idle");
        wait!(third.put());

        fake.0.check.set(Mood::Hangs);
        let fourth = wait!(pool.get()).unwrap();
        assert_eq!((fourth.number, fake.open()), (4, 1), "it did not answer");
        wait!(fourth.put());
    }

    /// test_max_idle, test_expired_connection
    fn one_that_is_idle_for_too_long_is_closed() {
        let (fake, pool) = fake_pool();
        let pool = pool.max_idle(ms(100));
        wait!(wait!(pool.get()).unwrap().put());
        wait!(sleep(ms(99)));
        assert_eq!(fake.open(), 1);
        wait!(sleep(ms(2)));
        assert_eq!((fake.open(), pool.stats().expired), (0, 1));
        wait!(wait!(pool.get()).unwrap().put());
        assert_eq!(fake.open(), 1, "and again");
        wait!(sleep(ms(102)));
        assert_eq!(fake.open(), 0);
    }

    /// test_max_age
    fn one_that_is_too_old_is_closed_but_never_while_it_is_lent() {
        let (fake, pool) = fake_pool();
        let pool = pool.max_age(ms(100)).max_idle(Duration::MAX);
        let connection = wait!(pool.get()).unwrap();
        wait!(sleep(ms(1000)));
        assert_eq!(fake.open(), 1);
        wait!(connection.put());
        assert_eq!((fake.open(), pool.stats().expired), (0, 1));
    }

    /// test_max_idle_many, test_waiters_get_woken: a pure limiter.
    fn with_no_time_at_all_every_one_is_closed_when_it_comes_back() {
        for pool in [fake_pool().1.max_idle(ZERO), fake_pool().1.max_age(ZERO)] {
            let pool = pool.max_size(1);
            let held = wait!(pool.get()).unwrap();
            let same = pool.clone();
            let waiter = spawn(green!({ wait!(same.get()).map(|connection| connection.number) }));
            wait!(idle());
            wait!(held.put());
            assert_eq!(wait!(waiter).unwrap().ok(), Some(2));
            wait!(sleep(ms(2)));
            assert_eq!(pool.stats().size, 0);
        }
    }

    /// test_clear, test_clear_warmup, [139]
    fn clear_closes_those_that_are_idle() {
        let (fake, pool) = fake_pool();
        let pool = wait!(pool.min_size(3)).map_err(io::Error::from).unwrap();
        let lent = wait!(pool.get()).unwrap();
        assert_eq!((fake.open(), pool.stats().idle), (3, 2));
        pool.clear();
        assert_eq!((fake.open(), pool.stats().size, pool.free()), (1, 1, 3));
        wait!(lent.put());
        assert_eq!(pool.stats().idle, 1);
    }

    fn a_smaller_pool_closes_what_is_too_much_and_a_larger_one_wakes() {
        let (fake, pool) = fake_pool();
        let pool = wait!(pool.min_size(4)).map_err(io::Error::from).unwrap();
        pool.resize(1);
        assert_eq!((fake.open(), pool.free()), (1, 1));
        let held = wait!(pool.get()).unwrap();
        let same = pool.clone();
        let waiter = spawn(green!({ wait!(same.get()).map(|connection| connection.number) }));
        wait!(idle());
        assert_eq!(pool.waiting(), 1);
        pool.resize(2);
        assert_eq!(wait!(waiter).unwrap().ok(), Some(5));
        wait!(held.put());
        wait!(sleep(ms(2)));
        assert_eq!((pool.free(), fake.open()), (2, 2));
    }

    fn a_hundred_with_random_ends_never_have_more_than_there_may_be() {
        let (fake, pool) = fake_pool();
        let pool = pool.max_size(5);
        let victims = Queue::new(None);
        for number in 0..100_u64 {
            let pool = pool.clone();
            let gt = spawn(green!({
                wait!(sleep(ms(number % 7)));
                let Ok(mut connection) = wait!(pool.get()) else { return };
                connection.in_transaction = true;
                wait!(sleep(ms(number % 5)));
                assert_ne!(number % 10, 3, "one in ten panics");
            }));
            wait!(victims.put((number, gt)));
        }
        let ear = Ear::open();
        while let Ok((number, gt)) = victims.get_nowait() {
            if number % 4 == 0 {
                wait!(sleep(ms(1)));
                gt.kill();
            } else {
                drop(wait!(gt));
            }
        }
        wait!(sleep(ms(10)));
        drop(ear);
        let stats = pool.stats();
        assert_eq!((pool.free(), stats.waiting), (5, 0), "{stats:?}");
        assert_eq!((stats.size, stats.idle), (fake.open(), fake.open()), "{stats:?}");
        assert!(fake.0.most.get() <= 5);
    }
}

#[test]
fn a_connection_that_outlives_its_hub_is_closed() {
    let fake = Fake::new();
    let pool = ConnectionPool::new(fake.clone());
    let inner = pool.clone();
    let lent = eventlet::run(async move { inner.get().await.map_err(io::Error::from).unwrap() });
    assert_eq!(fake.open(), 1);
    drop(lent);
    assert_eq!((fake.open(), pool.free()), (0, 4));
    eventlet::run(async move { pool.get().await.map_err(io::Error::from).unwrap().put().await });
    assert_eq!(fake.open(), 0, "the last handle of the pool is gone");
}

#[test]
fn what_nobody_can_clean_is_closed_unless_it_was_put_back() {
    run(async {
        let made = Rc::new(Cell::new(0));
        let count = Rc::clone(&made);
        let connect = move || {
            count.set(count.get() + 1);
            std::future::ready(Ok::<_, io::Error>(count.get()))
        };
        let pool = ConnectionPool::new(connect.clone()).max_size(1);
        let number = async || *pool.get().await.unwrap();
        let inner = pool.clone();
        let victim = spawn(async move {
            let _in_transaction = inner.get().await.unwrap();
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        victim.kill();
        assert_eq!(pool.free(), 1, "its place is free at once");

        assert!(
            with_timeout(ms(1), async { (number().await, pending::<()>().await) }).await.is_err()
        );
        assert_eq!(number().await, 3, "nor is that of one who ran out of time lent again");
        let put = pool.get().await.unwrap();
        assert_eq!(*put, 4);
        put.put().await;
        assert_eq!(number().await, 4);

        let cleaned = ConnectionPool::new(Cleaned::new(connect, async |_: &mut i32| Ok(())));
        for _ in 0..2 {
            assert_eq!(*cleaned.get().await.unwrap(), 5);
            sleep(ms(1)).await;
        }
    });
}

#[test]
fn each_host_and_database_has_a_pool_of_its_own() {
    let connector =
        DatabaseConnector::new([("a", 1), ("default", 9)], |host, name, number: &u32| {
            let text = format!("{host}/{name}/{number}");
            ConnectionPool::new(move || {
                let text = text.clone();
                async move { Ok::<_, io::Error>(text) }
            })
        });
    run(async move {
        for (host, name, expected) in
            [("a", "x", "a/x/1"), ("a", "y", "a/y/1"), ("b", "x", "b/x/9")]
        {
            let pool = connector.get(host, name).unwrap();
            let connection = pool.get().await.map_err(io::Error::from).unwrap();
            assert_eq!(*connection, expected);
            assert_eq!(connector.get(host, name).unwrap().free(), 3, "the same pool");
            Pooled::discard(connection);
        }
    });
}

#[test]
fn a_blocking_driver_runs_on_other_os_threads() {
    let here = std::thread::current().id();
    eventlet::run(async move {
        let database = Tpooled::new(|| Ok::<_, io::Error>(vec![std::thread::current().id()]))
            .cleanup(|threads| {
                threads.push(std::thread::current().id());
                Ok(())
            });
        let pool = ConnectionPool::new(database);
        pool.get().await.unwrap().put().await;
        let connection = pool.get().await.unwrap();
        let threads = connection.call(|threads| threads.clone()).await;
        assert!(threads.len() == 2 && !threads.contains(&here), "{threads:?}");
    });
}

#[test]
fn a_blocking_connect_that_is_given_up_frees_its_place() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    eventlet::run(async move {
        let connect = move || receiver.lock().unwrap().recv().map_err(io::Error::other);
        let pool = ConnectionPool::new(Tpooled::new(connect)).connect_timeout(ms(10));
        assert!(matches!(pool.get().await, Err(GetError::Timeout)));
        assert_eq!(pool.free(), 4);
        drop(sender);
        let pool = pool.connect_timeout(Duration::from_secs(60));
        assert!(matches!(pool.get().await, Err(GetError::Connect(_))));
    });
}
