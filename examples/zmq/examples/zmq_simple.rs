//! Two green threads, one of which sends requests and the other replies, over ZeroMQ.
//!
//!     cargo run -p eventlet-zmq-examples --example zmq_simple
//!
//! Corresponds to eventlet's `examples/zmq_simple.py`.

use eventlet::prelude::*;
use eventlet::stackful::{call, stackful};
use eventlet::{BoxError, run, spawn};
use zeromq::prelude::*;
use zeromq::{RepSocket, ReqSocket, ZmqMessage};

const COUNT: usize = 10;

fn text(message: ZmqMessage) -> Result<String, BoxError> {
    Ok(String::try_from(message)?)
}

fn bob_client(address: String) -> Result<(), BoxError> {
    println!("STARTING BOB");
    let mut bob = ReqSocket::new();
    bob.connect(&address).block()?;
    for _ in 0..COUNT {
        println!("BOB SENDING");
        bob.send("HI".into()).block()?;
        println!("BOB GOT: {}", text(bob.recv().block()?)?);
    }
    Ok(())
}

fn alice_server(mut alice: RepSocket) -> Result<(), BoxError> {
    println!("ALICE READY");
    for _ in 0..COUNT {
        println!("ALICE GOT: {}", text(alice.recv().block()?)?);
        println!("ALICE SENDING");
        alice.send("HI BACK".into()).block()?;
    }
    Ok(())
}

fn main() -> Result<(), BoxError> {
    run(stackful(|| {
        println!("STARTING ALICE");
        let mut alice = RepSocket::new();
        let address = alice.bind("tcp://127.0.0.1:0").block()?.to_string();
        let alice = spawn(call(alice_server, (alice,)));
        let bob = spawn(call(bob_client, (address,)));
        bob.block().flat()?;
        alice.block().flat()
    }))
}
