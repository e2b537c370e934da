//! Remote calls: many at once over one connection, done by a pool.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::greenio::GreenSocket;
use eventlet::prelude::*;
use eventlet::{
    Event, GreenPool, connect, listen, serve, sleep, spawn, spawn_n, wait_all, with_timeout,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

type Conn = GreenSocket<TcpStream>;

async fn double(n: u64) -> u64 {
    sleep(Duration::from_millis(10)).await;
    n * 2
}

async fn square(n: u64) -> u64 {
    n * n
}

async fn answer(mut conn: Conn, line: String) -> io::Result<()> {
    let words: Vec<_> = line.split(' ').collect();
    let (number, argument) = (words[0], words[2].parse().unwrap());
    let result = match words[1] {
        "double" => double(argument).await,
        "square" => square(argument).await,
        method => panic!("there is no method {method}"),
    };
    conn.write_all(format!("{number} {result}\n").as_bytes()).await
}

async fn serve_client(conn: Conn) -> io::Result<()> {
    let (pool, mut lines) = (GreenPool::new(10), BufReader::new(conn.clone()).lines());
    while let Some(line) = lines.next_line().await? {
        pool.spawn_n(answer(conn.clone(), line)).await;
    }
    pool.waitall().await;
    Ok(())
}

struct Client {
    conn: Conn,
    numbers: Cell<u64>,
    pending: RefCell<HashMap<u64, Event<u64>>>,
}

impl Client {
    async fn new(address: SocketAddr) -> io::Result<Rc<Client>> {
        let (numbers, pending) = (Cell::default(), RefCell::default());
        let client = Rc::new(Client { conn: connect(address).await?.into(), numbers, pending });
        spawn_n(client.clone().read());
        Ok(client)
    }

    async fn read(self: Rc<Client>) -> io::Result<()> {
        let mut lines = BufReader::new(self.conn.clone()).lines();
        while let Some(line) = lines.next_line().await? {
            let (number, result) = line.split_once(' ').unwrap();
            let event = self.pending.borrow_mut().remove(&number.parse().unwrap());
            event.unwrap().send(result.parse().unwrap());
        }
        Ok(())
    }

    async fn call(self: Rc<Client>, method: &str, argument: u64) -> io::Result<u64> {
        let (number, event) = (self.numbers.replace(self.numbers.get() + 1), Event::new());
        self.pending.borrow_mut().insert(number, event.clone());
        self.conn.clone().write_all(format!("{number} {method} {argument}\n").as_bytes()).await?;
        Ok(with_timeout(Duration::from_secs(5), event.wait()).await?.unwrap())
    }
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let server = listen("127.0.0.1:0").await?;
        let address = server.local_addr()?;
        spawn_n(serve(server, |conn, _| serve_client(conn.into()), 1000));
        let client = Client::new(address).await?;
        let slow = [0, 1, 2, 3].map(|n| spawn(client.clone().call("double", n)));
        println!("{}", client.call("square", 7).await?);
        let slow: Vec<_> = wait_all(slow).await;
        println!("{:?}", slow.into_iter().map(Flat::flat).collect::<io::Result<Vec<_>>>()?);
        Ok(())
    })
}
