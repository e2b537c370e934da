//! A server that keeps values under keys, with threads and locks of the standard library.
//!
//!     cargo run --release --example kv_server_std
//!     nc 127.0.0.1 6380
//!
//! Then type `SET fruit apple`, `GET fruit`, `INCR visits`, `DEL fruit`, `WAIT fruit 5000` (until
//! it is set, or five seconds) and `COUNT`. Compare it with `kv_server`: the same program on green
//! threads.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

static COMMANDS: Mutex<u64> = Mutex::new(0);

#[derive(Default)]
struct Store {
    values: Mutex<HashMap<String, String>>,
    changed: Condvar,
}

impl Store {
    fn answer(&self, line: &str) -> String {
        *COMMANDS.lock().unwrap() += 1;
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (command, key, rest) = (word(), word(), word());
        match command {
            "GET" => shown(self.values.lock().unwrap().get(key)),
            "SET" => self.set(key, rest),
            "DEL" => shown(self.values.lock().unwrap().remove(key).as_ref()),
            "INCR" => self.increment(key),
            "WAIT" => self.wait(key, rest),
            "COUNT" => COMMANDS.lock().unwrap().to_string(),
            _ => format!("ERROR what is {command:?}?"),
        }
    }

    fn set(&self, key: &str, value: &str) -> String {
        self.values.lock().unwrap().insert(key.to_owned(), value.to_owned());
        self.changed.notify_all();
        "OK".to_owned()
    }

    fn increment(&self, key: &str) -> String {
        let mut values = self.values.lock().unwrap();
        let value = values.entry(key.to_owned()).or_insert_with(|| "0".to_owned());
        let Ok(number) = value.parse::<i64>() else {
            return format!("ERROR {key} is no number");
        };
        *value = (number + 1).to_string();
        self.changed.notify_all();
        value.clone()
    }

    fn wait(&self, key: &str, milliseconds: &str) -> String {
        let Ok(limit) = milliseconds.parse().map(Duration::from_millis) else {
            return "ERROR how long?".to_owned();
        };
        let values = self.values.lock().unwrap();
        let missing = |values: &mut HashMap<String, String>| !values.contains_key(key);
        let (values, _) = self.changed.wait_timeout_while(values, limit, missing).unwrap();
        shown(values.get(key))
    }
}

fn shown(value: Option<&String>) -> String {
    value.map_or("NONE".to_owned(), |value| format!("VALUE {value}"))
}

fn handle(client: TcpStream, store: &Store) -> io::Result<()> {
    let mut output = client.try_clone()?;
    for line in BufReader::new(client).lines() {
        writeln!(output, "{}", store.answer(&line?))?;
    }
    Ok(())
}

fn serve() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6380".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let store = Arc::new(Store::default());
    for client in listener.incoming() {
        let (client, store) = (client?, Arc::clone(&store));
        thread::spawn(move || handle(client, &store));
    }
    Ok(())
}

fn main() -> io::Result<()> {
    serve()
}
