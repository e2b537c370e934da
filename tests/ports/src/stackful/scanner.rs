//! Which ports are open.

use std::io;
use std::time::Duration;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::{Blocking, GreenPool, Timeout, stackful};

fn is_open(port: u16) -> bool {
    let limit = Timeout::new(Duration::from_secs(1));
    matches!(limit.run_blocking(|| TcpStream::connect(("127.0.0.1", port))), Ok(Ok(_)))
}

fn scan(ports: Vec<u16>) -> Vec<u16> {
    let pool = GreenPool::new(200);
    let up = pool.imap(|port| stackful(move || is_open(port)), ports.clone()).blocking();
    ports.into_iter().zip(up).filter_map(|(port, up)| up.ok()?.then_some(port)).collect()
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let servers = [0; 3].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let expected = servers.each_ref().map(|up| up.local_addr().unwrap().port());
        let found = scan([&expected[..], &[1, 2, 3]].concat());
        println!("{} {}", found.len(), found == expected);
        Ok(())
    }))
}
