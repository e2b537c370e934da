//! `u8` is not a future

use eventlet::{Block, stackful};

fn main() {
    eventlet::run(stackful(|| 5_u8.block()));
}
