//! Remote calls: many at once over one connection, done by a pool.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::green::thread::sleep;
use eventlet::prelude::*;
use eventlet::stackful::{call, stackful};
use eventlet::{Event, GreenPool, Timeout, serve, spawn, spawn_n, wait_all};

fn double(n: u64) -> u64 {
    sleep(Duration::from_millis(10));
    n * 2
}

fn square(n: u64) -> u64 {
    n * n
}

fn answer(conn: TcpStream, line: String) -> io::Result<()> {
    let words: Vec<_> = line.split(' ').collect();
    let methods = HashMap::from([("double", double as fn(u64) -> u64), ("square", square)]);
    let (number, result) = (words[0], methods[words[1]](words[2].parse().unwrap()));
    writeln!(&conn, "{number} {result}")
}

fn serve_client(conn: TcpStream) -> io::Result<()> {
    let pool = GreenPool::new(10);
    for line in BufReader::new(&conn).lines() {
        pool.spawn_n(call(answer, (conn.try_clone()?, line?))).block();
    }
    pool.waitall().block();
    Ok(())
}

struct Client {
    conn: TcpStream,
    numbers: Cell<u64>,
    pending: RefCell<HashMap<u64, Event<u64>>>,
}

impl Client {
    fn new(address: SocketAddr) -> io::Result<Rc<Client>> {
        let (numbers, pending) = (Cell::default(), RefCell::default());
        let client = Rc::new(Client { conn: TcpStream::connect(address)?, numbers, pending });
        spawn_n(call(Client::read, (client.clone(),)));
        Ok(client)
    }

    fn read(self: Rc<Client>) -> io::Result<()> {
        for line in BufReader::new(&self.conn).lines() {
            let line = line?;
            let (number, result) = line.split_once(' ').unwrap();
            let event = self.pending.borrow_mut().remove(&number.parse().unwrap());
            event.unwrap().send(result.parse().unwrap());
        }
        Ok(())
    }

    fn call(self: Rc<Client>, method: &str, argument: u64) -> io::Result<u64> {
        let (number, event) = (self.numbers.replace(self.numbers.get() + 1), Event::new());
        self.pending.borrow_mut().insert(number, event.clone());
        writeln!(&self.conn, "{number} {method} {argument}")?;
        Ok(Timeout::new(Duration::from_secs(5)).run(event.wait()).block()?.unwrap())
    }
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let address = server.local_addr()?;
        spawn_n(serve(server, |conn, _| call(serve_client, (conn,)), 1000));
        let client = Client::new(address)?;
        let slow = [0, 1, 2, 3].map(|n| spawn(call(Client::call, (client.clone(), "double", n))));
        println!("{}", client.call("square", 7)?);
        let slow: Vec<_> = wait_all(slow).block();
        println!("{:?}", slow.into_iter().map(Flat::flat).collect::<io::Result<Vec<_>>>()?);
        Ok(())
    }))
}
