//! What the porting guide says of ZeroMQ's sockets: on green stacks, given up and killed.

use std::time::Duration;

use eventlet::stackful::{call, stackful};
use eventlet::{Block, run, sleep, spawn, with_timeout};
use zeromq::prelude::*;
use zeromq::{DealerSocket, RepSocket, ReqSocket, RouterSocket, ZmqMessage};

const LONG: Duration = Duration::from_secs(60);

fn text(message: ZmqMessage) -> String {
    String::try_from(message).unwrap()
}

/// Asks with a DEALER, and returns the answer.
fn ask(endpoint: String, question: String) -> String {
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).block().unwrap();
    dealer.send(question.into()).block().unwrap();
    text(with_timeout(LONG, dealer.recv()).block().unwrap().unwrap())
}

#[test]
fn a_router_answers_each_dealer_by_its_identity() {
    run(stackful(|| {
        let mut router = RouterSocket::new();
        let endpoint = router.bind("tcp://127.0.0.1:0").block().unwrap().to_string();
        let dealers =
            ["a", "b", "c"].map(|name| spawn(call(ask, (endpoint.clone(), name.to_owned()))));
        let mut asked: Vec<ZmqMessage> = Vec::new();
        for _ in &dealers {
            asked.push(with_timeout(LONG, router.recv()).block().unwrap().unwrap());
        }
        // The last is answered first.
        for message in asked.into_iter().rev() {
            let [identity, question] = &message.into_vec()[..] else { panic!("a third part") };
            let mut answer = ZmqMessage::from(identity.clone());
            answer.push_back([question, &b"!"[..]].concat().into());
            router.send(answer).block().unwrap();
        }
        assert_eq!(dealers.map(|dealer| dealer.block().unwrap()), ["a!", "b!", "c!"]);
    }));
}

#[test]
fn who_gives_up_receiving_loses_no_message() {
    run(stackful(|| {
        let mut alice = RepSocket::new();
        let endpoint = alice.bind("tcp://127.0.0.1:0").block().unwrap().to_string();
        let mut bob = ReqSocket::new();
        bob.connect(&endpoint).block().unwrap();
        assert!(with_timeout(Duration::ZERO, alice.recv()).block().is_err());
        bob.send("question".into()).block().unwrap();
        assert_eq!(text(with_timeout(LONG, alice.recv()).block().unwrap().unwrap()), "question");
        for _ in 0..10 {
            assert!(with_timeout(Duration::ZERO, bob.recv()).block().is_err());
        }
        alice.send("answer".into()).block().unwrap();
        assert_eq!(text(with_timeout(LONG, bob.recv()).block().unwrap().unwrap()), "answer");
    }));
}

#[test]
fn a_green_thread_that_is_killed_while_it_receives_closes_its_socket() {
    run(stackful(|| {
        let mut router = RouterSocket::new();
        let endpoint = router.bind("tcp://127.0.0.1:0").block().unwrap().to_string();
        let victim = spawn(call(ask, (endpoint.clone(), "nobody answers".to_owned())));
        let message = with_timeout(LONG, router.recv()).block().unwrap().unwrap();
        victim.kill();
        // The answer has no receiver, now or a little later, which does no harm.
        while router.send(message.clone()).block().is_ok() {
            sleep(Duration::from_millis(1)).block();
        }
        let other = spawn(call(ask, (endpoint, "and now".to_owned())));
        let message = with_timeout(LONG, router.recv()).block().unwrap().unwrap();
        router.send(message).block().unwrap();
        assert_eq!(other.block().unwrap(), "and now");
    }));
}
