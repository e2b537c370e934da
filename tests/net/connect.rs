//! `connect` and `listen`.
//!
//! Case names after eventlet's `tests/convenience_test.py`, revision c8f903a3.

use std::error::Error;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use eventlet::{connect, listen, spawn};

use crate::support::{listener, run, turns};

/// Returns an address where nobody listens.
async fn closed_port() -> SocketAddr {
    listener().await.1
}

fn cause(error: &io::Error) -> &io::Error {
    error.source().expect("no source").downcast_ref().expect("not the operating system's error")
}

#[test]
fn connect_error_says_the_address_and_keeps_its_cause() {
    run(async {
        let addr = closed_port().await;
        let error = connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let cause = cause(&error);
        assert!(cause.raw_os_error().is_some());
        assert_eq!(error.to_string(), format!("cannot connect to {addr}: {cause}"));
    });
}

#[test]
fn connect_error_of_a_name_says_which_address_was_tried() {
    run(async {
        let port = closed_port().await.port();
        let error = connect(("localhost", port)).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot connect to localhost:{port} at ")), "{error}");
    });
}

#[test]
fn a_name_that_does_not_resolve() {
    run(async {
        for error in [
            connect("no port").await.unwrap_err(),
            listen(String::from("no port")).await.unwrap_err(),
        ] {
            let text = format!("cannot resolve \"no port\": {}", cause(&error));
            assert_eq!(error.to_string(), text);
        }
    });
}

#[test]
fn every_kind_of_tcp_address() {
    run(async {
        let (listener, addr) = listener().await;
        let port = addr.port();
        let SocketAddr::V4(v4) = addr else { unreachable!() };
        connect(addr).await.unwrap();
        connect(v4).await.unwrap();
        connect((addr.ip(), port)).await.unwrap();
        connect((*v4.ip(), port)).await.unwrap();
        connect(("127.0.0.1", port)).await.unwrap();
        connect(("localhost", port)).await.unwrap();
        connect((String::from("127.0.0.1"), port)).await.unwrap();
        connect(&*format!("127.0.0.1:{port}")).await.unwrap();
        connect(&format!("127.0.0.1:{port}")).await.unwrap();
        connect(format!("localhost:{port}")).await.unwrap();
        drop(listener);
    });
}

#[test]
fn resolving_a_name_lets_others_run() {
    run(async {
        let other = spawn(async {});
        let _error = connect(("localhost", closed_port().await.port())).await;
        assert!(other.dead());
    });
}

#[test]
fn ipv6() {
    run(async {
        let Ok(listener) = listen((Ipv6Addr::LOCALHOST, 0)).await else {
            return eprintln!("skipped: this machine has no IPv6");
        };
        let addr = listener.local_addr().unwrap();
        let conn = connect(format!("[::1]:{}", addr.port())).await.unwrap();
        assert_eq!(conn.peer_addr().unwrap(), addr);
    });
}

/// Returns a link-local address of this machine, with the number and the name of its interface.
#[cfg(target_os = "linux")]
fn link_local() -> Option<(Ipv6Addr, u32, String)> {
    let interfaces = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    interfaces.lines().find_map(|line| {
        let [addr, number, _, scope, _, name] = line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let addr = Ipv6Addr::from(u128::from_str_radix(addr, 16).ok()?);
        (scope == "20").then_some((addr, u32::from_str_radix(number, 16).ok()?, name.to_owned()))
    })
}

#[cfg(target_os = "linux")]
#[test]
fn ipv6_scope_id() {
    run(async {
        let Some((ip, scope, name)) = link_local() else {
            return eprintln!("skipped: this machine has no link-local IPv6 address");
        };
        let listener = listen(SocketAddrV6::new(ip, 0, 0, scope)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let SocketAddr::V6(scoped) = addr else { panic!("{addr} is of version 4") };
        assert_eq!((*scoped.ip(), scoped.scope_id()), (ip, scope));

        let by_number = connect(format!("[{ip}%{scope}]:{}", addr.port())).await.unwrap();
        let by_name = connect((format!("{ip}%{name}"), addr.port())).await.unwrap();
        for conn in [by_number, by_name] {
            assert_eq!(conn.peer_addr().unwrap(), addr);
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, conn.local_addr().unwrap());
        }

        let bound = connect(addr).bind(SocketAddrV6::new(ip, 0, 0, scope).into()).await.unwrap();
        let SocketAddr::V6(local) = bound.local_addr().unwrap() else { panic!("of version 4") };
        assert_eq!((*local.ip(), local.scope_id()), (ip, scope));
    });
}

#[test]
fn bind_chooses_the_local_address_and_the_version() {
    run(async {
        let (listener, addr) = listener().await;
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let conn = connect(("localhost", addr.port())).bind(local).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, conn.local_addr().unwrap());

        let error = connect("[::1]:1").bind(local).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn connections_of_both_ends_send_at_once() {
    run(async {
        let (listener, addr) = listener().await;
        assert!(connect(addr).await.unwrap().nodelay().unwrap());
        let (accepted, _) = listener.accept().await.unwrap();
        assert_eq!(accepted.nodelay().unwrap(), cfg!(target_os = "linux"));
    });
}

#[test]
fn a_port_in_use() {
    run(async {
        let (_listener, addr) = listener().await;
        let error = listen(addr).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(error.to_string(), format!("cannot listen on {addr}: {}", cause(&error)));
    });
}

#[test]
fn socket_reuse() {
    run(async {
        let (listener, addr) = listener().await;
        // A connection that lingers on the port.
        let client = connect(addr).await.unwrap();
        drop(listener.accept().await.unwrap());
        drop((listener, client));
        listen(addr).await.unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn listeners_share_a_port_if_all_ask_for_it() {
    run(async {
        let first = listen("127.0.0.1:0").reuse_port(true).await.unwrap();
        let addr = first.local_addr().unwrap();
        let second = listen(addr).reuse_port(true).await.unwrap();
        assert_eq!(second.local_addr().unwrap(), addr);
        assert!(listen(addr).await.is_err());
    });
}

#[test]
fn killed_while_listening_for_an_answer() {
    run(async {
        let (_listener, addr) = listener().await;
        let connecting = spawn(async move { connect(addr).await });
        connecting.kill();
        turns().await;
        assert!(connecting.await.unwrap_err().is_killed());
    });
}
