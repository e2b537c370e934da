//! Look-ups of unmodified code ask `greendns::Resolver`, where the hub has that: a hundred at once,
//! and no OS thread but the hub's. The name server is a green thread of the same hub.

#![allow(unsafe_code)]

#[path = "../../../servers/tests/greendns/name_server.rs"]
#[allow(dead_code, reason = "the tests of `greendns` use the rest")]
mod name_server;

use std::ffi::{CString, c_int};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::greendns::{Config, Resolver};
use eventlet::runtime::Builder;
use eventlet::{Block, GreenThread, Timeout, spawn, spawn_n, stackful};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use name_server::{Asked, address, empty, serve_udp};

const CLIENTS: usize = 100;

/// Runs a test on a green stack of a hub whose resolver asks a server of its own. That answers for
/// all that begins with `here`, has nothing that begins with `no`, and is silent otherwise.
fn run(test: impl FnOnce(Asked) + 'static) {
    eventlet_shim::monkey_patch();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut config = Config::parse("");
    config.name_servers = vec![socket.local_addr().unwrap()];
    config.timeout = Duration::from_secs(60);
    config.hosts = PathBuf::from("/nonexistent/hosts");
    let main = async move {
        let (socket, asked) = (tokio::net::UdpSocket::from_std(socket).unwrap(), Asked::default());
        spawn_n(serve_udp(socket, Rc::new(answer), Rc::clone(&asked), Rc::default()));
        stackful(move || test(asked)).await;
    };
    Builder::new().resolver(Resolver::new(config)).run(main).unwrap();
    assert_eq!(threads_for_names(), 0);
}

fn answer(request: &Message, _by_tcp: bool) -> Vec<Message> {
    let query = &request.queries()[0];
    match query.name().to_ascii().get(..2) {
        Some("he") if query.query_type() == RecordType::A => {
            vec![address(request, Ipv4Addr::LOCALHOST)]
        }
        Some("he") => vec![empty(request, ResponseCode::NoError)],
        Some("no") => vec![empty(request, ResponseCode::NXDomain)],
        _ => Vec::new(),
    }
}

/// Returns how many OS threads there are in which eventlet makes calls that block.
fn threads_for_names() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = threads.map(|thread| fs::read(thread.path().join("comm")).unwrap_or_default());
    names.filter(|name| name.starts_with(b"eventlet-")).count()
}

fn each<T: 'static>(client: impl Fn(usize) -> T + Clone + 'static) -> Vec<T> {
    let start = |number| {
        let client = client.clone();
        spawn(stackful(move || client(number)))
    };
    let all: Vec<GreenThread<T>> = (0..CLIENTS).map(start).collect();
    all.into_iter().map(|one| one.block().unwrap()).collect()
}

/// Looks up a name as a program of C does, and returns the addresses or the error.
fn getaddrinfo(name: &str) -> Result<Vec<Ipv4Addr>, c_int> {
    let name = CString::new(name).unwrap();
    // SAFETY: all zeroes is a value of it.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: all of it is there.
    let error = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &hints, &mut list) };
    if error != 0 {
        return Err(error);
    }
    let (mut found, mut next) = (Vec::new(), list.cast_const());
    // SAFETY: the elements of the list are there.
    while let Some(element) = unsafe { next.as_ref() } {
        assert_eq!(element.ai_family, libc::AF_INET);
        // SAFETY: its family says so.
        let v4 = unsafe { *element.ai_addr.cast::<libc::sockaddr_in>() };
        found.push(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)));
        next = element.ai_next;
    }
    // SAFETY: it is a list of `getaddrinfo`.
    unsafe { libc::freeaddrinfo(list) };
    Ok(found)
}

#[test]
fn a_hundred_clients_connect_by_name() {
    run(|asked| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn_n(stackful(move || {
            while let Ok((mut client, _)) = listener.accept() {
                client.write_all(b"hello").unwrap();
            }
        }));
        let greetings = each(move |number| {
            let mut server = TcpStream::connect((format!("here{number}.example."), port)).unwrap();
            let mut greeting = String::new();
            server.read_to_string(&mut greeting).unwrap();
            greeting
        });
        assert!(greetings.iter().all(|greeting| greeting == "hello"));
        assert_eq!(asked.borrow().len(), 2 * CLIENTS, "both families of each name");
    });
}

#[test]
fn a_hundred_look_up_names_as_rust_and_c_do() {
    run(|_| {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        for addresses in each(|number| {
            let name = format!("here{}.example.", number % 10);
            (name.as_str(), 80).to_socket_addrs().unwrap().collect::<Vec<_>>()
        }) {
            assert_eq!(addresses, [here]);
        }
        for addresses in each(|number| getaddrinfo(&format!("here{}.example.", number % 10))) {
            assert_eq!(addresses, Ok(vec![Ipv4Addr::LOCALHOST]));
        }
        for error in each(|number| getaddrinfo(&format!("no{number}.example."))) {
            assert_eq!(error, Err(libc::EAI_NONAME));
        }
        assert!(("no.example.", 80).to_socket_addrs().is_err());
    });
}

#[test]
fn a_kill_and_a_limit_end_a_look_up() {
    run(|asked| {
        let has_been_asked = |name: &str| {
            while !asked.borrow().iter().any(|asked| asked.0 == name) {
                eventlet::sleep(Duration::ZERO).block();
            }
        };
        let killed = spawn(stackful(|| TcpStream::connect(("silent.example.", 80)).map(drop)));
        has_been_asked("silent.example.");
        killed.kill();
        assert!(killed.block().unwrap_err().is_killed());

        let of_c = spawn(stackful(|| getaddrinfo("quiet.example.")));
        has_been_asked("quiet.example.");
        of_c.kill();
        assert!(of_c.block().unwrap_err().is_killed());

        let limit = Timeout::new(Duration::from_millis(20));
        let late = limit.run_blocking(|| {
            let error = TcpStream::connect(("mute.example.", 80)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            eventlet::sleep(Duration::ZERO).block();
        });
        assert_eq!(late, Err(limit));
        has_been_asked("mute.example.");
        // The resolver works on.
        assert_eq!(getaddrinfo("here.example."), Ok(vec![Ipv4Addr::LOCALHOST]));
    });
}
