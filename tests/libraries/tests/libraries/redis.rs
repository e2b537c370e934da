//! Redis: its asynchronous client, and a server of plain functions that speaks enough of its
//! protocol.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use eventlet::green::net::TcpStream;
use eventlet::{Block, Event, listen, serve, spawn_n, stackful};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, RedisResult};

use crate::support::{green, run};

#[derive(Default)]
struct Server {
    values: RefCell<HashMap<String, String>>,
    /// Somebody waits in a `BLPOP`, the one command that is not answered at once.
    item: Event<String>,
}

impl Server {
    /// Answers one client's commands until it leaves.
    fn answer(&self, conn: TcpStream) -> io::Result<()> {
        let mut answers = conn.try_clone()?;
        let mut commands = BufReader::new(conn);
        while let Some(command) = read_command(&mut commands)? {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            answers.write_all(self.obey(&words).as_bytes())?;
        }
        Ok(())
    }

    /// Does what a command says, and returns the answer in the words of the protocol.
    fn obey(&self, command: &[&str]) -> String {
        let mut values = self.values.borrow_mut();
        match command {
            ["CLIENT", ..] => "+OK\r\n".to_owned(),
            ["SET", key, value] => {
                values.insert((*key).to_owned(), (*value).to_owned());
                "+OK\r\n".to_owned()
            }
            ["GET", key] => values.get(*key).map_or("$-1\r\n".to_owned(), |value| bulk(value)),
            ["INCRBY", key, by] => {
                let value = values.entry((*key).to_owned()).or_insert("0".to_owned());
                let sum: i64 = value.parse::<i64>().unwrap() + by.parse::<i64>().unwrap();
                *value = sum.to_string();
                format!(":{sum}\r\n")
            }
            ["LPUSH", _, item] => {
                self.item.send((*item).to_owned());
                ":1\r\n".to_owned()
            }
            ["BLPOP", key, _] => {
                // Others are answered meanwhile.
                drop(values);
                format!("*2\r\n{}{}", bulk(key), bulk(&self.item.wait().block().unwrap()))
            }
            _ => format!("-ERR unknown command {command:?}\r\n"),
        }
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Reads `*2 $3 GET $3 key`, each on a line; `None` where the client has left.
fn read_command(conn: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let Some(words) = read_number(conn, '*')? else {
        return Ok(None);
    };
    let mut command = Vec::new();
    for _ in 0..words {
        let length = read_number(conn, '$')?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut word = vec![0; length + "\r\n".len()];
        conn.read_exact(&mut word)?;
        word.truncate(length);
        command.push(String::from_utf8(word).map_err(io::Error::other)?);
    }
    Ok(Some(command))
}

fn read_number(conn: &mut impl BufRead, mark: char) -> io::Result<Option<usize>> {
    let mut line = String::new();
    if conn.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let number = line.trim_end().strip_prefix(mark).and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| io::Error::other(format!("{mark} and a number, not {line:?}")))
}

fn start_server() -> SocketAddr {
    let listener = listen("127.0.0.1:0").block().unwrap();
    let address = listener.local_addr().unwrap();
    let server = Rc::new(Server::default());
    let handler = move |conn: tokio::net::TcpStream, _| {
        let server = Rc::clone(&server);
        stackful(move || server.answer(conn.into()))
    };
    spawn_n(serve(listener, handler, 100));
    address
}

fn connection(address: SocketAddr) -> MultiplexedConnection {
    let client = Client::open(format!("redis://{address}/")).unwrap();
    client.get_multiplexed_async_connection().block().unwrap()
}

#[test]
fn values_are_set_and_got_and_errors_are_errors() {
    run(|| {
        let mut redis = connection(start_server());
        redis.set::<_, _, ()>("key", "value").block().unwrap();
        assert_eq!(redis.get("key").block(), Ok("value".to_owned()));
        assert_eq!(redis.get("none").block(), Ok(None::<String>));
        let pipelined: RedisResult<(u32, u32, Option<String>)> =
            redis::pipe().incr("n", 1).incr("n", 2).get("key").query_async(&mut redis).block();
        assert_eq!(pipelined.unwrap(), (1, 3, Some("value".to_owned())));
        let error = redis.del::<_, ()>("key").block().unwrap_err();
        assert!(error.to_string().contains("unknown command"), "{error}");
    });
}

#[test]
fn many_share_one_connection() {
    run(|| {
        let redis = connection(start_server());
        let clients = (0..20).map(|number: u32| {
            let mut redis = redis.clone();
            green(move || {
                for _ in 0..5 {
                    redis.incr::<_, _, u32>("sum", number).block().unwrap();
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.block().unwrap();
        }
        assert_eq!(redis.clone().get("sum").block(), Ok(5 * (0..20).sum::<u32>()));
    });
}

#[test]
fn a_command_that_waits_lets_other_green_threads_run() {
    run(|| {
        let address = start_server();
        let waiting =
            green(move || connection(address).blpop::<_, (String, u32)>("list", 60.).block());
        let mut other = connection(address);
        other.set::<_, _, ()>("key", "value").block().unwrap();
        assert!(!waiting.dead());
        other.lpush::<_, _, ()>("list", 7).block().unwrap();
        assert_eq!(waiting.block().unwrap(), Ok(("list".to_owned(), 7)));
    });
}
