//! The same calls from C: a library that is built here, and opened as programs open theirs. And
//! what the doctor says of libraries whose calls go elsewhere.

#![allow(unsafe_code)]

mod support;

use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use eventlet::{Block, Timeout};
use eventlet_shim::{Object, doctor};
use support::{MS, alone, crowd, errno, green, os_threads, run, timed};

const SOURCE: &str = r#"
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef OWN_READ
#include <sys/syscall.h>
ssize_t read(int fd, void *to, size_t size) { return syscall(SYS_read, fd, to, size); }
#endif

long c_read(int fd, char *to, long size) { return read(fd, to, size); }
long c_write(int fd, const char *from, long size) { return write(fd, from, size); }
long c_recv(int fd, char *to, long size) { return recv(fd, to, size, 0); }
int c_poll(int fd, int milliseconds) {
    struct pollfd one = { .fd = fd, .events = POLLIN };
    return poll(&one, 1, milliseconds);
}
int c_usleep(int microseconds) { return usleep(microseconds); }
int c_nanosleep(long nanoseconds) {
    struct timespec time = { .tv_sec = 0, .tv_nsec = nanoseconds };
    return nanosleep(&time, 0);
}
"#;

/// Builds the library, if nobody did before, and returns its file.
fn build(name: &str, flags: &[&str]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("from_c_{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, library) = (folder.join("calls.c"), folder.join(format!("lib{name}.so")));
    std::fs::write(&source, SOURCE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1"]).args(flags).arg("-o").arg(&library).arg(&source);
    assert!(compiler.status().expect("the tests need a C compiler").success());
    library
}

/// A library that is open.
struct Library(*mut c_void);

impl Library {
    fn open(name: &str, flags: &[&str], mode: c_int) -> Library {
        let file = CString::new(build(name, flags).into_os_string().into_encoded_bytes()).unwrap();
        // SAFETY: it runs no code of the library, which has no constructors.
        let library = unsafe { libc::dlopen(file.as_ptr(), mode) };
        assert!(!library.is_null());
        Library(library)
    }

    fn find(&self, name: &str) -> *mut c_void {
        let name = CString::new(name).unwrap();
        // SAFETY: it looks a name up.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null());
        function
    }

    fn waits(&self, name: &str) -> unsafe extern "C" fn(c_int, c_int) -> c_int {
        // SAFETY: those that this is asked for have such a type, or ignore the second.
        unsafe { std::mem::transmute(self.find(name)) }
    }

    fn moves(&self, name: &str) -> unsafe extern "C" fn(c_int, *mut c_char, c_long) -> c_long {
        // SAFETY: those that this is asked for have this type.
        unsafe { std::mem::transmute(self.find(name)) }
    }
}

fn object(name: &str) -> Option<Object> {
    doctor().objects.into_iter().find(|object| object.file.ends_with(&format!("lib{name}.so")))
}

#[test]
fn c_sleeps_and_polls_a_hundred_at_a_time() {
    alone("c_sleeps_and_polls_a_hundred_at_a_time", || {
        run(|| {
            let library = Library::open("sleeps", &["-Wl,-z,now"], libc::RTLD_NOW);
            let (sleep, poll) = (library.waits("c_usleep"), library.waits("c_poll"));
            let before = os_threads();
            let (results, took) = timed(|| {
                crowd(100, move |number| {
                    let (wait, first, second) = match number % 2 {
                        0 => (sleep, 100_000, 0),
                        _ => (poll, -1, 100),
                    };
                    // SAFETY: they take numbers.
                    unsafe { wait(first, second) }
                })
            });
            assert_eq!(results, [0; 100]);
            // One after the other they take ten seconds.
            assert!(took >= 100 * MS && took < 5_000 * MS, "{took:?}");
            assert!(os_threads() <= before, "they took OS threads");
        });
    });
}

#[test]
fn c_reads_what_another_green_thread_writes() {
    run(|| {
        let library = Library::open("reads", &[], libc::RTLD_LAZY);
        for name in ["c_read", "c_recv"] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            let read = library.moves(name);
            let reader = green(move || {
                let mut text = [0_u8; 16];
                // SAFETY: there is so much room.
                let count = unsafe { read(theirs.as_raw_fd(), text.as_mut_ptr().cast(), 16) };
                text[..count as usize].to_vec()
            });
            ours.write_all(b"from Rust").unwrap();
            assert_eq!(reader.block().unwrap(), b"from Rust");
        }
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let write = library.moves("c_write");
        let writer = green(move || {
            let mut text = vec![7_u8; 1 << 20];
            // SAFETY: so much is there.
            unsafe { write(theirs.as_raw_fd(), text.as_mut_ptr().cast(), 1 << 20) }
        });
        let mut all = Vec::new();
        ours.read_to_end(&mut all).unwrap();
        assert_eq!((writer.block().unwrap(), all.len()), (1 << 20, 1 << 20));
    });
}

#[test]
fn a_call_of_c_ends_with_an_error_when_it_is_cancelled() {
    run(|| {
        let library = Library::open("cancelled", &[], libc::RTLD_NOW);
        let (read, poll) = (library.moves("c_read"), library.waits("c_poll"));
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let descriptor = theirs.as_raw_fd();
        let limit = Timeout::new(10 * MS);
        let late = limit.run_blocking(|| {
            let mut byte = 0;
            // SAFETY: there is room for a byte.
            assert_eq!(unsafe { read(descriptor, &mut byte, 1) }, -1);
            assert_eq!(errno(), libc::ETIMEDOUT);
            eventlet::sleep(MS).block();
        });
        assert_eq!(late, Err(limit));
        let victim = green(move || {
            // SAFETY: it takes numbers.
            let polled = unsafe { poll(descriptor, -1) };
            assert_eq!((polled, errno()), (-1, libc::ECANCELED));
            eventlet::sleep(MS).block();
        });
        victim.kill();
        assert!(victim.block().unwrap_err().is_killed());
    });
}

#[test]
fn off_green_stacks_c_waits_as_ever() {
    eventlet_shim::monkey_patch();
    let library = Library::open("plain", &[], libc::RTLD_NOW);
    let sleep = library.waits("c_nanosleep");
    let (slept, took) = std::thread::spawn(move || {
        // SAFETY: it takes a number.
        timed(|| unsafe { sleep(5_000_000, 0) })
    })
    .join()
    .unwrap();
    assert!(slept == 0 && took >= 5 * MS);
}

#[test]
fn the_doctor_names_what_a_library_calls() {
    let _library = Library::open("bound", &["-Wl,-z,now"], libc::RTLD_NOW);
    let bound = object("bound").unwrap();
    for name in ["read", "write", "recv", "poll", "usleep", "nanosleep"] {
        assert!(bound.bound.contains(&name), "{bound:?}");
    }
    assert!(!bound.bypasses() && !bound.symbolic);
    let _lazy = Library::open("lazy", &["-Wl,-z,lazy"], libc::RTLD_LAZY);
    let lazy = object("lazy").unwrap();
    assert!(lazy.unbound.contains(&"read") && !lazy.bypasses(), "{lazy:?}");
}

#[test]
fn the_doctor_names_what_goes_past_the_shim() {
    if std::env::var_os("FROM_C_ALONE").is_none() {
        // In a process of its own: what is opened here is bad for all that the doctor is asked.
        let test = ["--exact", "the_doctor_names_what_goes_past_the_shim"];
        let this = std::env::current_exe().unwrap();
        let output = Command::new(this).args(test).env("FROM_C_ALONE", "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    eventlet_shim::monkey_patch();
    assert!(doctor().is_well(), "{}", doctor());

    let _own = Library::open("own", &["-DOWN_READ", "-Wl,-Bsymbolic"], libc::RTLD_NOW);
    let own = object("own").unwrap();
    assert!(own.symbolic && own.own == ["read"] && own.bound.contains(&"write"), "{own:?}");
    assert!(doctor().to_string().contains("read BYPASSES: it calls its own"), "{}", doctor());
    assert!(!doctor().is_well());

    let deep = libc::RTLD_NOW | libc::RTLD_DEEPBIND;
    let library = Library::open("deep", &["-Wl,-z,now"], deep);
    let deep = object("deep").unwrap();
    let (_, owner) = deep.bypassed.iter().find(|(name, _)| *name == "usleep").unwrap();
    assert!(owner.as_deref().unwrap().contains("libc.so"), "{deep:?}");
    assert!(doctor().to_string().contains("usleep BYPASSES: it is bound to"), "{}", doctor());
    let sleep = library.waits("c_usleep");
    let waits = eventlet_shim::stats().waits;
    // SAFETY: it takes a number.
    eventlet::run(eventlet::stackful(move || unsafe { sleep(1_000, 0) }));
    assert_eq!(eventlet_shim::stats().waits, waits, "it did not go past the shim");
}

#[test]
fn the_doctor_names_handlers_that_have_no_stack_of_their_own() {
    extern "C" fn handler(_: c_int) {}

    let handle = |signal: c_int, flags: c_int| {
        // SAFETY: all zeroes is a value of it.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags;
        // SAFETY: the handler does nothing.
        assert_eq!(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }, 0);
    };
    handle(libc::SIGUSR1, libc::SA_ONSTACK);
    handle(libc::SIGUSR2, 0);
    let found = doctor();
    assert!(found.handlers.contains(&libc::SIGUSR2), "{found}");
    assert!(!found.handlers.contains(&libc::SIGUSR1), "{found}");
    assert!(found.to_string().contains("without SA_ONSTACK"), "{found}");
}

#[test]
fn the_doctor_ends_a_program_that_the_environment_sends_to_it() {
    if std::env::var_os("FROM_C_DOCTOR").is_some() {
        eventlet_shim::monkey_patch();
        unreachable!("the process has ended");
    }
    let test =
        ["--exact", "the_doctor_ends_a_program_that_the_environment_sends_to_it", "--nocapture"];
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(test).env("FROM_C_DOCTOR", "1").env("EVENTLET_SHIM", "doctor");
    let output = this.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("a round trip between two green threads: works"), "{text}");
    assert!(text.contains("reads that do not wait: there"), "{text}");
}
