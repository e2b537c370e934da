//! Sends every line of a client to all the others.
//!
//!     cargo run --release --example chat_server
//!     nc 127.0.0.1 3001
//!
//! Each client has a green thread and a short queue. A client that does not read fills its queue,
//! and is disconnected: the others neither wait for it nor keep its lines forever. Another address
//! can be given as the argument. Corresponds to eventlet's `examples/chat_server.py`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use eventlet::{Greenlet, Queue, getcurrent, listen, run, serve};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How many lines a client may be behind.
const BEHIND: usize = 100;

/// The lines that a client has not been sent yet, and the green thread that serves it.
type Member = (Queue<Rc<str>>, Greenlet);

#[derive(Clone, Default)]
struct Room(Rc<RefCell<BTreeMap<SocketAddr, Member>>>);

impl Room {
    /// Adds a client, which the calling green thread serves.
    fn join(&self, client: SocketAddr) -> Queue<Rc<str>> {
        let lines = Queue::new(BEHIND);
        self.0.borrow_mut().insert(client, (lines.clone(), getcurrent()));
        println!("{client} joined");
        lines
    }

    fn leave(&self, client: SocketAddr) -> Option<Greenlet> {
        let (_, served_by) = self.0.borrow_mut().remove(&client)?;
        println!("{client} left");
        Some(served_by)
    }

    /// Sends to the others, without waiting for any of them.
    fn tell_others(&self, speaker: SocketAddr, line: &Rc<str>) {
        let mut slow = Vec::new();
        for (client, (lines, _)) in &*self.0.borrow() {
            if *client != speaker && lines.put_nowait(Rc::clone(line)).is_err() {
                slow.push(*client);
            }
        }
        // Only now, as no client may leave during the iteration.
        for client in slow {
            if let Some(served_by) = self.leave(client) {
                served_by.kill();
            }
        }
    }
}

/// Serves one client until it hangs up. Killing this closes the connection.
async fn talk(client: TcpStream, address: SocketAddr, room: &Room) -> io::Result<()> {
    let (input, mut output) = client.into_split();
    let mut input = BufReader::new(input).lines();
    let heard = room.join(address);
    loop {
        tokio::select! {
            line = input.next_line() => match line? {
                Some(line) => room.tell_others(address, &format!("{line}\n").into()),
                None => return Ok(()),
            },
            line = heard.get() => output.write_all(line.as_bytes()).await?,
        }
    }
}

async fn chat(client: TcpStream, address: SocketAddr, room: Room) -> io::Result<()> {
    let ended = talk(client, address, &room).await;
    room.leave(address);
    ended
}

fn main() {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    run(async move {
        let server = match listen(address).await {
            Ok(server) => server,
            Err(error) => return eprintln!("{error}"),
        };
        println!("listening on {}", server.local_addr().expect("it listens"));
        let room = Room::default();
        let handler = |client, address| chat(client, address, room.clone());
        serve(server, handler, 1000).await.expect("nobody stops it");
    });
}
