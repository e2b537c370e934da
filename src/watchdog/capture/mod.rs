//! Where an OS thread is that runs: it is sent a signal, and the handler copies its registers and
//! the top of its stack.
//!
//! What that means is found out elsewhere, on the OS thread that asked, and from the copy alone:
//! the code that was interrupted may be in the middle of anything, of a switch of stacks for one,
//! where what an unwinder is told of the stack is not true. An unwinder in the handler would follow
//! that to memory that is not there, and so end the process. One that reads a copy comes to its
//! end.
//!
//! # In a signal handler
//!
//! The code that was interrupted may hold any lock. So the handler takes no lock and allocates
//! nothing. It reads its context, the stack from its pointer up to the end that is known, and
//! memory of this file.
//!
//! It runs on the signal stack of its OS thread where that has one, as there may be no room on a
//! green stack. std gives one to `main` and to each OS thread that it starts.
//!
//! `SIGURG` is the signal, as in Go: it is ignored unless somebody asks for it, debuggers let it
//! through, and hardly any library uses it. A handler that was there before gets every signal that
//! is not ours.
//!
//! | file | what it holds |
//! |---|---|
//! | `registers` | what an unwinder starts from |
//! | `unwind` | from the copy of a stack to addresses |
//! | `objects` | the unwind tables of the program and its libraries |
//! | `names` | from addresses to functions |
//!
//! # Invariants
//!
//! - **I1**: `PREVIOUS` is what the kernel returned as the action for the signal, so its handler is
//!   a function of the kind that its flags say.
//! - **I2**: an OS thread is sent the signal only while the lock of the watchdog is held, in whose
//!   list it is: it takes itself out, with that lock, before it ends.
//! - **I3**: a `Stack` is where the stack of its OS thread is, all of which can be read from the
//!   stack pointer up.
#![allow(unsafe_code)]

mod names;
mod objects;
mod registers;
mod unwind;

use std::ffi::c_void;
use std::io;
use std::mem;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, siginfo_t};

#[cfg(feature = "stackful")]
use crate::stackful::end_of_stack;
use registers::Registers;

/// What the OS thread is sent.
const SIGNAL: c_int = libc::SIGURG;

/// Words of the stack that are copied at most: 64 KiB.
const MOST_WORDS: usize = 8192;

const WORD: usize = size_of::<usize>();

/// How long an answer is waited for. One comes within microseconds, where the OS thread runs.
const PATIENCE: Duration = Duration::from_millis(200);

/// The action for the signal before ours.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

static QUESTION: Question = Question {
    state: AtomicU32::new(IDLE),
    thread: AtomicUsize::new(0),
    start: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
    registers: [const { AtomicUsize::new(0) }; Registers::COUNT],
    len: AtomicUsize::new(0),
    words: [const { AtomicUsize::new(0) }; MOST_WORDS],
};

/// What one OS thread is asked at a time, and its answer.
struct Question {
    state: AtomicU32,
    thread: AtomicUsize,
    /// Where its stack is.
    start: AtomicUsize,
    end: AtomicUsize,
    registers: [AtomicUsize; Registers::COUNT],
    /// How many words were copied.
    len: AtomicUsize,
    words: [AtomicUsize; MOST_WORDS],
}

const IDLE: u32 = 0;
/// The signal was sent.
const ASKED: u32 = 1;
/// The handler writes.
const ANSWERING: u32 = 2;
const ANSWERED: u32 = 3;

/// An OS thread that may be asked.
pub(super) struct Target {
    thread: usize,
    /// Empty where the system does not tell.
    stack: Range<usize>,
}

impl Target {
    pub(super) fn this_thread() -> Target {
        Target { thread: this_thread(), stack: stack_of_this_thread().unwrap_or(0..0) }
    }
}

fn this_thread() -> usize {
    // SAFETY: it may be called at any time, also in a signal handler.
    unsafe { libc::pthread_self() as usize }
}

fn stack_of_this_thread() -> Option<Range<usize>> {
    let this_thread = this_thread() as libc::pthread_t;
    // SAFETY: all zero is as good as anything else for what is written next.
    let mut attributes = unsafe { mem::zeroed() };
    // SAFETY: this OS thread has not ended, and it writes the attributes there.
    if unsafe { libc::pthread_getattr_np(this_thread, &mut attributes) } != 0 {
        return None;
    }
    let (mut start, mut len) = (ptr::null_mut(), 0);
    // SAFETY: the attributes are there, and it writes the other two.
    let failed = unsafe { libc::pthread_attr_getstack(&attributes, &mut start, &mut len) } != 0;
    // SAFETY: the attributes are there, and are not used again.
    unsafe { libc::pthread_attr_destroy(&mut attributes) };
    (!failed).then(|| start.addr()..start.addr() + len)
}

/// An OS thread as it was at a moment.
pub(super) struct Frames {
    registers: Registers,
    /// The stack, from its pointer up, as far as it was copied.
    stack: Vec<usize>,
}

/// Prepares the process for the signal.
pub(super) fn prepare() -> io::Result<()> {
    if PREVIOUS.get().is_none() {
        let previous = action()?;
        // Set before the handler is, which reads it. Whoever comes second does the same again.
        let _same = PREVIOUS.set(previous);
        set_action()?;
    }
    Ok(())
}

/// Returns where an OS thread is, unless it does not answer.
pub(super) fn capture(target: &Target) -> Option<Frames> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_ours(&action().ok()?) {
        return None;
    }
    QUESTION.thread.store(target.thread, Ordering::Relaxed);
    QUESTION.start.store(target.stack.start, Ordering::Relaxed);
    QUESTION.end.store(target.stack.end, Ordering::Relaxed);
    QUESTION.state.store(ASKED, Ordering::Release);
    // SAFETY: by I2 the OS thread has not ended.
    let sent = unsafe { libc::pthread_kill(target.thread as libc::pthread_t, SIGNAL) } == 0;
    let answered = sent && is_answered();
    let frames = answered.then(|| QUESTION.frames());
    QUESTION.state.store(IDLE, Ordering::Release);
    frames
}

/// Waits for the answer. One that comes too late is nobody's.
fn is_answered() -> bool {
    let asked = Instant::now();
    while QUESTION.state.load(Ordering::Acquire) != ANSWERED {
        if asked.elapsed() > PATIENCE && QUESTION.moves(ASKED, IDLE) {
            return false;
        }
        thread::sleep(Duration::from_micros(50));
    }
    true
}

impl Question {
    fn moves(&self, from: u32, to: u32) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn frames(&self) -> Frames {
        let load = |word: &AtomicUsize| word.load(Ordering::Relaxed);
        let len = load(&self.len);
        Frames {
            registers: Registers(self.registers.each_ref().map(load)),
            stack: self.words[..len].iter().map(load).collect(),
        }
    }

    /// Notes where this OS thread was interrupted. Called in the signal handler.
    fn answer(&self, registers: &Registers) {
        for (place, register) in self.registers.iter().zip(registers.0) {
            place.store(register, Ordering::Relaxed);
        }
        let at = registers.stack_pointer().next_multiple_of(WORD);
        let words = (self.end_of_stack(at).unwrap_or(at).saturating_sub(at) / WORD).min(MOST_WORDS);
        for (number, place) in self.words[..words].iter().enumerate() {
            let word = ptr::with_exposed_provenance::<usize>(at + number * WORD);
            // SAFETY: by I3 it is there. Whatever it holds, volatile, as the compiler knows nothing
            // of it.
            place.store(unsafe { word.read_volatile() }, Ordering::Relaxed);
        }
        self.len.store(words, Ordering::Relaxed);
    }

    /// Returns the end of the stack that an address is in: that of this OS thread, or a green one.
    fn end_of_stack(&self, at: usize) -> Option<usize> {
        let stack = self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed);
        if stack.contains(&at) { Some(stack.end) } else { end_of_stack(at) }
    }
}

#[cfg(not(feature = "stackful"))]
fn end_of_stack(_at: usize) -> Option<usize> {
    None
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Handles the signal: answers, if it is asked.
extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let is_asked = QUESTION.thread.load(Ordering::Relaxed) == this_thread();
    if is_asked && QUESTION.moves(ASKED, ANSWERING) {
        // SAFETY: the kernel calls this with the context that it interrupted.
        QUESTION.answer(&Registers::of(unsafe { &*context.cast() }));
        QUESTION.state.store(ANSWERED, Ordering::Release);
    } else {
        hand_on(signal, info, context);
    }
}

/// Lets the previous action do what it does. The default one is to do nothing.
fn hand_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(previous) = PREVIOUS.get() else { return };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {}
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: by I1.
            let handler = unsafe { mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: by I1.
            let handler = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Returns the action for the signal.
fn action() -> io::Result<libc::sigaction> {
    // SAFETY: all zero is an action: the default one.
    let mut action = unsafe { mem::zeroed() };
    // SAFETY: it only writes the action there.
    match unsafe { libc::sigaction(SIGNAL, ptr::null(), &mut action) } {
        0 => Ok(action),
        _ => Err(io::Error::last_os_error()),
    }
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == on_signal as Handler as usize
}

fn set_action() -> io::Result<()> {
    // SAFETY: all zero is an action: one that blocks no other signal.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_signal as Handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the action is ours, whose handler may be called at any time.
    match unsafe { libc::sigaction(SIGNAL, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Frames {
    /// Finds out what it was that ran, and returns a line or two for each function.
    pub(super) fn describe(&self) -> String {
        names::describe(&unwind::addresses(self))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use super::*;

    #[inline(never)]
    fn spins_here(end: &AtomicBool) {
        while !end.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn an_os_thread_is_seen_where_it_is_and_goes_on() {
        let (sender, receiver) = mpsc::channel();
        let end = AtomicBool::new(false);
        prepare().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(Target::this_thread()).unwrap();
                spins_here(&end);
            });
            let target = receiver.recv().unwrap();
            let seen = (0..1000).find(|_| {
                capture(&target).is_some_and(|frames| frames.describe().contains("spins_here"))
            });
            end.store(true, Ordering::Relaxed);
            assert!(seen.is_some(), "it was never seen there");
        });
    }

    /// It allocates, unwinds, and switches stacks all the time.
    #[test]
    fn a_busy_hub_that_is_asked_again_and_again_is_none_the_worse() {
        static END: AtomicBool = AtomicBool::new(false);
        let (sender, receiver) = mpsc::channel();
        prepare().unwrap();
        let hub = thread::spawn(|| {
            crate::run(async move {
                sender.send(Target::this_thread()).unwrap();
                while !END.load(Ordering::Relaxed) {
                    let sum = async { (0..9).map(|i| vec![i; 9].len()).sum::<usize>() };
                    assert_eq!(crate::spawn(sum).await.unwrap(), 81);
                    let killed = crate::spawn(waits());
                    crate::sleep(Duration::ZERO).await;
                    killed.kill();
                }
            });
        });
        let target = receiver.recv().unwrap();
        let answers = (0..5_000).filter(|_| capture(&target).is_some()).count();
        END.store(true, Ordering::Relaxed);
        hub.join().unwrap();
        assert!(answers > 1_000, "{answers}");
    }

    /// Clients of both colours find every byte where it belongs, whatever the signals interrupt.
    #[cfg(feature = "stackful")]
    #[test]
    #[ignore = "it takes some half a minute"]
    fn an_echo_server_under_a_hundred_thousand_signals_is_none_the_worse() {
        use std::io::{Read, Write};
        use std::net::TcpStream;
        use std::sync::atomic::AtomicU64;

        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        static END: AtomicBool = AtomicBool::new(false);
        static ECHOED: AtomicU64 = AtomicU64::new(0);

        fn client(address: std::net::SocketAddr, seed: u8) {
            let mut conn = TcpStream::connect(address).unwrap();
            let (sent, mut back) = ([seed; 512], [0; 512]);
            while !END.load(Ordering::Relaxed) {
                conn.write_all(&sent).unwrap();
                conn.read_exact(&mut back).unwrap();
                assert_eq!(sent, back);
                ECHOED.fetch_add(1, Ordering::Relaxed);
            }
        }

        let (sender, receiver) = mpsc::channel();
        prepare().unwrap();
        let hub = thread::spawn(|| {
            crate::run(async move {
                let listener = crate::listen("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                sender.send((Target::this_thread(), address)).unwrap();
                let clients = (0..4).map(|seed| thread::spawn(move || client(address, seed)));
                let clients: Vec<_> = clients.collect();
                let stackless = |mut conn: tokio::net::TcpStream| async move {
                    let mut bytes = [0; 512];
                    while conn.read_exact(&mut bytes).await.is_ok() {
                        conn.write_all(&bytes).await.unwrap();
                    }
                };
                let mut servers = Vec::new();
                for number in 0..clients.len() {
                    let (conn, _address) = listener.accept().await.unwrap();
                    servers.push(match number % 2 {
                        0 => crate::spawn(stackless(conn)),
                        _ => crate::spawn(crate::stackful(move || {
                            crate::Block::block(stackless(conn));
                        })),
                    });
                }
                for server in servers {
                    server.await.unwrap();
                }
                clients.into_iter().for_each(|client| client.join().unwrap());
            });
        });
        let (target, _address) = receiver.recv().unwrap();
        let (start, mut asked, mut answered) = (Instant::now(), 0, 0);
        while asked < 100_000 && start.elapsed() < Duration::from_secs(120) {
            asked += 1;
            answered += u32::from(capture(&target).is_some());
        }
        END.store(true, Ordering::Relaxed);
        hub.join().unwrap();
        let echoed = ECHOED.load(Ordering::Relaxed);
        eprintln!("{asked} signals, {answered} answered in {:?}, {echoed} echoes", start.elapsed());
        assert!(answered > asked / 2 && asked > 10_000 && echoed > 1_000);
    }

    #[cfg(not(feature = "stackful"))]
    fn waits() -> impl Future<Output = ()> {
        std::future::pending()
    }

    #[cfg(feature = "stackful")]
    fn waits() -> impl Future<Output = ()> {
        crate::stackful(|| crate::Block::block(std::future::pending()))
    }
}
