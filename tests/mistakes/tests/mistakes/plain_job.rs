//! `u32` is not a future: for a plain function write `stackful(move || f(x))` in place of `f(x)`

fn double(n: u32) -> u32 {
    n * 2
}

fn main() {
    eventlet::run(async {
        let _map = eventlet::GreenPool::new(2).imap(double, [1, 2, 3]);
    });
}
