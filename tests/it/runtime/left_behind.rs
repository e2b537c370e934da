//! Calls that nothing can interrupt, and a hub that ends.

use super::*;
use crate::support::Ear;

#[test]
fn what_blocks_is_waited_for_within_the_limit() {
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ear = Ear::open();
    Builder::new()
        .shutdown_timeout(ms(20))
        .run(async move {
            tokio::task::spawn_blocking(move || {
                begun.send(()).unwrap();
                let _disconnected = ended.recv();
            });
            has_begun.recv().unwrap();
        })
        .unwrap();
    let words =
        "the hub has ended, and what was given to Tokio's `spawn_blocking` goes on without it";
    assert_eq!(ear.heard(), [words]);
    drop(end);
}

#[test]
fn what_ends_in_time_is_no_matter() {
    let ear = Ear::open();
    let (done, is_done) = std::sync::mpsc::channel();
    run(async move {
        tokio::task::spawn_blocking(move || done.send(()).unwrap());
    });
    // Either it never began, or it was waited for.
    let _ended = is_done.try_recv();
    assert!(ear.heard().is_empty());
}

#[test]
fn a_panic_of_main_waits_no_longer() {
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let panicked = panics(|| {
        Builder::new().shutdown_timeout(ms(20)).run(async move {
            tokio::task::spawn_blocking(move || {
                begun.send(()).unwrap();
                let _disconnected = ended.recv();
            });
            has_begun.recv().unwrap();
            panic!("oops");
        })
    });
    assert_eq!(panicked.message, "oops");
    drop(end);
}
