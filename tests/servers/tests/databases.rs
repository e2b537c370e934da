//! `db_pool` with real databases: PostgreSQL and Redis, which the tests start where they are
//! installed, and SQLite.

use std::future::pending;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bb8_postgres::PostgresConnectionManager;
use deadpool_postgres::ClientWrapper;
use eventlet::db_pool::{Bb8, Cleaned, ConnectionPool, Database, Deadpool, Tpooled};
use eventlet::green::net::TcpStream;
use eventlet::{Block, GreenPool, run, sleep, spawn, stackful};
use eventlet_servers::{Postgres, Redis, TempDir};
use redis::AsyncCommands;
use tokio::sync::Notify;
use tokio_postgres::{Client, Config, NoTls};

/// What a program would write for tokio-postgres.
struct AsyncPostgres(Config);

impl Database for AsyncPostgres {
    type Connection = Client;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.0.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn cleanup(&self, client: &mut Client) -> Result<(), tokio_postgres::Error> {
        client.batch_execute("rollback").await
    }

    fn cleans(&self) -> bool {
        true
    }

    async fn check(&self, client: &mut Client) -> Result<(), tokio_postgres::Error> {
        client.batch_execute("select 1").await
    }

    fn is_broken(&self, client: &mut Client) -> bool {
        client.is_closed()
    }
}

fn config(server: &Postgres) -> Config {
    server.config().parse().unwrap()
}

fn pool(server: &Postgres) -> ConnectionPool<AsyncPostgres> {
    ConnectionPool::new(AsyncPostgres(config(server))).max_size(1)
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

const PID: &str = "select pg_backend_pid()::bigint";

/// How a borrower ends in the middle of a transaction.
#[derive(Clone, Copy, Debug)]
enum End {
    IsKilled,
    GivesUp,
    Panics,
}

/// What the next in the queue gets.
#[derive(Debug, PartialEq)]
enum Next {
    SameConnection,
    OtherConnection,
    TransactionOfAnother,
}

/// Ends a borrower who has inserted into a table and not committed, while another waits for the
/// connection.
async fn next_after<D: Database>(
    end: End,
    pool: &ConnectionPool<D>,
    client: fn(&D::Connection) -> &Client,
) -> Next {
    static TABLES: AtomicU32 = AtomicU32::new(0);

    let table = format!("things_{}", TABLES.fetch_add(1, Ordering::Relaxed));
    let first = pool.get().await.ok().unwrap();
    let create = format!("create table {table} (name text)");
    client(&first).batch_execute(&create).await.unwrap();
    let pid = number(client(&first), PID).await;
    first.put().await;

    let (inner, insert) = (pool.clone(), format!("begin; insert into {table} values ('lost')"));
    let now = Rc::new(Notify::new());
    let (is_begun, told) = (Rc::new(Notify::new()), Rc::clone(&now));
    let begun = Rc::clone(&is_begun);
    let victim = spawn(async move {
        let transaction = async move {
            let connection = inner.get().await.ok().unwrap();
            client(&connection).batch_execute(&insert).await.unwrap();
            begun.notify_one();
            pending::<()>().await;
            drop(connection);
        };
        tokio::select! {
            () = transaction => {}
            () = told.notified() => assert!(matches!(end, End::GivesUp), "it panics"),
        }
    });
    is_begun.notified().await;
    let inner = pool.clone();
    let count = format!("select count(*) from {table}");
    let next = spawn(async move {
        let connection = inner.get().await.ok().unwrap();
        let found =
            (number(client(&connection), PID).await, number(client(&connection), &count).await);
        connection.put().await;
        found
    });
    while pool.waiting() == 0 {
        sleep(Duration::ZERO).await;
    }
    match end {
        End::IsKilled => victim.kill(),
        End::GivesUp | End::Panics => now.notify_one(),
    }
    match next.await.unwrap() {
        (_, 1..) => Next::TransactionOfAnother,
        (same, _) if same == pid => Next::SameConnection,
        _ => Next::OtherConnection,
    }
}

const ENDS: [End; 3] = [End::IsKilled, End::GivesUp, End::Panics];

#[test]
fn postgres_nobody_meets_the_transaction_of_another() {
    let Some(server) = Postgres::start() else { return };
    run(async move {
        let pool = pool(&server);
        for end in ENDS {
            let next = next_after(end, &pool, |client| client).await;
            assert_eq!(next, Next::SameConnection, "{end:?}");
        }
        assert_eq!(pool.stats().connected, 1);
    });
}

/// Managers for other pools do not roll back: their connections are closed, or one says how.
#[test]
fn postgres_nobody_meets_the_transaction_of_another_by_managers_for_other_pools() {
    let Some(server) = Postgres::start() else { return };
    run(async move {
        let bb8 = || Bb8(PostgresConnectionManager::new(config(&server), NoTls));
        let deadpool = || Deadpool(deadpool_postgres::Manager::new(config(&server), NoTls));
        for end in ENDS {
            let pool = ConnectionPool::new(bb8()).max_size(1);
            assert_eq!(next_after(end, &pool, |client| client).await, Next::OtherConnection);
            let pool = ConnectionPool::new(deadpool()).max_size(1);
            assert_eq!(next_after(end, &pool, |client| client).await, Next::OtherConnection);

            let rollback = async |client: &mut Client| client.batch_execute("rollback").await;
            let pool = ConnectionPool::new(Cleaned::new(bb8(), rollback)).max_size(1);
            assert_eq!(next_after(end, &pool, |client| client).await, Next::SameConnection);
            let rollback =
                async |client: &mut ClientWrapper| Ok(client.batch_execute("rollback").await?);
            let pool = ConnectionPool::new(Cleaned::new(deadpool(), rollback)).max_size(1);
            assert_eq!(next_after(end, &pool, |client| client).await, Next::SameConnection);
        }
    });
}

#[test]
fn postgres_a_connection_that_is_busy_for_too_long_is_closed() {
    let Some(server) = Postgres::start() else { return };
    run(async move {
        let pool = pool(&server).connect_timeout(Duration::from_secs(2));
        let (tell, told) = tokio::sync::oneshot::channel();
        let inner = pool.clone();
        let victim = spawn(async move {
            let connection = inner.get().await.unwrap();
            tell.send(number(&connection, PID).await).unwrap();
            connection.batch_execute("select pg_sleep(600)").await
        });
        let pid = told.await.unwrap();
        sleep(Duration::ZERO).await;
        victim.kill();
        let connection = pool.get().await.unwrap();
        assert_ne!(number(&connection, PID).await, pid);
    });
}

#[test]
fn postgres_a_connection_that_the_server_closed_is_replaced_on_a_green_stack() {
    let Some(server) = Postgres::start() else { return };
    run(stackful(move || {
        let pool = pool(&server).max_size(2);
        let (one, other) = (pool.get().block().unwrap(), pool.get().block().unwrap());
        let pid = number(&one, PID).block();
        one.put().block();
        let sql = format!("select pg_terminate_backend({pid}, 60000)::int::bigint");
        assert_eq!(number(&other, &sql).block(), 1);
        let one = pool.get().block().unwrap();
        assert_ne!(number(&one, PID).block(), pid);
        assert_eq!(pool.stats().broken, 1);
    }));
}

#[test]
fn postgres_a_blocking_driver_in_os_threads() {
    let Some(server) = Postgres::start() else { return };
    let config: postgres::Config = server.config().parse().unwrap();
    let database = Tpooled::new(move || config.connect(NoTls))
        .cleanup(|connection| connection.batch_execute("rollback"))
        .check(|connection| connection.is_valid(Duration::from_secs(5)));
    let pool = ConnectionPool::new(database).max_size(1);
    run(async move {
        let first = pool.get().await.unwrap();
        first
            .call(|client| client.batch_execute("create table blocking (name text)"))
            .await
            .unwrap();
        let sql = "begin; insert into blocking values ('lost')";
        first.call(move |client| client.batch_execute(sql)).await.unwrap();
        let victim = spawn(async move {
            let sleeping = first.call(|client| client.batch_execute("select pg_sleep(0.1)"));
            sleeping.await.unwrap();
        });
        sleep(Duration::ZERO).await;
        victim.kill();

        let count = "select count(*) from blocking";
        let green = stackful(move || {
            let next = pool.get().block().unwrap();
            let rows = next.call(move |client| client.query_one(count, &[]).unwrap().get(0));
            (rows.block(), pool.stats().connected)
        });
        assert_eq!(green.await, (0_i64, 1));
    });
}

#[test]
fn redis_a_few_connections_for_many_green_threads() {
    let Some(server) = Redis::start() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let connect = move || {
        let client = client.clone();
        async move { client.get_multiplexed_async_connection().await }
    };
    run(async move {
        let pool = ConnectionPool::new(connect).max_size(4);
        let green_threads = GreenPool::new(50);
        for _ in 0..200 {
            let pool = pool.clone();
            let count = async move {
                let mut connection = pool.get().await.unwrap();
                let _: i64 = connection.incr("counted", 1).await.unwrap();
                connection.put().await;
            };
            green_threads.spawn_n(count).await;
        }
        green_threads.waitall().await;
        let count: i64 = pool.get().await.unwrap().get("counted").await.unwrap();
        assert_eq!((count, pool.stats().connected), (200, 4));
    });
}

#[test]
fn redis_by_its_manager_for_bb8_on_a_green_stack() {
    let Some(server) = Redis::start() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    run(stackful(move || {
        let pool = ConnectionPool::new(Bb8(client)).max_size(1);
        let mut connection = pool.get().block().unwrap();
        let () = connection.set("name", "eventlet").block().unwrap();
        connection.put().block();
        let name: String = pool.get().block().unwrap().get("name").block().unwrap();
        assert_eq!((name.as_str(), pool.stats().connected), ("eventlet", 1));
    }));
}

/// Nobody can tell how much of an answer was read: it is closed.
#[test]
fn redis_a_killed_borrower_leaves_no_answer_to_the_next() {
    let Some(server) = Redis::start() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    run(async move {
        let pool = ConnectionPool::new(Bb8(client)).max_size(1);
        let inner = pool.clone();
        let (tell, told) = tokio::sync::oneshot::channel();
        let victim = spawn(async move {
            let mut connection = inner.get().await.unwrap();
            tell.send(()).unwrap();
            let _: () = connection.blpop("never", 0.0).await.unwrap();
        });
        told.await.unwrap();
        sleep(Duration::ZERO).await;
        victim.kill();
        let mut connection = pool.get().await.unwrap();
        let () = connection.set("name", "mine").await.unwrap();
        let name: String = connection.get("name").await.unwrap();
        assert_eq!((name.as_str(), pool.stats().connected), ("mine", 2));
    });
}

/// A driver that knows nothing of green threads, but for the sockets that it uses.
#[test]
fn redis_by_a_blocking_driver_on_green_stacks() {
    let Some(server) = Redis::start() else { return };
    let port = server.port();
    let connect = move || stackful(move || TcpStream::connect(("127.0.0.1", port)));
    let pool = ConnectionPool::new(connect).max_size(2);
    run(async move {
        let count = || {
            let pool = pool.clone();
            stackful(move || {
                let mut connection = pool.get().block().unwrap();
                connection.write_all(b"INCR blocking\r\n").unwrap();
                let mut answer = [0; 4];
                connection.read_exact(&mut answer).unwrap();
                connection.put().block();
                answer
            })
        };
        let counted: Vec<_> = (0..9).map(|_| spawn(count())).collect();
        let mut answers: Vec<Vec<u8>> = Vec::new();
        for counted in counted {
            answers.push(counted.await.unwrap().to_vec());
        }
        answers.sort_unstable();
        let expected: Vec<_> =
            (1..=9).map(|number| format!(":{number}\r\n").into_bytes()).collect();
        assert_eq!(answers, expected);
        assert_eq!(pool.stats().connected, 2);
    });
}

#[test]
fn sqlite_in_os_threads() {
    let folder = TempDir::new();
    let path = folder.path().join("things.db");
    let database = Tpooled::new(move || rusqlite::Connection::open(&path)).cleanup(|connection| {
        let rollback = if connection.is_autocommit() { "" } else { "rollback" };
        connection.execute_batch(rollback)
    });
    let pool = ConnectionPool::new(database).max_size(1);
    run(async move {
        let first = pool.get().await.unwrap();
        let sql = "create table things (name text); begin; insert into things values ('lost')";
        first.call(move |connection| connection.execute_batch(sql)).await.unwrap();
        let victim = spawn(async move {
            let _held = first;
            pending::<()>().await;
        });
        sleep(Duration::ZERO).await;
        victim.kill();
        let next = pool.get().await.unwrap();
        let sql = "select count(*) from things";
        let count = next.call(move |connection| connection.query_row(sql, [], |row| row.get(0)));
        assert_eq!((count.await, pool.stats().connected), (Ok(0_i64), 1));
    });
}
