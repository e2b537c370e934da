//! Which ports are open.

use std::io;
use std::time::Duration;

use eventlet::{GreenPool, connect, listen, with_timeout};

async fn is_open(port: u16) -> bool {
    let limit = Duration::from_secs(1);
    matches!(with_timeout(limit, connect(("127.0.0.1", port))).await, Ok(Ok(_)))
}

async fn scan(ports: Vec<u16>) -> Vec<u16> {
    let pool = GreenPool::new(200);
    let up: Vec<_> = pool.imap(is_open, ports.clone()).collect().await;
    ports.into_iter().zip(up).filter_map(|(port, up)| up.ok()?.then_some(port)).collect()
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(listen("127.0.0.1:0").await?);
        }
        let expected: Vec<_> = servers.iter().map(|up| up.local_addr().unwrap().port()).collect();
        let found = scan([&expected[..], &[1, 2, 3]].concat()).await;
        println!("{} {}", found.len(), found == expected);
        Ok(())
    })
}
