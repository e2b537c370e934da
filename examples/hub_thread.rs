//! A multi-thread Tokio program with green threads beside it.
//!
//!     cargo run --example hub_thread
//!
//! The hub has an OS thread of its own. Any task gives it work and awaits the result; the green
//! threads there share values that are not `Send`, without a lock, as no two of them run at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use eventlet::{HubThread, Queue, sleep, spawn_n};
use tokio::sync::{mpsc, oneshot};

/// What the tasks send: a word, and where to send the number of times that it came up.
type Counted = (String, oneshot::Sender<u32>);

/// A service made of green threads, in plain single-threaded Rust.
async fn count_words(mut inbox: mpsc::UnboundedReceiver<Counted>) -> BTreeMap<String, u32> {
    let counts = Rc::new(RefCell::new(BTreeMap::new()));
    let words = Queue::new(10);
    for _ in 0..3 {
        let (words, counts) = (words.clone(), Rc::clone(&counts));
        spawn_n(async move {
            loop {
                let (word, answer): Counted = words.get().await;
                sleep(Duration::from_millis(1)).await;
                let count = {
                    let mut counts = counts.borrow_mut();
                    let count = counts.entry(word).or_insert(0);
                    *count += 1;
                    *count
                };
                let _gone = answer.send(count);
                words.task_done();
            }
        });
    }
    while let Some(counted) = inbox.recv().await {
        words.put(counted).await;
    }
    words.join().await;
    counts.take()
}

#[tokio::main]
async fn main() {
    let hub = HubThread::start();

    // The closure is sent to the hub; the future that it makes never leaves that OS thread.
    let answer = hub.spawn(|| async {
        let six = Rc::new(6);
        *six * 7
    });
    println!("the hub says {}", answer.await.expect("it does not fail"));

    let (sender, inbox) = mpsc::unbounded_channel();
    let counts = hub.spawn(move || count_words(inbox));

    let tasks: Vec<_> = "the quick brown fox jumps over the lazy dog"
        .split(' ')
        .map(|word| {
            let (word, sender) = (word.to_owned(), sender.clone());
            tokio::spawn(async move {
                let (answer, count) = oneshot::channel();
                sender.send((word.clone(), answer)).expect("the service runs");
                println!("{word}: {}", count.await.expect("the service answers"));
            })
        })
        .collect();
    drop(sender);
    for task in tasks {
        task.await.expect("it does not panic");
    }

    let counts = counts.await.expect("the service ends when nobody can send to it");
    assert_eq!(counts["the"], 2);
    assert_eq!(counts.len(), 8);
    hub.shutdown().await;
}
