//! unused `Put` that must be used
#![deny(unused_must_use)]

fn main() {
    eventlet::run(async {
        let queue = eventlet::Queue::new(1);
        queue.put("hello");
    });
}
