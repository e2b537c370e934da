//! greenlet's famous example: two plain functions switch to each other, and print 12, 56, 34.
//!
//!     cargo run --example greenlet_switch
//!
//! A green thread runs when it is woken, not when it is switched to. So a switch is made of two
//! waits: it puts a token into the queue of the other, which wakes it, and waits for one in its
//! own.

use eventlet::{Block, GreenThread, Queue, run, spawn, stackful};

/// Switches to a green thread. It has no room for tokens, so a `put` returns once the token was
/// taken.
type Switch = Queue<()>;

/// Switches to the other, and returns when another green thread switches back.
fn switch(here: &Switch, other: &Switch) {
    other.put(()).block();
    here.get().block();
}

fn test1(gr1: &Switch, gr2: &Switch) {
    println!("12");
    switch(gr1, gr2);
    println!("34");
}

fn test2(gr1: &Switch, gr2: &Switch) {
    println!("56");
    switch(gr2, gr1);
    println!("78");
}

/// Makes a green thread that begins at the first switch to it.
fn greenlet(here: &Switch, function: impl FnOnce() + 'static) -> GreenThread<()> {
    let here = here.clone();
    spawn(stackful(move || {
        here.get().block();
        function();
    }))
}

fn main() {
    run(stackful(|| {
        let (gr1, gr2) = (Switch::new(0), Switch::new(0));
        let (one, two) = (gr1.clone(), gr2.clone());
        let first = greenlet(&gr1, move || test1(&one, &two));
        let (one, two) = (gr1.clone(), gr2);
        let second = greenlet(&two.clone(), move || test2(&one, &two));

        gr1.put(()).block();
        first.block().expect("test1 ends by itself");
        // No green thread switches to test2 again, so 78 is never printed: its stack is unwound
        // instead.
        second.kill();
    }));
}
