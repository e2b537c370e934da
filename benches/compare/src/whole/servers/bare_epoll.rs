//! A loop over epoll with a state machine for each connection: what a server costs with nothing
//! above the system.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::whole::wire::{BUFFER, CHUNK, CHUNKS, Program, RESPONSE, head_length};

/// The number by which epoll calls the listener; connections count from 0.
const LISTENER: u64 = u64::MAX;

pub(crate) fn serve(listener: TcpListener, program: Program) -> io::Result<()> {
    Server {
        epoll: Epoll::new(EpollCreateFlags::empty())?,
        program,
        connections: Vec::new(),
        free: Vec::new(),
    }
    .run(listener)
}

struct Server {
    epoll: Epoll,
    program: Program,
    connections: Vec<Option<Connection>>,
    /// Places in `connections` that nobody has.
    free: Vec<usize>,
}

impl Server {
    fn run(mut self, listener: TcpListener) -> io::Result<()> {
        self.epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        let mut events = vec![EpollEvent::empty(); 1024];
        loop {
            let count = self.epoll.wait(&mut events, EpollTimeout::NONE)?;
            for event in &events[..count] {
                match event.data() {
                    LISTENER => self.accept(&listener)?,
                    place => self.advance(place as usize)?,
                }
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let place = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
        self.connections[place] = Some(Connection::new(stream, self.program));
        Ok(())
    }

    fn advance(&mut self, place: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[place] else { return Ok(()) };
        let before = connection.wants;
        match connection.advance() {
            Ok(true) if connection.wants == before => {}
            Ok(true) => {
                let mut event = EpollEvent::new(connection.wants, place as u64);
                self.epoll.modify(&connection.stream, &mut event)?;
            }
            Ok(false) | Err(_) => {
                self.connections[place] = None;
                self.free.push(place);
            }
        }
        Ok(())
    }
}

struct Connection {
    stream: TcpStream,
    program: Program,
    buffer: [u8; BUFFER],
    filled: usize,
    /// How much of the answers is still to be written.
    owed: usize,
    wants: EpollFlags,
}

impl Connection {
    fn new(stream: TcpStream, program: Program) -> Connection {
        let wants = EpollFlags::EPOLLIN;
        Connection { stream, program, buffer: [0; BUFFER], filled: 0, owed: 0, wants }
    }

    /// Returns false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if self.owed == 0 {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Ok(false),
                Ok(length) => self.received(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.wants = if self.write()? { EpollFlags::EPOLLIN } else { EpollFlags::EPOLLOUT };
        Ok(true)
    }

    fn received(&mut self, length: usize) {
        match self.program {
            Program::Echo => (self.filled, self.owed) = (length, length),
            Program::Stream => self.owed = length * CHUNKS * CHUNK.len(),
            Program::Http => {
                self.filled += length;
                while let Some(head) = head_length(&self.buffer[..self.filled]) {
                    self.buffer.copy_within(head..self.filled, 0);
                    self.filled -= head;
                    self.owed += RESPONSE.len();
                }
            }
        }
    }

    /// Writes until nothing is owed, or until the system takes no more: then it returns false.
    fn write(&mut self) -> io::Result<bool> {
        while self.owed > 0 {
            let answer = match self.program {
                Program::Echo => &self.buffer[..self.filled],
                Program::Http => RESPONSE,
                Program::Stream => &CHUNK[..],
            };
            let rest = (self.owed - 1) % answer.len() + 1;
            match self.stream.write(&answer[answer.len() - rest..]) {
                Ok(length) => self.owed -= length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.program == Program::Echo {
            self.filled = 0;
        }
        Ok(true)
    }
}
