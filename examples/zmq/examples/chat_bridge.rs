//! Forwards every message that is published here to all subscribers: it connects the servers of
//! `distributed_websocket_chat`.
//!
//!     cargo run -p eventlet-zmq-examples --example chat_bridge
//!
//! The endpoints to publish to and to subscribe to can be given as arguments. Corresponds to
//! eventlet's `examples/chat_bridge.py`.

use std::env;

use eventlet::run;
use zeromq::prelude::*;
use zeromq::{PubSocket, SubSocket, ZmqResult};

fn main() -> ZmqResult<()> {
    let mut endpoints = env::args().skip(1);
    let published = endpoints.next().unwrap_or_else(|| "tcp://127.0.0.1:12345".to_owned());
    let subscribed = endpoints.next().unwrap_or_else(|| "tcp://127.0.0.1:12346".to_owned());
    run(async move {
        let (mut incoming, mut outgoing) = (SubSocket::new(), PubSocket::new());
        let published = incoming.bind(&published).await?;
        let subscribed = outgoing.bind(&subscribed).await?;
        incoming.subscribe("").await?;
        println!("publish to {published}, subscribe to {subscribed}");
        loop {
            outgoing.send(incoming.recv().await?).await?;
        }
    })
}
