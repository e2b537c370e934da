//! greenlet's famous example: two plain functions hand control to each other, and print 12, 56, 34.
//!
//!     cargo run --example greenlet_switch
//!
//! A green thread runs when it is woken, not when it is switched to. So a switch is made of two
//! waits: it puts a token into the queue of the other, which wakes it, and waits for one in its
//! own.

use eventlet::{Block, GreenThread, Queue, run, spawn, stackful};

/// What hands control to a green thread. Without room for tokens, so who hands one over has met its
/// taker.
type Switch = Queue<()>;

/// Goes on with the other, and returns when somebody switches back here.
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

/// Makes a green thread that begins when somebody switches to it.
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
        // Nobody switches to test2 again, so 78 is never printed: its stack is unwound instead.
        second.kill();
    }));
}
