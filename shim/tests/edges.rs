//! At the edges: as many descriptors as the system allows, standard output that nobody reads, what
//! runs after a hub and beside it, and descriptors that are other ones now.

#![allow(unsafe_code)]

mod support;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use eventlet::{Block, spawn, stackful};
use eventlet_shim::stats;
use support::{MS, NEVER, crowd, run, timed, turns};

/// Returns the command that runs a test of this file in a process of its own. `None` in that
/// process.
fn in_child(test: &str) -> Option<Command> {
    if std::env::var_os("EDGES_CHILD").is_some() {
        return None;
    }
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", test, "--nocapture", "--quiet"]).env("EDGES_CHILD", "1");
    Some(this)
}

/// As [`in_child`], and runs it. Returns whether this is not that process.
fn was_run_in_child(test: &str) -> bool {
    let Some(mut child) = in_child(test) else { return false };
    let output = child.output().unwrap();
    io::stderr().write_all(&output.stderr).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    true
}

/// What a process of this user may have open, of 200,000.
fn room() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: there is room for the answer.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max.min(200_000);
    // SAFETY: the limit is there.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    limit.rlim_cur as usize
}

fn resident_kibibytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

#[test]
fn two_hundred_thousand_descriptors_are_open_if_the_system_allows() {
    if was_run_in_child("two_hundred_thousand_descriptors_are_open_if_the_system_allows") {
        return;
    }
    let room = room();
    run(move || {
        let null = File::open("/dev/null").unwrap();
        let wanted = room - 600;
        let open: Vec<_> = (0..wanted).map(|_| null.try_clone().unwrap()).collect();
        let highest = open.last().unwrap().as_raw_fd();
        eprintln!(
            "!! {} descriptors are open, the highest is {highest}; 200000 were asked for",
            open.len()
        );
        let before = resident_kibibytes();
        let served = crowd(100, |number| {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            let writer = spawn(stackful(move || {
                turns(1 + number % 3);
                theirs.write_all(&[number as u8]).unwrap();
            }));
            let mut byte = [0];
            ours.read_exact(&mut byte).unwrap();
            writer.block().unwrap();
            usize::from(byte[0]) == number && ours.as_raw_fd() > 0
        });
        assert_eq!(served, [true; 100]);
        // A stack for each, and chunks for the numbers in use, not one for each number below.
        let grown = resident_kibibytes().saturating_sub(before);
        assert!(grown < 20_000, "{grown} KiB more");
        assert!(highest as usize >= wanted);
    });
}

/// Prints when it is dropped.
struct Prints(usize);

impl Drop for Prints {
    fn drop(&mut self) {
        for line in 0..200 {
            println!("destructor {} {line:0100}", self.0);
        }
    }
}

#[test]
fn green_threads_print_to_a_full_pipe_in_whole_lines() {
    if let Some(mut child) = in_child("green_threads_print_to_a_full_pipe_in_whole_lines") {
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // The pipe is full long before that.
        std::thread::sleep(100 * MS);
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success(), "{text}");
        for who in ["printer 0", "printer 1", "destructor 0", "destructor 1"] {
            let lines = text.lines().filter(|line| line.contains(who));
            let whole = |line: &str| line.trim().split(' ').nth(2).is_some_and(|n| n.len() == 100);
            let wanted = if who.starts_with("p") { 1_000 } else { 200 };
            let (whole, all) = lines
                .fold((0, 0), |(all, count), line| (all + usize::from(whole(line)), count + 1));
            assert_eq!((whole, all), (wanted, wanted), "{who}");
        }
        return;
    }
    run(|| {
        crowd(2, |number| {
            for line in 0..1_000 {
                println!("printer {number} {line:0100}");
                if line % 10 == 0 {
                    turns(1);
                }
            }
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _prints = Prints(number);
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(unwound.is_err());
        });
    });
}

#[test]
fn a_hub_that_panics_leaves_plain_calls_and_the_next_hub() {
    let calls = || {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_read_timeout(Some(5 * MS)).unwrap();
        assert_eq!(theirs.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        ours.write_all(b"x").unwrap();
        theirs.read_exact(&mut [0]).unwrap();
        let (sender, receiver) = mpsc::channel();
        let other = std::thread::spawn(move || sender.send(7));
        assert_eq!(receiver.recv().unwrap(), 7);
        other.join().unwrap().unwrap();
        std::thread::sleep(MS);
    };
    run(calls);
    calls();
    let panicked = catch_unwind(|| {
        run(|| {
            let _parked = spawn(stackful(|| {
                let (mut ours, _theirs) = UnixStream::pair().unwrap();
                ours.read(&mut [0])
            }));
            turns(2);
            std::panic::resume_unwind(Box::new("on purpose"));
        })
    });
    assert!(panicked.is_err());
    calls();
    run(calls);
}

#[test]
fn calls_in_the_destructors_of_an_os_thread_are_plain() {
    struct Last(Arc<Mutex<Vec<&'static str>>>);

    impl Drop for Last {
        fn drop(&mut self) {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            ours.write_all(b"x").unwrap();
            theirs.read_exact(&mut [0]).unwrap();
            std::thread::sleep(MS);
            self.0.lock().unwrap().push("dropped");
        }
    }

    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }

    let log = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&log);
    std::thread::spawn(move || {
        LAST.set(Some(Last(theirs)));
        run(|| std::thread::sleep(MS));
    })
    .join()
    .unwrap();
    assert_eq!(*log.lock().unwrap(), ["dropped"]);
}

#[test]
fn the_os_threads_of_other_runtimes_are_never_suspended() {
    if was_run_in_child("the_os_threads_of_other_runtimes_are_never_suspended") {
        return;
    }
    eventlet_shim::monkey_patch();
    let before = stats();
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let ours = tokio::net::UnixStream::from_std(ours).unwrap();
            let plain = tokio::task::spawn_blocking(move || {
                std::thread::sleep(5 * MS);
                theirs.write_all(b"x").unwrap();
                theirs.read(&mut [0]).unwrap()
            });
            ours.readable().await.unwrap();
            tokio::time::sleep(MS).await;
            // A std call on the runtime's own OS thread blocks that, as ever.
            std::thread::sleep(MS);
            ours.try_write(b"y").unwrap();
            assert_eq!(plain.await.unwrap(), 1);
        });
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(stats(), before);
}

#[test]
fn a_number_that_is_used_again_has_nothing_of_the_one_before() {
    // Alone, as other tests would take the number.
    if was_run_in_child("a_number_that_is_used_again_has_nothing_of_the_one_before") {
        return;
    }
    run(|| {
        for _ in 0..50 {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let number = ours.as_raw_fd();
            ours.set_read_timeout(Some(MS)).unwrap();
            ours.set_read_timeout(Some(2 * MS)).unwrap();
            assert_eq!((&ours).read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            drop((ours, theirs));
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            assert_eq!(ours.as_raw_fd(), number);
            assert_eq!(ours.read_timeout().unwrap(), None);
            let writer = spawn(stackful(move || {
                std::thread::sleep(4 * MS);
                theirs.write_all(b"x").unwrap();
            }));
            ours.read_exact(&mut [0]).unwrap();
            writer.block().unwrap();
        }
    });
}

#[test]
fn a_descriptor_that_was_duplicated_shares_its_limits_and_its_waiters() {
    run(|| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(10 * MS)).unwrap();
        let copy: UnixStream = OwnedFd::from(ours.try_clone().unwrap()).into();
        let (late, took) = timed(|| (&copy).read(&mut [0]));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(took >= 10 * MS && took < NEVER, "{took:?}");
        ours.set_read_timeout(None).unwrap();
        let readers: Vec<_> = [ours, copy]
            .into_iter()
            .map(|mut socket| support::green(move || socket.read(&mut [0; 1]).unwrap()))
            .collect();
        theirs.write_all(b"xy").unwrap();
        assert!(readers.into_iter().all(|reader| reader.block().unwrap() == 1));
    });
}
