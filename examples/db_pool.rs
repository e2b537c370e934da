//! A hundred green threads of both colours move money between accounts, over four connections to
//! PostgreSQL; one of them is killed in the middle of a transaction. A pool of connections to Redis
//! counts what they do.
//!
//! It starts both servers itself, and says so if they are not installed.
//!
//! ```sh
//! cargo run -p eventlet-servers --example db_pool
//! ```

use std::error::Error;
use std::time::Duration;

use eventlet::db_pool::{Bb8, Cleaned, ConnectionPool, Database};
use eventlet::{Block, GreenPool, sleep, spawn, stackful};
use eventlet_servers::{Postgres, Redis};
use redis::AsyncCommands;
use tokio_postgres::{Client, Config, NoTls};

/// Everything that the pool has to know of PostgreSQL.
struct Accounts(Config);

impl Database for Accounts {
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

    fn is_broken(&self, client: &mut Client) -> bool {
        client.is_closed()
    }
}

async fn take(client: &Client, account: i32) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("begin").await?;
    let sql = "update accounts set money = money - 1 where id = $1";
    client.execute(sql, &[&account]).await.map(drop)
}

async fn give(client: &Client, account: i32) -> Result<(), tokio_postgres::Error> {
    let sql = "update accounts set money = money + 1 where id = $1";
    client.execute(sql, &[&account]).await?;
    client.batch_execute("commit").await
}

async fn work(postgres: &Postgres, redis: &Redis) -> Result<(), Box<dyn Error>> {
    let accounts = ConnectionPool::new(Accounts(postgres.config().parse()?)).max_size(4);
    let counters = Bb8(redis::Client::open(redis.url())?);
    // A Redis command leaves no transaction behind.
    let counters = ConnectionPool::new(Cleaned::new(counters, async |_: &mut _| Ok(())));

    let client = accounts.get().await?;
    let sql = "create table accounts as select id, 100 as money from generate_series(0, 9) id";
    client.batch_execute(sql).await?;
    client.put().await;

    let robber = accounts.clone();
    let robber = spawn(async move {
        let client = robber.get().await.unwrap();
        take(&client, 0).await.unwrap();
        std::future::pending::<()>().await;
    });
    sleep(Duration::from_millis(100)).await;
    robber.kill();

    let crowd = GreenPool::new(100);
    for number in 0..100 {
        let (accounts, counters) = (accounts.clone(), counters.clone());
        let (from, to) = (number % 10, 9 - number % 10);
        if number % 2 == 0 {
            let stackless = async move {
                let client = accounts.get().await.unwrap();
                take(&client, from.min(to)).await.unwrap();
                give(&client, from.max(to)).await.unwrap();
                let _: i64 = counters.get().await.unwrap().incr("moved", 1).await.unwrap();
            };
            crowd.spawn_n(stackless).await;
        } else {
            let on_a_stack = stackful(move || {
                let client = accounts.get().block().unwrap();
                take(&client, from.min(to)).block().unwrap();
                give(&client, from.max(to)).block().unwrap();
                let _: i64 = counters.get().block().unwrap().incr("moved", 1).block().unwrap();
            });
            crowd.spawn_n(on_a_stack).await;
        }
    }
    crowd.waitall().await;

    let sum = "select sum(money) from accounts";
    let sum: i64 = accounts.get().await?.query_one(sum, &[]).await?.get(0);
    let moved: u32 = counters.get().await?.get("moved").await?;
    println!("{moved} times money was moved, {sum} is there: {:?}", accounts.stats());
    assert_eq!((moved, sum), (100, 1000));
    Ok(())
}

fn main() {
    let (Some(postgres), Some(redis)) = (Postgres::start(), Redis::start()) else {
        println!("this example needs PostgreSQL and Redis, which are not installed");
        return;
    };
    eventlet::run(async move { work(&postgres, &redis).await.unwrap() });
}
