//! What drives the servers: as many clients as there are connections, each with one request under
//! way.
//!
//! One thread over epoll, the same for every server, on a core of its own. A client sends its next
//! request as soon as it has the whole answer to the last one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::wire::send_as_fast_as_it_goes;
use crate::statistics::quantile;

/// What a loader does.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) opening: Opening,
    pub(crate) request: &'static [u8],
    pub(crate) answer_length: usize,
    pub(crate) connections: usize,
    /// The others have sent their only request when the measuring begins.
    pub(crate) busy: usize,
    /// Each request on a connection of its own, which its client closes.
    pub(crate) reconnect: bool,
    /// Never to sleep, as there is a core for it. Who sends to a sleeper pays for waking it: that
    /// would be the server, and the more the slower it is, as a loader that has nothing to do
    /// sleeps more.
    pub(crate) sleepless: bool,
}

/// What happens on a connection before its first request.
#[derive(Clone)]
pub(crate) enum Opening {
    Plain,
    /// A handshake of TLS with the host of that name.
    Tls(Arc<ClientConfig>, ServerName<'static>),
    /// One request, whose answer is a head alone.
    Asking(&'static [u8]),
}

/// What a client talks over.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Opening {
    /// Connects, and does what comes before the first request. The stream is still a blocking one.
    pub(crate) fn connect(&self, server: SocketAddr) -> io::Result<Stream> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        send_as_fast_as_it_goes(&stream)?;
        match self {
            Opening::Plain => {}
            Opening::Tls(config, name) => {
                let client = ClientConnection::new(Arc::clone(config), name.clone());
                let mut tls = StreamOwned::new(client.map_err(io::Error::other)?, stream);
                tls.flush()?;
                return Ok(Stream::Tls(Box::new(tls)));
            }
            Opening::Asking(request) => {
                stream.write_all(request)?;
                read_head(&mut stream)?;
            }
        }
        Ok(Stream::Plain(stream))
    }
}

/// Reads a head byte by byte, so that nothing behind it is read.
pub(crate) fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
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
    stream: Stream,
    /// When its request went out, or when it began to connect for it.
    asked: Instant,
    received: usize,
}

impl Loader {
    /// Connects all clients, and sends their first requests.
    pub(crate) fn connect(server: SocketAddr, load: Load) -> io::Result<Loader> {
        let mut loader = Loader {
            server,
            clients: Vec::with_capacity(load.connections),
            load,
            epoll: Epoll::new(EpollCreateFlags::empty())?,
            events: vec![EpollEvent::empty(); 1024],
            buffer: vec![0; 256 << 10],
            latencies: Vec::new(),
        };
        for place in 0..loader.load.connections {
            let client = loader.new_client(place)?;
            loader.clients.push(client);
        }
        for client in &mut loader.clients {
            client.ask(loader.load.request)?;
        }
        loader.hear_the_idle()?;
        Ok(loader)
    }

    /// Waits until all have their answer who send no further request.
    fn hear_the_idle(&mut self) -> io::Result<()> {
        let whole = self.load.answer_length;
        while self.clients[self.load.busy..].iter().any(|client| client.received < whole) {
            self.turn()?;
        }
        Ok(())
    }

    /// Drives the server for that long, and until there are more answers than busy clients: a
    /// shorter time would count requests that were sent, and perhaps answered, before it.
    pub(crate) fn drive(&mut self, time: Duration) -> io::Result<Seen> {
        self.latencies.clear();
        let start = Instant::now();
        while start.elapsed() < time || self.latencies.len() <= self.load.busy {
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
        // TLS may hold back more than one read gives, and epoll does not know of it.
        while client.received < self.load.answer_length {
            match client.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => client.received += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.latencies.push(client.asked.elapsed().as_secs_f64() * 1e6);
        if place >= self.load.busy {
            return Ok(());
        }
        if self.load.reconnect {
            self.clients[place] = self.new_client(place)?;
        }
        self.clients[place].ask(self.load.request)
    }

    fn new_client(&self, place: usize) -> io::Result<Client> {
        let asked = Instant::now();
        let stream = self.load.opening.connect(self.server)?;
        stream.socket().set_nonblocking(true)?;
        self.epoll.add(stream.socket(), EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
        Ok(Client { stream, asked, received: 0 })
    }
}

impl Client {
    fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        // A new connection counts from its beginning.
        if self.received > 0 {
            self.asked = Instant::now();
            self.received = 0;
        }
        // One request at a time always fits into what the system buffers.
        self.stream.write_all(request)?;
        self.stream.flush()
    }
}
