//! What drives the servers: as many clients as there are connections, each with one request under way.
//!
//! One thread over epoll, the same for every server, on a core of its own. A client sends its next request
//! as soon as it has the whole answer to the last one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::wire::{Program, send_as_fast_as_it_goes};
use crate::statistics::quantile;

/// What a loader does.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) program: Program,
    pub(crate) connections: usize,
    /// Each request on a connection of its own, which its client closes.
    pub(crate) reconnect: bool,
    /// Never to sleep, as there is a core for it. Who sends to a sleeper pays for waking it: that would be the
    /// server, and the more the slower it is, as a loader that has nothing to do sleeps more.
    pub(crate) sleepless: bool,
}

/// How long the loader waits for some answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the clients saw.
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) elapsed: Duration,
    /// Microseconds.
    latencies: Vec<f64>,
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn latency(&self, part: f64) -> f64 {
        quantile(&self.latencies, part)
    }
}

pub(crate) struct Loader {
    server: SocketAddr,
    load: Load,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    latencies: Vec<f64>,
}

struct Client {
    stream: TcpStream,
    /// When its request went out, or when it began to connect for it.
    asked: Instant,
    received: usize,
}

impl Loader {
    /// Connects all clients, and sends their first requests.
    pub(crate) fn connect(server: SocketAddr, load: Load) -> io::Result<Loader> {
        let mut loader = Loader {
            server,
            load,
            epoll: Epoll::new(EpollCreateFlags::empty())?,
            events: vec![EpollEvent::empty(); 1024],
            clients: Vec::with_capacity(load.connections),
            buffer: vec![0; 256 << 10],
            latencies: Vec::new(),
        };
        for place in 0..load.connections {
            let client = loader.new_client(place)?;
            loader.clients.push(client);
        }
        for client in &mut loader.clients {
            client.ask(load.program)?;
        }
        Ok(loader)
    }

    /// Drives the server for that long, and until there are more answers than clients: a shorter time would
    /// count requests that were sent, and perhaps answered, before it.
    pub(crate) fn drive(&mut self, time: Duration) -> io::Result<Seen> {
        self.latencies.clear();
        let start = Instant::now();
        while start.elapsed() < time || self.latencies.len() <= self.clients.len() {
            self.turn()?;
        }
        let latencies = std::mem::take(&mut self.latencies);
        Ok(Seen { requests: latencies.len(), elapsed: start.elapsed(), latencies })
    }

    /// Drives the server for that long, and counts nothing.
    pub(crate) fn warm_up(&mut self, time: Duration) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            self.turn()?;
        }
        Ok(())
    }

    /// Reads what has come, and sends the next requests of those whose answer is whole.
    fn turn(&mut self) -> io::Result<()> {
        for at in 0..self.wait()? {
            self.advance(self.events[at].data() as usize)?;
        }
        Ok(())
    }

    /// Waits until something has come, and returns how many have it.
    fn wait(&mut self) -> io::Result<usize> {
        let start = Instant::now();
        let once = match self.load.sleepless {
            true => EpollTimeout::ZERO,
            false => EpollTimeout::try_from(PATIENCE).expect("ten seconds fit"),
        };
        loop {
            match self.epoll.wait(&mut self.events, once)? {
                0 if start.elapsed() < PATIENCE => {}
                0 => return Err(io::Error::new(ErrorKind::TimedOut, "no answer in ten seconds")),
                count => return Ok(count),
            }
        }
    }

    fn advance(&mut self, place: usize) -> io::Result<()> {
        let client = &mut self.clients[place];
        match client.stream.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => client.received += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        if client.received < self.load.program.answer_length() {
            return Ok(());
        }
        self.latencies.push(client.asked.elapsed().as_secs_f64() * 1e6);
        if self.load.reconnect {
            self.clients[place] = self.new_client(place)?;
        }
        self.clients[place].ask(self.load.program)
    }

    fn new_client(&self, place: usize) -> io::Result<Client> {
        let asked = Instant::now();
        let stream = TcpStream::connect(self.server)?;
        stream.set_nodelay(true)?;
        send_as_fast_as_it_goes(&stream)?;
        stream.set_nonblocking(true)?;
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
        Ok(Client { stream, asked, received: 0 })
    }
}

impl Client {
    fn ask(&mut self, program: Program) -> io::Result<()> {
        // A new connection counts from its beginning.
        if self.received > 0 {
            self.asked = Instant::now();
            self.received = 0;
        }
        // One request at a time always fits into what the system buffers.
        self.stream.write_all(program.request())
    }
}
