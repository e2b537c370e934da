//! The CPU time that a TCP echo server spends on a message, beside the same server on Tokio's own
//! local tasks.
//!
//! ```text
//! cargo bench --bench echo                     1, 100 and 1,000 connections, about a minute
//! cargo bench --bench echo -- --quick          fewer rounds
//! cargo bench --bench echo -- 8000             so many: this takes 8,010 open files
//! ```
//!
//! Each contestant is a process of its own, this program started again, on one core. The loader has another
//! core, if there is one: it writes one message of 64 bytes to each connection, then reads the answer
//! of each, and so on, with plain blocking calls, so it costs less than what it measures. Before and
//! after, the server is asked for its CPU time, which a neighbour on the machine disturbs little.

mod support;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::ClockId;
use socket2::{Domain, SockRef, Socket, Type};

use support::{Arguments, Effort, cpu_time, print_head, print_row, race};

type Serve = fn(TcpListener);

/// The servers, by the names by which this program is told to be one.
const SERVERS: [(&str, Serve); 3] =
    [("tokio", on_tokio::serve), ("stackless", stackless::serve), ("stackful", stackful::serve)];

const MESSAGE: usize = 64;

/// What every server reads into.
const BUFFER: usize = 1024;

fn main() {
    let arguments = Arguments::get();
    for (name, serve) in SERVERS {
        if arguments.has(name) {
            return be_server(serve);
        }
    }
    allow_open_files();
    let (rounds, messages) = match arguments.effort() {
        Effort::Smoke => (1, 100),
        Effort::Quick => (5, 20_000),
        Effort::Full => (21, 20_000),
    };
    let mut servers = SERVERS.map(|(name, _)| Server::start(name));
    // After the servers, which would inherit it.
    pin_to(1);
    print_head("server CPU us per message (ratio)", &SERVERS.map(|(name, _)| name));
    let mut wanted: Vec<usize> = arguments.words().map(|word| word.parse().unwrap()).collect();
    if wanted.is_empty() {
        wanted = vec![1, 100, 1_000];
    }
    for connections in wanted {
        let standings = race(servers.len(), rounds, |server| {
            // Few connections wait more than they work; many need a few messages each.
            let messages = messages.clamp(4 * connections, 2_000 * connections);
            servers[server].cost_per_message(connections, messages)
        });
        print_row(&format!("{connections} connections"), &standings, 2);
    }
}

/// A server process, as the loader sees it.
struct Server {
    process: Child,
    /// A line asks for the CPU time so far.
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Server {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let address = read_line(&mut answers).parse().unwrap();
        Server { process, questions, answers, address }
    }

    /// Returns microseconds.
    fn cost_per_message(&mut self, connections: usize, messages: usize) -> f64 {
        let mut streams: Vec<_> = (0..connections).map(|_| connect(self.address)).collect();
        exchange(&mut streams);
        let before = self.cpu_nanoseconds();
        for _ in 0..messages / connections {
            exchange(&mut streams);
        }
        let spent = self.cpu_nanoseconds() - before;
        spent / 1000.0 / (messages / connections * connections) as f64
    }

    fn cpu_nanoseconds(&mut self) -> f64 {
        writeln!(self.questions).unwrap();
        read_line(&mut self.answers).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    // Closed without a trace: rounds by the dozen would use up the ports.
    SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    stream
}

/// Sends a message on each connection, and waits for all to come back.
fn exchange(streams: &mut [TcpStream]) {
    let sent = [0x5a; MESSAGE];
    for stream in streams.iter_mut() {
        stream.write_all(&sent).unwrap();
    }
    for stream in streams {
        let mut received = [0; MESSAGE];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, sent);
    }
}

fn read_line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// Runs a server until the loader goes away.
fn be_server(serve: fn(TcpListener)) {
    allow_open_files();
    pin_to(0);
    let listener = listen();
    println!("{}", listener.local_addr().unwrap());
    thread::spawn(|| {
        for _question in io::stdin().lines() {
            println!("{}", cpu_time(ClockId::ProcessCPUTime).as_nanos());
        }
        std::process::exit(0);
    });
    serve(listener);
}

/// Listens with room for everybody: where the queue is full, whoever connects waits a second or more.
fn listen() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(8192).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

/// Raises the soft limit of open files to the hard one.
fn allow_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Stays on one of the cores that this process may use, counted from the first.
fn pin_to(core: usize) {
    let allowed = sched_getaffinity(None).unwrap();
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    if let Some(core) = cores.nth(core) {
        let mut own = CpuSet::new();
        own.set(core);
        sched_setaffinity(None, &own).unwrap();
    }
}

/// The async fn of both stackless servers.
async fn echo(mut stream: tokio::net::TcpStream) -> io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

mod on_tokio {
    use std::net::TcpListener;

    use tokio::runtime::Builder;
    use tokio::task::{LocalSet, spawn_local};

    pub(crate) fn serve(listener: TcpListener) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async { spawn_local(accept(listener)).await.unwrap() });
    }

    async fn accept(listener: TcpListener) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn_local(super::echo(stream));
        }
    }
}

mod stackless {
    use std::net::TcpListener;

    pub(crate) fn serve(listener: TcpListener) {
        eventlet::run(accept(listener));
    }

    async fn accept(listener: TcpListener) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            eventlet::spawn_n(super::echo(stream));
        }
    }
}

mod stackful {
    use std::io::{self, Read, Write};
    use std::net::TcpListener;

    use eventlet::green::net::{self, TcpStream};
    use eventlet::{run, spawn_n, stackful};

    pub(crate) fn serve(listener: TcpListener) {
        run(stackful(|| accept(listener)));
    }

    fn accept(listener: TcpListener) {
        let listener = net::TcpListener::try_from(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().unwrap();
            spawn_n(stackful(|| echo(stream)));
        }
    }

    fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = [0; super::BUFFER];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                length => stream.write_all(&buffer[..length])?,
            }
        }
    }
}
