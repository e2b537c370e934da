//! Whatever becomes a future when it is awaited is taken wherever a future is.

use std::future::{IntoFuture, Ready, ready};

use eventlet::dagpool::DAGPool;
use eventlet::greenthread::spawn_after_local;
use eventlet::pools::Pool;
use eventlet::runtime::Builder;
use eventlet::{
    GreenPile, GreenPool, HubThread, Timeout, local, run, spawn, spawn_after, spawn_n, with_timeout,
};

use crate::support::{both_colours, ms};

/// No future, but what becomes one.
struct Later<T>(T);

impl<T> IntoFuture for Later<T> {
    type Output = T;
    type IntoFuture = Ready<T>;

    fn into_future(self) -> Ready<T> {
        ready(self.0)
    }
}

both_colours! {
    fn a_green_thread_runs_it() {
        let unwatched = spawn_n(Later(0));
        assert_eq!(wait!(spawn(Later(1))).unwrap(), 1);
        assert!(unwatched.dead());
        assert_eq!(wait!(spawn_after(ms(1), Later(2))).unwrap(), 2);
        assert_eq!(wait!(spawn_after_local(ms(1), Later(3))).unwrap(), 3);
    }

    fn a_limit_bounds_it() {
        assert_eq!(wait!(with_timeout(ms(1), Later(1))), Ok(1));
        assert_eq!(wait!(Timeout::new(ms(1)).run(Later(2))), Ok(2));
    }

    fn pools_and_piles_run_it() {
        let pool = GreenPool::new(2);
        assert_eq!(wait!(wait!(pool.spawn(Later(1)))).unwrap(), 1);
        wait!(pool.spawn_n(Later(())));
        let pile = GreenPile::new(pool.clone());
        wait!(pile.spawn(Later(2)));
        assert_eq!(wait!(pile.next()).unwrap().unwrap(), 2);
        let mut map = pool.imap(Later, [3]);
        assert_eq!(wait!(map.next()).unwrap().unwrap(), 3);
        let mut map = pool.starmap(|a, b| Later(a + b), [(1, 3)]);
        assert_eq!(wait!(map.next()).unwrap().unwrap(), 4);
    }

    fn items_and_values_are_made_by_it() {
        let Ok(item) = wait!(Pool::infallible(1, || Later(1)).get());
        assert_eq!(item, 1);
        let item = wait!(Pool::new(1, || Later("2".parse::<u8>())).get());
        assert_eq!(item.unwrap(), 2);
        let values = DAGPool::default();
        values.spawn("three", [], |_, _| Later(Ok(3))).unwrap();
        assert_eq!(wait!(values.wait_one("three")).unwrap(), 3);
    }
}

#[test]
fn a_hub_runs_it() {
    assert_eq!(run(Later(1)), 1);
    assert_eq!(Builder::new().run(Later(2)).unwrap(), 2);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(tokio.block_on(local(Later(3))), 3);
    assert_eq!(HubThread::start().spawn(|| Later(4)).join().unwrap(), 4);
}
