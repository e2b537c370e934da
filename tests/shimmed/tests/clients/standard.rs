//! What `std` has: servers, child processes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use eventlet::{spawn, stackful};

use crate::{WAIT, crowd, run};

#[test]
fn a_hundred_clients_are_served_by_a_hundred_handlers() {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(spawn(stackful(move || {
            for client in listener.incoming().map_while(Result::ok) {
                drop(spawn(stackful(move || echo(client))));
            }
        })));
        crowd("std::net against handlers that sleep 500 ms", 100, move |number| {
            let mut client = TcpStream::connect(address).unwrap();
            let text = format!("client {number}");
            client.write_all(text.as_bytes()).unwrap();
            let mut answer = vec![0; text.len()];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, text.as_bytes());
        });
    });
}

fn echo(mut client: TcpStream) {
    let mut buffer = [0; 512];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        std::thread::sleep(WAIT);
        client.write_all(&buffer[..count]).unwrap();
    }
}

#[test]
fn twenty_children_run_at_once() {
    run(|| {
        let outputs = crowd("Command::output of a child of 500 ms", 20, |number| {
            let script = format!("sleep 0.5; echo {number}; echo no >&2; exit {number}");
            Command::new("sh").args(["-c", &script]).output().unwrap()
        });
        for (number, output) in outputs.iter().enumerate() {
            assert_eq!(output.status.code(), Some(number as i32));
            assert_eq!(output.stdout, format!("{number}\n").as_bytes());
            assert_eq!(output.stderr, b"no\n");
        }
    });
}
