//! A chat room: what one says, the others hear.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::stackful::{call, stackful};
use eventlet::{serve, spawn_n};

type Room = Rc<RefCell<HashMap<String, Rc<TcpStream>>>>;

fn tell_others(room: &Room, speaker: &str, text: &str) {
    let all = room.borrow().clone();
    for (name, conn) in all {
        if name != speaker {
            let _gone = writeln!(&*conn, "{text}");
        }
    }
}

fn chat(conn: Rc<TcpStream>, room: Room) -> io::Result<()> {
    let mut lines = BufReader::new(&*conn).lines();
    let name = lines.next().unwrap_or(Ok(String::new()))?;
    room.borrow_mut().insert(name.clone(), conn.clone());
    writeln!(&*conn, "welcome")?;
    tell_others(&room, &name, &format!("{name} has joined"));
    for line in lines.map_while(Result::ok) {
        tell_others(&room, &name, &format!("{name}: {line}"));
    }
    room.borrow_mut().remove(&name);
    tell_others(&room, &name, &format!("{name} has left"));
    Ok(())
}

fn join(
    address: SocketAddr,
    name: &str,
) -> io::Result<(TcpStream, impl Iterator<Item = io::Result<String>>)> {
    let conn = TcpStream::connect(address)?;
    writeln!(&conn, "{name}")?;
    let mut lines = BufReader::new(conn.try_clone()?).lines();
    lines.next().transpose()?;
    Ok((conn, lines))
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let (server, room) = (TcpListener::bind("127.0.0.1:0")?, Room::default());
        let address = server.local_addr()?;
        spawn_n(serve(server, move |conn, _| call(chat, (conn.into(), room.clone())), 1000));
        let (ann, mut heard) = join(address, "Ann")?;
        let (bob, mut answers) = join(address, "Bob")?;
        writeln!(&bob, "hello")?;
        println!("{}", heard.next().unwrap()?);
        println!("{}", heard.next().unwrap()?);
        writeln!(&ann, "good morning")?;
        println!("{}", answers.next().unwrap()?);
        ann.shutdown(Shutdown::Write)?;
        println!("{}", answers.next().unwrap()?);
        Ok(())
    }))
}
