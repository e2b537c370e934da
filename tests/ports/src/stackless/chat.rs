//! A chat room: what one says, the others hear.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use eventlet::greenio::GreenSocket;
use eventlet::{connect, listen, serve, spawn_n};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

type Conn = GreenSocket<TcpStream>;
type Room = Rc<RefCell<HashMap<String, Conn>>>;

async fn tell_others(room: &Room, speaker: &str, text: &str) {
    let all = room.borrow().clone();
    for (name, mut conn) in all {
        if name != speaker {
            let _gone = conn.write_all(format!("{text}\n").as_bytes()).await;
        }
    }
}

async fn chat(mut conn: Conn, room: Room) -> io::Result<()> {
    let mut lines = BufReader::new(conn.clone()).lines();
    let name = lines.next_line().await?.unwrap_or_default();
    room.borrow_mut().insert(name.clone(), conn.clone());
    conn.write_all(b"welcome\n").await?;
    tell_others(&room, &name, &format!("{name} has joined")).await;
    while let Ok(Some(line)) = lines.next_line().await {
        tell_others(&room, &name, &format!("{name}: {line}")).await;
    }
    room.borrow_mut().remove(&name);
    tell_others(&room, &name, &format!("{name} has left")).await;
    Ok(())
}

async fn join(address: SocketAddr, name: &str) -> io::Result<(Conn, Lines<BufReader<Conn>>)> {
    let mut conn = GreenSocket::new(connect(address).await?);
    conn.write_all(format!("{name}\n").as_bytes()).await?;
    let mut lines = BufReader::new(conn.clone()).lines();
    lines.next_line().await?;
    Ok((conn, lines))
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let (server, room) = (listen("127.0.0.1:0").await?, Room::default());
        let address = server.local_addr()?;
        spawn_n(serve(server, move |conn, _| chat(conn.into(), room.clone()), 1000));
        let (mut ann, mut heard) = join(address, "Ann").await?;
        let (mut bob, mut answers) = join(address, "Bob").await?;
        bob.write_all(b"hello\n").await?;
        println!("{}", heard.next_line().await?.unwrap());
        println!("{}", heard.next_line().await?.unwrap());
        ann.write_all(b"good morning\n").await?;
        println!("{}", answers.next_line().await?.unwrap());
        ann.shutdown().await?;
        println!("{}", answers.next_line().await?.unwrap());
        Ok(())
    })
}
