//! A chat in the browser: every line is sent to all visitors.
//!
//! ```sh
//! cargo run --features websocket --example websocket_chat
//! ```
//!
//! Open <http://127.0.0.1:8094/> in two windows. Two green threads share each socket: the handler
//! waits for what its visitor says, and a second one sends what the others say. A visitor that does
//! not read delays no other: it is disconnected when a hundred lines wait for it.
//!
//! It serves until Ctrl-C or SIGTERM, and then says goodbye to its visitors.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env::args;
use std::io;
use std::rc::Rc;

use eventlet::websocket::{Message, WebSocket, WebSocketWSGI};
use eventlet::wsgi::{self, Environ, IntoResponse};
use eventlet::{Queue, interrupted, listen, run, spawn, spawn_n};

const PAGE: &str = include_str!("websocket_chat.html");

/// How many lines may wait for one visitor.
const PATIENCE: usize = 100;

/// Who is here.
#[derive(Clone, Default)]
struct Room(Rc<RefCell<BTreeMap<u64, Visitor>>>);

/// A visitor, and the lines that wait for it.
struct Visitor {
    ws: WebSocket,
    lines: Queue<Message>,
}

impl Room {
    fn enter(&self, ws: WebSocket) -> (u64, Queue<Message>) {
        let lines = Queue::new(PATIENCE);
        let mut room = self.0.borrow_mut();
        let number = room.last_key_value().map_or(1, |(last, _)| last + 1);
        room.insert(number, Visitor { ws, lines: lines.clone() });
        (number, lines)
    }

    fn leave(&self, number: u64) {
        self.0.borrow_mut().remove(&number);
    }

    /// Puts a line into every visitor's queue. A visitor whose queue is full is disconnected.
    fn say(&self, line: String) {
        let line = Message::from(line);
        self.0.borrow_mut().retain(|_, visitor| {
            let has_room = visitor.lines.put_nowait(line.clone()).is_ok();
            if !has_room {
                let ws = visitor.ws.clone();
                spawn_n(async move { ws.close((1008, "too slow")).await });
            }
            has_room
        });
    }
}

async fn visit(ws: WebSocket, room: Room) -> io::Result<()> {
    let (number, lines) = room.enter(ws.clone());
    let sender = ws.clone();
    let sending = spawn(async move {
        loop {
            if sender.send(lines.get().await).await.is_err() {
                return;
            }
        }
    });
    room.say(format!("visitor {number} has come"));
    let outcome = listen_to(&ws, number, &room).await;
    sending.kill();
    room.leave(number);
    room.say(format!("visitor {number} has gone"));
    outcome
}

/// Sends a visitor's lines to all, until there are no more.
async fn listen_to(ws: &WebSocket, number: u64, room: &Room) -> io::Result<()> {
    while let Some(message) = ws.wait().await? {
        room.say(format!("{number}: {}", message.as_text().unwrap_or("(bytes)")));
    }
    Ok(())
}

fn main() -> io::Result<()> {
    run(async {
        let room = Room::default();
        let chat = WebSocketWSGI::new(move |ws| visit(ws, room.clone()))
            .max_frame_length(4096)
            .origin_checker(|host, origin| origin == Some(&format!("http://{host}")));
        let site = move |env: Environ| {
            let response = match env.path_info().as_str() {
                "/" => (200, [("Content-Type", "text/html; charset=utf-8")], PAGE).into_response(),
                "/chat" => chat.call(&env).into_response(),
                _ => (404, "Not Found\r\n").into_response(),
            };
            async move { response }
        };
        let address = args().nth(1).unwrap_or("127.0.0.1:8094".to_owned());
        let listener = listen(address.as_str()).await?;
        println!("listening on {}", listener.local_addr()?);
        wsgi::server(listener, site).shutdown_on(interrupted()).await
    })
}
