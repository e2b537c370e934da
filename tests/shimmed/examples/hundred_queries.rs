//! A hundred queries at a time by `mysql`, a synchronous crate that knows nothing of green threads,
//! on one OS thread.
//!
//! ```sh
//! cargo run -p eventlet-shimmed --example hundred_queries
//! cargo run -p eventlet-shimmed --example hundred_queries -- mysql://user@host/database
//! ```
//!
//! Without a server's URL it starts a MariaDB of its own, where that is installed.

use std::env;
use std::time::Instant;

use eventlet::{Block, spawn, stackful};
use eventlet_servers::Mariadb;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts};

/// What takes the server a tenth of a second.
fn slow_query(server: &Opts, number: u32) -> Result<u32, mysql::Error> {
    let mut connection = Conn::new(server.clone())?;
    let answer = connection.query_first(format!("select {number} + sleep(0.1)"))?;
    Ok(answer.expect("it has one row"))
}

fn main() {
    let given = env::args().nth(1);
    let own = if given.is_none() { Mariadb::start() } else { None };
    let Some(url) = given.or_else(|| own.as_ref().map(Mariadb::url)) else { return };
    let server = Opts::from_url(&url).expect("the URL of a server");

    eventlet_shim::monkey_patch();
    eventlet::run(stackful(move || {
        let start = Instant::now();
        let ask = |number| {
            let server = server.clone();
            spawn(stackful(move || slow_query(&server, number)))
        };
        let asked: Vec<_> = (0..100).map(ask).collect();
        let answers = asked.into_iter().map(|one| one.block().expect("no panic"));
        let sum: u32 = answers.map(|answer| answer.expect("an answer")).sum();
        assert_eq!(sum, 4950);
        println!("100 queries of 100 ms each took {} ms", start.elapsed().as_millis());
    }));
}
