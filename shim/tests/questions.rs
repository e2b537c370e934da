//! Questions to name servers, which `res_nquery` asks by a state of its caller's.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::rc::Rc;

use eventlet::{Block, GreenThread};
use support::{MS, blocked_by, crowd, green, run, turns};

/// The part of `struct __res_state` that is looked at, and room for the rest.
#[repr(C)]
struct State {
    pause: c_int,
    attempts: c_int,
    options: u64,
    servers: c_int,
    first_server: libc::sockaddr_in,
    rest: [u64; 256],
}

type Ask = unsafe extern "C" fn(*mut State, *const c_char, c_int, c_int, *mut u8, c_int) -> c_int;

#[link(name = "resolv")]
unsafe extern "C" {
    fn __res_ninit(state: *mut State) -> c_int;
    fn __res_nclose(state: *mut State);
    safe fn __res_state() -> *mut c_void;
    safe fn __h_errno_location() -> *mut c_int;
    fn res_nquery(
        state: *mut State,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        room: c_int,
    ) -> c_int;
    fn res_nsearch(
        state: *mut State,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        room: c_int,
    ) -> c_int;
}

const HOST_NOT_FOUND: c_int = 1;
const ADDRESS: [u8; 4] = [192, 0, 2, 7];

impl State {
    /// Returns one that asks this server, once, and gives it a minute.
    fn of(server: SocketAddr) -> Box<State> {
        // SAFETY: all zeroes is a value of it.
        let mut state: Box<State> = unsafe { Box::new(std::mem::zeroed()) };
        // SAFETY: there is more room than it takes.
        assert_eq!(unsafe { __res_ninit(&mut *state) }, 0);
        (state.pause, state.attempts, state.servers) = (60, 1, 1);
        state.first_server.sin_family = libc::AF_INET as _;
        state.first_server.sin_port = server.port().to_be();
        state.first_server.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
        state
    }

    /// Asks for the address of a name. The error is `h_errno`.
    fn ask(&mut self, ask: Ask, name: &CStr) -> Result<[u8; 4], c_int> {
        let mut answer = [0; 512];
        // SAFETY: there is so much room, and the rest is there.
        let length = unsafe { ask(self, name.as_ptr(), 1, 1, answer.as_mut_ptr(), 512) };
        match usize::try_from(length) {
            Ok(length) => Ok(answer[length - 4..length].try_into().unwrap()),
            // SAFETY: that place is there as long as the OS thread.
            Err(_) => Err(unsafe { *__h_errno_location() }),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: it was initialized.
        unsafe { __res_nclose(self) };
    }
}

/// Answers a question: with an address, or that there is no such name.
fn answer(server: &UdpSocket) {
    let mut packet = [0; 512];
    let (length, client) = server.recv_from(&mut packet).unwrap();
    let mut reply = packet[..length].to_vec();
    let is_known = reply.windows(5).any(|part| part == b"known");
    (reply[2], reply[3]) = (0x81, if is_known { 0x80 } else { 0x83 });
    // No more than the question, and one answer.
    let end = 12 + reply[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    reply.truncate(end);
    reply[6..12].copy_from_slice(&[0, is_known.into(), 0, 0, 0, 0]);
    if is_known {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(ADDRESS);
    }
    server.send_to(&reply, client).unwrap();
}

/// Starts a green thread that answers so many questions, each after a while.
fn server(questions: usize) -> (GreenThread<()>, SocketAddr) {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let serving = green(move || {
        for _ in 0..questions {
            std::thread::sleep(5 * MS);
            answer(&server);
        }
    });
    (serving, address)
}

#[test]
fn others_run_meanwhile_such_as_the_server() {
    run(|| {
        for ask in [res_nquery as Ask, res_nsearch] {
            let (serving, address) = server(11);
            let answers = crowd(10, move |_| State::of(address).ask(ask, c"known.example."));
            assert_eq!(answers, [Ok(ADDRESS); 10]);
            let unknown = State::of(address).ask(ask, c"other.example.");
            assert_eq!(unknown, Err(HOST_NOT_FOUND));
            serving.block().unwrap();
        }
    });
}

#[test]
fn one_that_is_killed_goes_on_when_it_has_its_answer() {
    run(|| {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        let seen = Rc::new(Cell::new(None));
        let noted = seen.clone();
        let victim = green(move || {
            noted.set(Some(State::of(address).ask(res_nquery, c"known.example.")));
            eventlet::sleep(MS).block();
            unreachable!("it was killed");
        });
        victim.kill();
        assert!(victim.dead() && seen.get().is_none());
        answer(&server);
        while seen.get().is_none() {
            turns(1);
        }
        assert_eq!(seen.get(), Some(Ok(ADDRESS)));
    });
}

#[test]
fn the_state_of_the_os_thread_is_not_lent() {
    run(|| {
        let mut answer = [0; 512];
        // Nobody is asked for a name with such a part.
        let name = CString::new("a".repeat(64)).unwrap();
        let before = blocked_by("res_nquery");
        let state = __res_state().cast();
        // SAFETY: there is so much room, and the name is there.
        let asked = unsafe { res_nquery(state, name.as_ptr(), 1, 1, answer.as_mut_ptr(), 512) };
        assert_eq!((asked, blocked_by("res_nquery")), (-1, before + 1));
    });
}

#[test]
fn an_os_thread_asks_as_ever() {
    eventlet_shim::monkey_patch();
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let asking = std::thread::spawn(move || {
        let mut state = State::of(address);
        [c"known.example.", c"other.example."].map(|name| state.ask(res_nquery, name))
    });
    answer(&server);
    answer(&server);
    assert_eq!(asking.join().unwrap(), [Ok(ADDRESS), Err(HOST_NOT_FOUND)]);
}
