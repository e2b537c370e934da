//! `usize` is not a future: for a plain function write `stackful(move || f(x))` in place of `f(x)`

fn count(words: &str) -> usize {
    words.split(' ').count()
}

fn main() {
    eventlet::run(async {
        let _gt = eventlet::spawn(count("to be or not"));
    });
}
