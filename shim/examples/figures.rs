//! Figures of the shim, each beside what it is to be compared with: `cargo run --release -p
//! eventlet-shim --example figures`.
//!
//! Round trips of one byte over pairs of sockets, by `green::os::unix::net` and by unmodified
//! `std`; the cost of a call that does not wait, with and without the shim in between, and of a
//! mutex that nobody has; sleeps; channels.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use eventlet::green::os::unix::net::UnixStream as GreenStream;
use eventlet::{Block, spawn, stackful};

/// Bounces a byte so many times between two ends, by so many pairs at once, and returns nanoseconds
/// for a round trip.
fn bounce<S: Read + Write + 'static>(
    pairs: usize,
    rounds: usize,
    make: impl Fn() -> (S, S),
) -> f64 {
    let mut all = Vec::new();
    let start = Instant::now();
    for _ in 0..pairs {
        let (mut one, mut other) = make();
        all.push(spawn(stackful(move || {
            let mut byte = [0];
            for _ in 0..rounds {
                one.write_all(&byte).unwrap();
                one.read_exact(&mut byte).unwrap();
            }
        })));
        all.push(spawn(stackful(move || {
            let mut byte = [0];
            while other.read_exact(&mut byte).is_ok() {
                other.write_all(&byte).unwrap();
            }
        })));
    }
    all.into_iter().for_each(|one| one.block().unwrap());
    start.elapsed().as_nanos() as f64 / (pairs * rounds) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn round_trips() {
    for (pairs, rounds) in [(1, 20_000), (500, 40)] {
        let (mut green, mut std, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..7 {
            let g = bounce(pairs, rounds, || GreenStream::pair().unwrap());
            let s = bounce(pairs, rounds, || UnixStream::pair().unwrap());
            green.push(g);
            std.push(s);
            ratios.push(s / g);
        }
        println!(
            "round trip, {pairs} pairs: green {:.0} ns, std under the shim {:.0} ns, ratio {:.2}",
            median(green),
            median(std),
            median(ratios)
        );
    }
}

/// Reads bytes that are there, on an OS thread, and returns nanoseconds for each.
fn ready_reads(read: impl Fn(i32, *mut u8) -> isize) -> f64 {
    const COUNT: usize = 100_000;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut times = Vec::new();
    for _ in 0..COUNT / 100 {
        (&theirs).write_all(&[1; 100]).unwrap();
        let start = Instant::now();
        for _ in 0..100 {
            let mut byte = 0;
            assert_eq!(read(ours.as_raw_fd(), &mut byte), 1);
        }
        times.push(start.elapsed().as_nanos() as f64 / 100.0);
    }
    median(times)
}

/// By a function that is not replaced.
fn bare(descriptor: i32, byte: *mut u8) -> isize {
    let piece = libc::iovec { iov_base: byte.cast(), iov_len: 1 };
    // SAFETY: there is room for the byte. `preadv2` is not replaced, and with this offset reads as
    // `readv`.
    unsafe { libc::preadv2(descriptor, &piece, 1, -1, 0) }
}

/// The same by `readv`, which is replaced.
fn replaced(descriptor: i32, byte: *mut u8) -> isize {
    let piece = libc::iovec { iov_base: byte.cast(), iov_len: 1 };
    // SAFETY: there is room for the byte.
    unsafe { libc::readv(descriptor, &piece, 1) }
}

fn sleeps() {
    let start = Instant::now();
    let nap = || std::thread::sleep(Duration::from_millis(1));
    let all: Vec<_> = (0..1_000).map(|_| spawn(stackful(nap))).collect();
    all.into_iter().for_each(|one| one.block().unwrap());
    let each = start.elapsed().as_nanos() as c_long / 1_000;
    println!("1,000 x std::thread::sleep(1 ms) at once: {each} ns each");
}

type Takes = unsafe extern "C" fn(*mut libc::pthread_mutex_t) -> c_int;

/// Returns libc's own function of a name, behind that of the shim.
fn own(name: &CStr) -> Takes {
    // SAFETY: it looks a name up.
    let function = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!function.is_null());
    // SAFETY: it is asked for functions of this type.
    unsafe { std::mem::transmute::<*mut c_void, Takes>(function) }
}

/// Locks and unlocks a mutex that nobody has, and returns nanoseconds for both.
fn locks(lock: Takes, unlock: Takes) -> f64 {
    const COUNT: u32 = 100_000;
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    let mut round = || {
        let start = Instant::now();
        for _ in 0..COUNT {
            // SAFETY: it is a mutex.
            unsafe { lock(&mut mutex) };
            // SAFETY: likewise.
            unsafe { unlock(&mut mutex) };
        }
        start.elapsed().as_nanos() as f64 / f64::from(COUNT)
    };
    median((0..15).map(|_| round()).collect())
}

fn uncontended(place: &str) {
    let libcs = locks(own(c"pthread_mutex_lock"), own(c"pthread_mutex_unlock"));
    let shims = locks(libc::pthread_mutex_lock, libc::pthread_mutex_unlock);
    println!(
        "pthread_mutex_lock and _unlock, {place}: libc's {libcs:.1} ns, the shim's {shims:.1} ns"
    );
}

/// Passes items to and fro by two channels, and returns nanoseconds for a round trip.
macro_rules! pass {
    ($channel:expr) => {{
        const ROUNDS: usize = 20_000;
        let (ask, asked) = $channel;
        let (answer, answered) = $channel;
        let other = spawn(stackful(move || {
            while let Ok(item) = asked.recv() {
                let _over = answer.send(item);
            }
        }));
        let start = Instant::now();
        for item in 0..ROUNDS {
            ask.send(item).unwrap();
            assert_eq!(answered.recv(), Ok(item));
        }
        let took = start.elapsed().as_nanos() as f64 / ROUNDS as f64;
        drop(ask);
        other.block().unwrap();
        took
    }};
}

fn channels() {
    let green = pass!(eventlet::green::sync::mpsc::channel());
    let std = pass!(std::sync::mpsc::channel());
    println!("a round trip by channels: green {green:.0} ns, std under the shim {std:.0} ns");
}

fn main() {
    eventlet_shim::monkey_patch();
    uncontended("off green stacks");
    println!(
        "a read that is ready, off green stacks: preadv2 (libc's) {:.0} ns, readv (the shim's) {:.0} ns",
        ready_reads(bare),
        ready_reads(replaced)
    );
    eventlet::run(stackful(|| {
        uncontended("on a green stack");
        round_trips();
        sleeps();
        channels();
    }));
}
