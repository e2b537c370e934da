//! A chat over TCP, whose lines go through ZeroMQ: each client publishes its lines, and is
//! subscribed to everything.
//!
//!     cargo run -p eventlet-zmq-examples --example zmq_chat
//!     nc 127.0.0.1 3001
//!
//! A line `name: Ada` sets the client's name. Another address can be given as the argument.
//! Corresponds to eventlet's `examples/zmq_chat.py`, where the subscriptions take what was said to
//! the clients, too.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::rc::Rc;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::prelude::*;
use eventlet::stackful::{call, stackful};
use eventlet::{BoxError, run, serve, spawn, spawn_n};
use tokio::sync::Mutex;
use zeromq::prelude::*;
use zeromq::{PubSocket, SubSocket, ZmqMessage};

/// Where everything is published. Eventlet's sockets have such a lock inside.
type Publisher = Rc<Mutex<PubSocket>>;

/// Writes everything that is published.
fn subscribe(endpoint: &str, mut writer: impl Write) -> Result<(), BoxError> {
    let mut socket = SubSocket::new();
    socket.connect(endpoint).block()?;
    socket.subscribe("").block()?;
    loop {
        let [who, line] = &socket.recv().block()?.into_vec()[..] else { continue };
        let (who, line) = (String::from_utf8_lossy(who), String::from_utf8_lossy(line));
        writeln!(writer, "{who}: {line}")?;
    }
}

/// Publishes a client's lines, until it leaves.
fn read_chat(client: &TcpStream, publisher: &Publisher) -> Result<(), BoxError> {
    let mut who = "someone".to_owned();
    for line in BufReader::new(client).lines() {
        let line = line?;
        if let Some(name) = line.strip_prefix("name:") {
            who = name.trim().to_owned();
        }
        let mut message = ZmqMessage::from(who.as_str());
        message.push_back(line.into());
        publisher.lock().block().send(message).block()?;
    }
    Ok(())
}

fn chat(client: TcpStream, publisher: Publisher, endpoint: String) -> Result<(), BoxError> {
    println!("Participant joined chat.");
    let writer = client.try_clone()?;
    let heard = spawn(stackful(move || {
        // It ends with the client, as `read_chat` does, which notices first.
        let _gone = subscribe(&endpoint, writer);
    }));
    let ended = read_chat(&client, &publisher);
    heard.kill();
    println!("Participant left chat.");
    ended
}

fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3001".to_owned());
    run(stackful(move || {
        let mut publisher = PubSocket::new();
        let endpoint = publisher.bind("tcp://127.0.0.1:0").block()?.to_string();
        let publisher = Rc::new(Mutex::new(publisher));
        let server = TcpListener::bind(address)?;
        println!("listening on {}", server.local_addr()?);

        let everything = endpoint.clone();
        spawn_n(stackful(move || subscribe(&everything, std::io::stdout())));
        let handler = move |client, _| call(chat, (client, publisher.clone(), endpoint.clone()));
        Ok(serve(server, handler, 1000).block()?)
    }))
}
