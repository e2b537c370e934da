//! A chat in the browser over several servers: every line is sent to the visitors of all servers.
//!
//!     cargo run -p eventlet-zmq-examples --example chat_bridge
//!     cargo run -p eventlet-zmq-examples --example distributed_websocket_chat 127.0.0.1:8095
//!     cargo run -p eventlet-zmq-examples --example distributed_websocket_chat 127.0.0.1:8096
//!
//! A visitor's lines are published to the bridge, and messages from the bridge are sent to every
//! visitor. The endpoints of another bridge can be given as the second and third argument. A
//! visitor that does not read misses lines when a hundred wait for it. Corresponds to eventlet's
//! `examples/distributed_websocket_chat.py`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::rc::Rc;

use eventlet::prelude::*;
use eventlet::stackful::stackful;
use eventlet::websocket::{Message, WebSocket, WebSocketWSGI};
use eventlet::wsgi::{self, Environ, IntoResponse};
use eventlet::{BoxError, Queue, interrupted, listen, run, spawn, spawn_n};
use tokio::sync::Mutex;
use zeromq::prelude::*;
use zeromq::{PubSocket, SubSocket};

const PAGE: &str = include_str!("../../websocket_chat.html");

/// The lines that wait for each visitor of this server.
type Visitors = Rc<RefCell<BTreeMap<u64, Queue<Message>>>>;

/// Eventlet's sockets have such a lock inside.
type Publisher = Rc<Mutex<PubSocket>>;

/// Sends every published message, from any server, to the visitors of this one.
fn hand_on(mut published: SubSocket, visitors: Visitors) -> Result<(), BoxError> {
    loop {
        let line = Message::from(String::try_from(published.recv().block()?)?);
        for visitor in visitors.borrow().values() {
            let _misses_it = visitor.put_nowait(line.clone());
        }
    }
}

/// Publishes a visitor's lines, until it leaves.
fn listen_to(ws: &WebSocket, publisher: &Publisher) -> Result<(), BoxError> {
    while let Some(message) = ws.wait().block()? {
        let line = message.as_text().unwrap_or("(bytes)").to_owned();
        publisher.lock().block().send(line.into()).block()?;
    }
    Ok(())
}

fn visit(ws: WebSocket, visitors: &Visitors, publisher: &Publisher) -> Result<(), BoxError> {
    let (sender, lines) = (ws.clone(), Queue::new(100));
    let number = visitors.borrow().last_key_value().map_or(1, |(last, _)| last + 1);
    visitors.borrow_mut().insert(number, lines.clone());
    let sending =
        spawn(stackful(move || while sender.send(lines.get().block()).block().is_ok() {}));
    let ended = listen_to(&ws, publisher);
    sending.kill();
    visitors.borrow_mut().remove(&number);
    ended
}

fn serve(address: &str, publish: &str, subscribe: &str) -> Result<(), BoxError> {
    let (mut publisher, mut published) = (PubSocket::new(), SubSocket::new());
    publisher.connect(publish).block()?;
    published.connect(subscribe).block()?;
    published.subscribe("").block()?;

    let (visitors, publisher) = (Visitors::default(), Rc::new(Mutex::new(publisher)));
    let here = visitors.clone();
    spawn_n(stackful(move || hand_on(published, here)));
    let chat = WebSocketWSGI::new(move |ws| {
        let (visitors, publisher) = (visitors.clone(), publisher.clone());
        stackful(move || visit(ws, &visitors, &publisher))
    })
    .origin_checker(|host, origin| origin == Some(&format!("http://{host}")));
    let site = move |env: Environ| {
        let response = match env.path_info().as_str() {
            "/" => (200, [("Content-Type", "text/html; charset=utf-8")], PAGE).into_response(),
            "/chat" => chat.call(&env).into_response(),
            _ => (404, "Not Found\r\n").into_response(),
        };
        async move { response }
    };
    let listener = listen(address).block()?;
    println!("listening on {}", listener.local_addr()?);
    Ok(wsgi::server(listener, site).shutdown_on(interrupted()).block()?)
}

fn main() -> Result<(), BoxError> {
    let mut arguments = env::args().skip(1);
    let mut next = move |otherwise: &str| arguments.next().unwrap_or_else(|| otherwise.to_owned());
    let address = next("127.0.0.1:8095");
    let (publish, subscribe) = (next("tcp://127.0.0.1:12345"), next("tcp://127.0.0.1:12346"));
    run(stackful(move || serve(&address, &publish, &subscribe)))
}
