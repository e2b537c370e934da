//! `ureq`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::{MS, WAIT, crowd, run};

/// Answers one request of HTTP, after a while.
pub(crate) fn answer(mut client: impl Read + Write, thinks: Duration) {
    let lines = BufReader::new(&mut client).lines().map_while(Result::ok);
    let _head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    std::thread::sleep(thinks);
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    let _gone = client.write_all(answer);
}

/// A server on OS threads, which thinks for a while about each request.
fn server(thinks: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            std::thread::spawn(move || answer(client, thinks));
        }
    });
    address
}

#[test]
fn ureq_gets_a_hundred_pages_at_once() {
    let address = server(WAIT);
    let pages = run(move || {
        crowd("ureq::get, the server thinks 500 ms", 100, move |_| {
            let mut answer = ureq::get(format!("http://{address}/")).call().unwrap();
            answer.body_mut().read_to_string().unwrap()
        })
    });
    assert!(pages.iter().all(|page| page == "hello"));
}

#[test]
fn the_limits_of_ureq_hold() {
    let address = server(60_000 * MS);
    let errors = run(move || {
        crowd("ureq::get, which gives up after 500 ms", 100, move |_| {
            let config = ureq::Agent::config_builder().timeout_global(Some(WAIT));
            let agent = config.build().new_agent();
            agent.get(format!("http://{address}/")).call().unwrap_err()
        })
    });
    assert!(errors.iter().all(|error| matches!(error, ureq::Error::Timeout(_))), "{errors:?}");
}
