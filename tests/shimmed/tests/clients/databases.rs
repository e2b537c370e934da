//! Drivers of databases. The servers are started here, where they are installed.

use eventlet::{Block, tpool};
use eventlet_servers::{Mariadb, Postgres, Redis};
use mysql::prelude::Queryable;
use postgres::NoTls;

use crate::{WAIT, crowd, run};

#[test]
fn redis_waits_for_a_hundred_lists_at_once() {
    let Some(server) = Redis::start() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    run(move || {
        let popped = crowd("BLPOP of 500 ms by `redis`", 100, move |_| {
            let mut connection = client.get_connection().unwrap();
            let pop = redis::cmd("BLPOP").arg("empty").arg(WAIT.as_secs_f64()).to_owned();
            pop.query::<Option<Vec<String>>>(&mut connection).unwrap()
        });
        assert!(popped.iter().all(Option::is_none));
    });
}

#[test]
fn mysql_sleeps_a_hundred_times_at_once() {
    let Some(server) = Mariadb::start() else { return };
    let options = mysql::Opts::from_url(&server.url()).unwrap();
    run(move || {
        let slept = crowd("select sleep(0.5) by `mysql`", 100, move |number| {
            let mut connection = mysql::Conn::new(options.clone()).unwrap();
            let query = format!("select {number} + sleep({})", WAIT.as_secs_f64());
            connection.query_first::<u32, _>(query).unwrap().unwrap()
        });
        assert_eq!(slept, (0..100).collect::<Vec<u32>>());
    });
}

/// One pool of connections, which is a mutex and a condition variable of `std`, for all.
#[test]
fn mysql_lends_ten_connections_to_fifty() {
    let Some(server) = Mariadb::start() else { return };
    let options = mysql::Opts::from_url(&server.url()).unwrap();
    let few =
        mysql::PoolOpts::default().with_constraints(mysql::PoolConstraints::new_const::<0, 10>());
    let options = mysql::OptsBuilder::from_opts(options).pool_opts(few);
    run(move || {
        let pool = mysql::Pool::new(options).unwrap();
        crowd("select sleep(0.5) by ten of `mysql`", 50, move |_| {
            let mut connection = pool.get_conn().unwrap();
            connection.query_drop("select sleep(0.5)").unwrap();
        });
    });
}

/// The crate has a runtime of Tokio inside.
#[test]
fn postgres_works_in_os_threads_of_tpool() {
    let Some(server) = Postgres::start() else { return };
    let config: postgres::Config = server.config().parse().unwrap();
    run(move || {
        tpool::set_num_threads(50);
        crowd("select pg_sleep(0.5) by `postgres` in `tpool`", 50, move |_| {
            let config = config.clone();
            let query = move || {
                let mut client = config.connect(NoTls).unwrap();
                client.batch_execute("select pg_sleep(0.5)").unwrap();
            };
            tpool::execute(query).block();
        });
    });
}

/// Tokio notes in the OS thread that it has a runtime already, and no other may begin.
#[test]
fn postgres_on_a_green_stack_is_refused_by_tokio() {
    let Some(server) = Postgres::start() else { return };
    let config: postgres::Config = server.config().parse().unwrap();
    run(move || {
        let green = eventlet::spawn(eventlet::stackful(move || config.connect(NoTls).is_ok()));
        let why = green.block().unwrap_err().to_string();
        assert!(why.contains("Cannot start a runtime from within a runtime"), "{why}");
    });
}
