//! Runs every example as its head says, and checks its output.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

/// Returns the program of an example, which `cargo test` has built beside this one.
fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(path.exists(), "{} is not built: run `cargo build --examples`", path.display());
    Command::new(path)
}

/// Connects to a server, with a time limit on reads.
fn client(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    BufReader::new(stream)
}

/// Reads a line from a server.
fn hears(client: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line
}

/// Runs an example to its end, and returns the lines it printed.
fn run(name: &str, arguments: &[&str]) -> Vec<String> {
    let Output { status, stdout, stderr } = example(name).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{name} failed: {errors}");
    String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A server that runs until this is dropped.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(name: &str, arguments: &[&str]) -> (Server, String) {
        let command = example(name).args(arguments).stdout(Stdio::piped()).spawn();
        let mut process = command.unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Server { process, output };
        let line = server.says();
        let address = line.strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("{name} said: {line}")).to_owned();
        (server, address)
    }

    /// Returns the next line that the server prints.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn echoes(name: &str) {
    let (_server, address) = Server::start(name, &["127.0.0.1:0"]);
    let mut clients: Vec<_> =
        (0..20).map(|_| BufReader::new(TcpStream::connect(&address).unwrap())).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        writeln!(client.get_mut(), "one {number}\r\ntwo").unwrap();
    }
    // The last client is answered while the first is silent.
    for (number, client) in clients.iter_mut().enumerate().rev() {
        let mut answer = String::new();
        client.read_line(&mut answer).unwrap();
        client.read_line(&mut answer).unwrap();
        assert_eq!(answer, format!("one {number}\r\ntwo\n"));
    }
    let mut last = clients.pop().unwrap();
    last.get_mut().write_all(b"no newline").unwrap();
    last.get_mut().shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    last.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "no newline");
}

fn crawls_in_order(name: &str) {
    let lines = run(name, &[]);
    assert_eq!(lines.len(), 201);
    for (page, line) in lines[..200].iter().enumerate() {
        assert!(line.contains(&format!("/{page}: <h1>Page {page}</h1>")), "{line}");
    }
    assert!(lines[200].starts_with("200 of 200 pages, "), "{}", lines[200]);
}

fn survives_what_cannot_be_reached(name: &str) {
    let lines = run(name, &["http://127.0.0.1:1/", "no url at all"]);
    let refused = "http://127.0.0.1:1/: cannot connect to 127.0.0.1:1: ";
    assert!(lines[0].starts_with(refused), "{}", lines[0]);
    assert!(lines[1].starts_with("no url at all: "), "{}", lines[1]);
    assert!(lines[2].starts_with("0 of 2 pages, "), "{}", lines[2]);
}

fn finds_all_pages(name: &str) {
    let mut lines = run(name, &[]);
    assert_eq!(lines.pop().unwrap(), "200 pages");
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 200, "each page once");
}

/// What a client of the backdoor reads until it has quit.
fn asks_the_backdoor(arguments: &[&str]) -> String {
    let (_server, address) = Server::start("backdoor", arguments);
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"threads\r\nbeats\r\nquit\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn backdoor() {
    for arguments in [&["0"][..], &["0", "--stackful"]] {
        let text = asks_the_backdoor(arguments);
        assert!(text.contains("left") && text.contains(" beats\n"), "{text}");
        assert_eq!(text.contains("yes"), arguments.len() > 1, "{text}");
    }
}

#[test]
fn debugging() {
    let stalls = run("debugging", &["stalls"]);
    // One at least: a machine that is busy stops others, too.
    let count = stalls.last().unwrap().strip_suffix(" stall").unwrap();
    assert!(count.parse::<u32>().unwrap() >= 1, "{stalls:?}");
    let leaks = run("debugging", &["leaks"]).join("\n");
    assert_eq!(leaks.matches("wait_for_replies").count(), 3, "{leaks}");
    let hangs = example("debugging").arg("hangs").output().unwrap();
    let text = String::from_utf8(hangs.stderr).unwrap();
    assert!(text.contains("\"checking to savings\"") && text.contains("transfer"), "{text}");
}

#[test]
fn echoserver() {
    echoes("echoserver");
}

/// Starts a chat server, and this many clients that have joined.
fn chat<const N: usize>() -> (Server, [BufReader<TcpStream>; N]) {
    let (mut server, address) = Server::start("chat_server", &["127.0.0.1:0"]);
    let clients = std::array::from_fn(|_| {
        let client = client(&address);
        assert_eq!(server.says(), format!("{} joined", client.get_ref().local_addr().unwrap()));
        client
    });
    (server, clients)
}

#[test]
fn chat_server() {
    let (mut server, [mut one, mut two, mut three]) = chat();
    writeln!(one.get_mut(), "hello").unwrap();
    assert_eq!((hears(&mut two), hears(&mut three)), ("hello\n".into(), "hello\n".into()));

    let left = format!("{} left", two.get_ref().local_addr().unwrap());
    drop(two);
    assert_eq!(server.says(), left);
    writeln!(three.get_mut(), "two is gone").unwrap();
    // And no client is sent its own lines.
    assert_eq!(hears(&mut one), "two is gone\n");
    writeln!(one.get_mut(), "so it is").unwrap();
    assert_eq!(hears(&mut three), "so it is\n");
}

#[test]
fn chat_server_puts_out_who_cannot_keep_up() {
    let (mut server, [mut talker, mut listener, mut sleeper]) = chat();
    let left = format!("{} left", sleeper.get_ref().local_addr().unwrap());
    // More than the operating system and the queue hold for a client that does not read.
    let line = "x".repeat(256 * 1024) + "\n";
    for _ in 0..250 {
        talker.get_mut().write_all(line.as_bytes()).unwrap();
        assert_eq!(hears(&mut listener).len(), line.len());
    }
    assert_eq!(server.says(), left);
    let mut rest = Vec::new();
    // It ends, be it with an error.
    let _ = sleeper.read_to_end(&mut rest);
    assert!(rest.len() < 250 * line.len());
}

#[test]
fn forwarder() {
    assert_eq!(run("forwarder", &[]), ["one", "two", "three", "3 lines"]);

    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let target_address = target.local_addr().unwrap().to_string();
    let (_server, address) = Server::start("forwarder", &["127.0.0.1:0", &target_address]);
    let mut client = client(&address);
    let mut target = BufReader::new(target.accept().unwrap().0);
    writeln!(client.get_mut(), "question").unwrap();
    assert_eq!(hears(&mut target), "question\n");
    // The client has no more to say, and the target still has.
    client.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(hears(&mut target), "");
    writeln!(target.get_mut(), "answer").unwrap();
    assert_eq!(hears(&mut client), "answer\n");
    drop(target);
    assert_eq!(hears(&mut client), "");
}

#[cfg(feature = "wsgi")]
#[test]
fn feedscraper() {
    let (_server, address) = Server::start("feedscraper", &["127.0.0.1:0"]);
    let titles = run("feedscraper_testclient", &[&address]);
    let expected: Vec<_> = (0..100).map(|page| format!("Page /{page}")).collect();
    assert_eq!(titles, expected);
}

#[cfg(feature = "websocket")]
#[test]
fn websocket() {
    let (_server, address) = Server::start("websocket", &["127.0.0.1:0"]);
    for path in ["", "plain"] {
        let echoes = run("websocket", &[&format!("ws://{address}/{path}"), "hello", "world"]);
        assert_eq!(echoes, ["hello", "world"]);
    }
}

#[cfg(feature = "websocket")]
#[test]
fn websocket_chat() {
    let (_server, address) = Server::start("websocket_chat", &["127.0.0.1:0"]);
    let mut page = client(&address);
    write!(page.get_mut(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    assert!(text.contains("new WebSocket("), "{text}");

    // Two browsers, as far as their handshakes go.
    let mut visitors = [1, 2].map(|_| {
        let mut visitor = client(&address);
        let request = format!(
            "GET /chat HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        );
        visitor.get_mut().write_all(request.as_bytes()).unwrap();
        while hears(&mut visitor) != "\r\n" {}
        visitor
    });
    let mut gets = |visitor: usize, line: &str| {
        let mut frame = vec![0; 2 + line.len()];
        visitors[visitor].read_exact(&mut frame).unwrap();
        assert_eq!(frame, [&[0x81, line.len() as u8], line.as_bytes()].concat());
    };
    gets(0, "visitor 1 has come");
    gets(0, "visitor 2 has come");
    gets(1, "visitor 2 has come");
    visitors[0].get_mut().write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    for visitor in &mut visitors {
        let mut frame = [0; 7];
        visitor.read_exact(&mut frame).unwrap();
        assert_eq!(&frame, b"\x81\x051: hi");
    }
}

#[test]
fn heartbeat() {
    let lines = run("heartbeat", &[]);
    let beats = |line: &str| -> Vec<u32> {
        line.rsplit(' ')
            .filter(|word| !word.is_empty())
            .map_while(|word| word.parse().ok())
            .collect()
    };
    assert_eq!(lines.len(), 4);
    assert!(lines[0].ends_with("took  beats  missed"), "{}", lines[0]);
    let [starved, taking_turns, beside] = [1, 2, 3].map(|line| beats(&lines[line]));
    // From the right: missed, beats.
    assert!(starved[0] >= 19 && starved[1] == 0, "{}", lines[1]);
    // How many depends on what else the machine does.
    assert!(taking_turns[1] > 0, "{}", lines[2]);
    assert!(beside[1] > 0, "{}", lines[3]);
}

#[test]
fn webcrawler() {
    crawls_in_order("webcrawler");
    survives_what_cannot_be_reached("webcrawler");
}

#[test]
fn connect() {
    let answers: Vec<String> = run("connect", &[])
        .iter()
        .map(|line| line.split_once(": ").unwrap().1.to_owned())
        .collect();
    assert_eq!(answers, ["HTTP/1.0 200 OK", "HTTP/1.0 404 Not Found", "HTTP/1.0 418 I'm a teapot"]);
    let refused = run("connect", &["127.0.0.1:1"]);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("127.0.0.1:1: cannot connect to 127.0.0.1:1: "), "{refused:?}");
}

#[test]
fn producer_consumer() {
    finds_all_pages("producer_consumer");
}

#[test]
fn recursive_crawler() {
    finds_all_pages("recursive_crawler");
}

#[test]
fn hub_thread() {
    let mut lines = run("hub_thread", &[]);
    assert_eq!(lines.remove(0), "the hub says 42");
    lines.sort_unstable();
    let words = ["brown", "dog", "fox", "jumps", "lazy", "over", "quick"];
    let mut expected: Vec<_> = words.iter().map(|word| format!("{word}: 1")).collect();
    expected.extend(["the: 1".to_owned(), "the: 2".to_owned()]);
    assert_eq!(lines, expected);
}

/// Sends commands, and returns the answers.
fn asks(client: &mut BufReader<TcpStream>, commands: &[&str]) -> Vec<String> {
    commands.iter().for_each(|command| writeln!(client.get_mut(), "{command}").unwrap());
    commands.iter().map(|_| hears(client).trim_end().to_owned()).collect()
}

fn keeps_values(name: &str) {
    let (_server, address) = Server::start(name, &["127.0.0.1:0"]);
    let [mut one, mut two] = [(); 2].map(|()| client(&address));
    let session =
        ["GET a", "SET a one two", "GET a", "DEL a", "DEL a", "GET a", "INCR n", "INCR n"];
    let answers = ["NONE", "OK", "VALUE one two", "VALUE one two", "NONE", "NONE", "1", "2"];
    assert_eq!(asks(&mut one, &session), answers);
    let mistakes = ["SET a one", "INCR a", "WAIT a", "WAIT b 1", "WAIT a 0", "", "EAT a", "COUNT"];
    let answers = [
        "OK",
        "ERROR a is no number",
        "ERROR how long?",
        "NONE",
        "VALUE one",
        "ERROR what is \"\"?",
        "ERROR what is \"EAT\"?",
        "16",
    ];
    assert_eq!(asks(&mut one, &mistakes), answers);

    // A waiting client is answered when another sets the value, and delays no other.
    writeln!(one.get_mut(), "WAIT later 60000").unwrap();
    assert_eq!(asks(&mut two, &["GET a", "SET later now"]), ["VALUE one", "OK"]);
    assert_eq!(hears(&mut one), "VALUE now\n");

    let mut crowd: Vec<_> = (0..20).map(|_| client(&address)).collect();
    for client in &mut crowd {
        (0..50).for_each(|_| writeln!(client.get_mut(), "INCR sum").unwrap());
    }
    for client in &mut crowd {
        (0..50).for_each(|_| assert!(hears(client).trim_end().parse::<u32>().is_ok()));
    }
    assert_eq!(asks(&mut two, &["GET sum"]), ["VALUE 1000"]);
}

#[test]
fn kv_server_std() {
    keeps_values("kv_server_std");
}

// Elsewhere a shared port need not be dealt out evenly.
#[cfg(target_os = "linux")]
#[test]
fn two_hubs() {
    let lines = run("two_hubs", &[]);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("first hub served "), "{}", lines[0]);
    assert!(lines[1].starts_with("second hub served "), "{}", lines[1]);
}

mod stackful {
    use super::*;

    #[test]
    fn echoserver_stackful() {
        echoes("echoserver_stackful");
    }

    #[test]
    fn greenlet_switch() {
        assert_eq!(run("greenlet_switch", &[]), ["12", "56", "34"]);
    }

    #[test]
    fn kv_server() {
        keeps_values("kv_server");
    }

    /// Returns the lines of an example but its head and its `use` lines.
    fn body(example: &str) -> Vec<&str> {
        let skipped = |line: &str| ["//!", "use "].iter().any(|start| line.starts_with(start));
        example.lines().filter(|line| !line.is_empty() && !skipped(line)).collect()
    }

    #[test]
    fn kv_server_differs_from_the_one_of_std_in_its_use_lines_and_in_main_alone() {
        let std = body(include_str!("../kv_server_std.rs"));
        let mut green = body(include_str!("../kv_server.rs"));
        let main = green.iter_mut().find(|line| line.contains("eventlet::")).unwrap();
        assert_eq!(*main, "    eventlet::run(eventlet::stackful(serve))");
        *main = "    serve()";
        assert_eq!(std, green);
    }

    #[test]
    fn webcrawler_stackful() {
        crawls_in_order("webcrawler_stackful");
        survives_what_cannot_be_reached("webcrawler_stackful");
    }

    #[test]
    fn two_colours() {
        let lines = run("two_colours", &[]);
        let count = |word| lines.iter().filter(|line| line.contains(word)).count();
        assert_eq!((count("ping"), count("pong")), (3, 3));
        assert_eq!(lines.last().unwrap(), "game over");
    }
}
