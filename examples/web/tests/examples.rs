//! The examples serve until they are asked to end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that runs until this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// Starts an example on a port of the system's choice, and returns its address.
fn start(example: &str) -> (Server, String) {
    start_with(example, &["127.0.0.1:0"])
}

/// Returns the program of an example.
fn program(example: &str) -> Command {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples");
    program.push(example);
    Command::new(program)
}

fn start_with(example: &str, arguments: &[&str]) -> (Server, String) {
    let server = program(example).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut server = Server(server);
    let mut line = String::new();
    BufReader::new(server.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").expect("the address").to_owned();
    (server, address)
}

fn get(address: &str, path: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn greets_until_it_is_asked_to_end(example: &str) {
    let (mut server, address) = start(example);
    for name in ["eventlet", "axum"] {
        let answer = get(&address, &format!("/hello/{name}"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.trim_end().ends_with(&format!("\r\n\r\nHello, {name}!")), "{answer}");
    }
    ends_well(&mut server);
}

/// Asks a server to end.
fn ends_well(server: &mut Server) {
    let asked = Command::new("kill").arg(server.0.id().to_string()).status().unwrap();
    assert!(asked.success());
    assert!(server.0.wait().unwrap().success(), "it ends well");
}

#[test]
fn axum_service() {
    greets_until_it_is_asked_to_end("axum_service");
}

#[test]
fn axum_site() {
    greets_until_it_is_asked_to_end("axum_site");
}

#[test]
fn https() {
    let ca = std::env::temp_dir().join(format!("eventlet-https-{}.pem", std::process::id()));
    let (mut server, address) =
        start_with("https", &["127.0.0.1:0", "127.0.0.1:0", ca.to_str().unwrap()]);
    let client = program("https_client").arg(&address).arg(&ca).output().unwrap();
    let said = String::from_utf8(client.stdout).unwrap();
    assert!(said.starts_with("connected by Tls13\nHTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.ends_with("Hello over https from /!\n"), "{said}");
    ends_well(&mut server);
    std::fs::remove_file(ca).unwrap();
}
