//! One port served by two hubs, on two OS threads: so N hubs use N cores.
//!
//!     cargo run --example two_hubs
//!
//! Each hub has a listener of its own, and with `reuse_port` the operating system distributes the
//! clients. Linux distributes them evenly; on systems without the option the second `listen` fails.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;

use eventlet::{GreenPool, HubThread, connect, listen, run, serve, spawn_n};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CLIENTS: u32 = 100;

/// Opens the port on this hub and serves it from now on; returns its address.
async fn start_server(address: SocketAddr, name: &'static str) -> io::Result<SocketAddr> {
    let listener = listen(address).reuse_port(true).await?;
    let address = listener.local_addr()?;
    spawn_n(serve(listener, move |client, _| answer(client, name), 1000));
    Ok(address)
}

/// Tells a client who serves it.
async fn answer(mut client: TcpStream, name: &str) -> io::Result<()> {
    client.write_all(name.as_bytes()).await
}

/// Asks the server who it is.
async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut name = String::new();
    connect(address).await?.read_to_string(&mut name).await?;
    Ok(name)
}

/// Counts how many of the clients each hub has served.
async fn count(address: SocketAddr) -> io::Result<BTreeMap<String, u32>> {
    let mut counts = BTreeMap::new();
    let mut names = GreenPool::new(10).imap(move |_| ask(address), 0..CLIENTS);
    while let Some(name) = names.next().await {
        *counts.entry(name.expect("clients do not panic")?).or_insert(0) += 1;
    }
    Ok(counts)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (first, second) = (HubThread::start(), HubThread::start());
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = first.spawn(move || start_server(any_port, "first hub")).join()??;
    second.spawn(move || start_server(address, "second hub")).join()??;

    let counts = run(count(address))?;
    for (name, clients) in &counts {
        println!("{name} served {clients} clients");
    }
    assert_eq!(counts.values().sum::<u32>(), CLIENTS);

    first.shutdown().join();
    second.shutdown().join();
    Ok(())
}
