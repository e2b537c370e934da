//! closure may outlive the current function, but it borrows `name`

use eventlet::{spawn, stackful};

fn greet(name: String) {
    let _gt = spawn(stackful(|| println!("hello {name}")));
}

fn main() {
    eventlet::run(async { greet("Ann".to_owned()) });
}
