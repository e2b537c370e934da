//! Look-ups of names: by libc in an OS thread, and by the resolver of the hub.

#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use eventlet::runtime::{Builder, Resolving};
use eventlet::{Block, Timeout, stackful, tpool};
use libc::{addrinfo, hostent, size_t, sockaddr, sockaddr_in, sockaddr_in6, socklen_t};
use support::{MS, alone, crowd, errno, green, os_threads, run};

unsafe extern "C" {
    fn gethostbyname(host: *const c_char) -> *mut hostent;
    fn gethostbyname2(host: *const c_char, family: c_int) -> *mut hostent;
    fn gethostbyaddr(host: *const c_void, length: socklen_t, family: c_int) -> *mut hostent;
    fn gethostbyname_r(
        host: *const c_char,
        entry: *mut hostent,
        buffer: *mut c_char,
        length: size_t,
        result: *mut *mut hostent,
        h_errno: *mut c_int,
    ) -> c_int;
    fn gethostbyname2_r(
        host: *const c_char,
        family: c_int,
        entry: *mut hostent,
        buffer: *mut c_char,
        length: size_t,
        result: *mut *mut hostent,
        h_errno: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        host: *const c_void,
        size: socklen_t,
        family: c_int,
        entry: *mut hostent,
        buffer: *mut c_char,
        length: size_t,
        result: *mut *mut hostent,
        h_errno: *mut c_int,
    ) -> c_int;
    fn __h_errno_location() -> *mut c_int;
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const OTHER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));

/// How many questions are open with the resolver.
static OPEN: AtomicUsize = AtomicUsize::new(0);

struct Open;

impl Open {
    fn new() -> Open {
        OPEN.fetch_add(1, Ordering::SeqCst);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A resolver that knows some names under `example`.
fn resolver(name: &str) -> Resolving {
    let failed = |kind: io::ErrorKind| Err(io::Error::from(kind));
    let found = match name {
        "both.example" => Ok(vec![V6, V4, OTHER_V4]),
        "four.example" => Ok(vec![V4, OTHER_V4]),
        "other.example" => Ok(vec![OTHER_V4]),
        "here.example" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
        "silent.example" => {
            let open = Open::new();
            return Box::pin(async move {
                let _open = open;
                pending().await
            });
        }
        "late.example" => failed(io::ErrorKind::TimedOut),
        "broken.example" => Err(io::Error::from_raw_os_error(libc::ENETUNREACH)),
        "panic.example" => panic!("a resolver that panics, as this test wants it"),
        _ => failed(io::ErrorKind::NotFound),
    };
    Box::pin(async { found })
}

/// Runs a test on a green stack of a hub that has that resolver.
fn run_with_resolver(test: impl FnOnce() + 'static) {
    eventlet_shim::monkey_patch();
    Builder::new().resolver(resolver).run(stackful(test)).unwrap();
}

/// What a look-up of `getaddrinfo` gave.
#[derive(Debug, PartialEq)]
struct Found {
    addresses: Vec<(IpAddr, u16)>,
    name: Option<String>,
}

/// Calls `getaddrinfo` for streams.
fn look_up(name: &str, service: Option<&str>, flags: c_int, family: c_int) -> Result<Found, c_int> {
    let name = CString::new(name).unwrap();
    let service = service.map(|service| CString::new(service).unwrap());
    // SAFETY: all zeroes is a value of it.
    let mut hints: addrinfo = unsafe { std::mem::zeroed() };
    (hints.ai_flags, hints.ai_family, hints.ai_socktype) = (flags, family, libc::SOCK_STREAM);
    let service = service.as_ref().map_or(ptr::null(), |service| service.as_ptr());
    let mut list = ptr::null_mut();
    // SAFETY: all of it is there.
    match unsafe { libc::getaddrinfo(name.as_ptr(), service, &hints, &mut list) } {
        // SAFETY: it is a list.
        0 => Ok(unsafe { read(list) }),
        error => Err(error),
    }
}

/// Reads a list, and frees it.
unsafe fn read(list: *mut addrinfo) -> Found {
    let mut found = Found { addresses: Vec::new(), name: None };
    let mut next = list;
    // SAFETY: the elements of the list are there.
    while let Some(element) = unsafe { next.as_ref() } {
        if !element.ai_canonname.is_null() {
            // SAFETY: it is a string.
            found.name = Some(unsafe { text(element.ai_canonname) });
        }
        // SAFETY: it is an address.
        found.addresses.push(unsafe { address(element.ai_addr) });
        next = element.ai_next;
    }
    // SAFETY: it is a list of `getaddrinfo`.
    unsafe { libc::freeaddrinfo(list) };
    found
}

unsafe fn address(address: *const sockaddr) -> (IpAddr, u16) {
    // SAFETY: the caller says so.
    match c_int::from(unsafe { (*address).sa_family }) {
        libc::AF_INET => {
            // SAFETY: its family says so.
            let v4 = unsafe { *address.cast::<sockaddr_in>() };
            (Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into(), u16::from_be(v4.sin_port))
        }
        libc::AF_INET6 => {
            // SAFETY: its family says so.
            let v6 = unsafe { *address.cast::<sockaddr_in6>() };
            (Ipv6Addr::from(v6.sin6_addr.s6_addr).into(), u16::from_be(v6.sin6_port))
        }
        other => panic!("family {other}"),
    }
}

unsafe fn text(text: *const c_char) -> String {
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

/// The name and the addresses of a host.
type Host = (String, Vec<Vec<u8>>);

unsafe fn entry(entry: *const hostent) -> Option<Host> {
    // SAFETY: the caller says so.
    let entry = unsafe { entry.as_ref() }?;
    let mut addresses = Vec::new();
    let mut next = entry.h_addr_list;
    // SAFETY: the list ends with null.
    while let Some(at) = unsafe { next.as_ref() }.filter(|at| !at.is_null()) {
        // SAFETY: the address is so long.
        let bytes = unsafe { std::slice::from_raw_parts(at.cast::<u8>(), entry.h_length as usize) };
        addresses.push(bytes.to_vec());
        next = next.wrapping_add(1);
    }
    // SAFETY: it is a string.
    Some((unsafe { text(entry.h_name) }, addresses))
}

fn h_errno() -> c_int {
    // SAFETY: it returns the place of this OS thread's.
    let place = unsafe { __h_errno_location() };
    // SAFETY: it is there.
    unsafe { *place }
}

/// What `gethostbyname` gives, or its `h_errno`.
fn by_name(name: &str) -> Result<Host, c_int> {
    let name = CString::new(name).unwrap();
    // SAFETY: the name is there.
    let found = unsafe { gethostbyname(name.as_ptr()) };
    // SAFETY: it is null or an entry.
    unsafe { entry(found) }.ok_or_else(h_errno)
}

/// What `gethostbyname_r` gives with so much room, or what it returns and its `h_errno`.
fn by_name_r(name: &str, room: usize) -> Result<Host, (c_int, c_int)> {
    let name = CString::new(name).unwrap();
    // SAFETY: all zeroes is a value of it.
    let mut place: hostent = unsafe { std::mem::zeroed() };
    let mut buffer = vec![0; room];
    let (mut result, mut h_errno) = (ptr::null_mut(), 0);
    // SAFETY: there is so much room.
    let error = unsafe {
        let room = buffer.as_mut_ptr();
        gethostbyname_r(name.as_ptr(), &mut place, room, buffer.len(), &mut result, &mut h_errno)
    };
    // SAFETY: it is null or an entry.
    unsafe { entry(result) }.ok_or((error, h_errno))
}

/// What `getnameinfo` gives for port 80 of this machine.
fn name_of_here(flags: c_int) -> Result<(String, String), c_int> {
    // SAFETY: all zeroes is a value of it.
    let mut here: sockaddr_in = unsafe { std::mem::zeroed() };
    here.sin_family = libc::AF_INET as u16;
    here.sin_port = 80_u16.to_be();
    here.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
    let (mut host, mut service) = ([0; 256], [0; 32]);
    let length = size_of::<sockaddr_in>() as socklen_t;
    // SAFETY: the address is there, and there is so much room.
    let error = unsafe {
        let at = (&raw const here).cast();
        let (host, service) = (host.as_mut_ptr(), service.as_mut_ptr());
        libc::getnameinfo(at, length, host, 256, service, 32, flags)
    };
    // SAFETY: it is a string.
    let text = |found: &[c_char]| unsafe { text(found.as_ptr()) };
    if error == 0 { Ok((text(&host), text(&service))) } else { Err(error) }
}

/// Each function asked for this machine, which the file of hosts knows.
fn all_of_here() -> Vec<String> {
    let (host, here) = (c"localhost", [127_u8, 0, 0, 1]);
    let at = here.as_ptr().cast::<c_void>();
    let calls: [fn(*const c_char, *const c_void) -> *mut hostent; 3] = [
        // SAFETY: the name is there.
        |host, _| unsafe { gethostbyname(host) },
        // SAFETY: the name is there.
        |host, _| unsafe { gethostbyname2(host, libc::AF_INET) },
        // SAFETY: the address is there.
        |_, here| unsafe { gethostbyaddr(here, 4, libc::AF_INET) },
    ];
    // SAFETY: it is null, or an entry until the next call.
    let answer = |found: *mut hostent| unsafe { entry(found) };
    let mut found: Vec<_> = calls.into_iter().map(|call| answer(call(host.as_ptr(), at))).collect();
    // SAFETY: all zeroes is a value of it.
    let mut place: hostent = unsafe { std::mem::zeroed() };
    let mut buffer = [0; 2048];
    let (mut result, mut error) = (ptr::null_mut(), 0);
    let (room, length) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: there is so much room.
    let returned = unsafe {
        let family = libc::AF_INET;
        gethostbyname2_r(host.as_ptr(), family, &mut place, room, length, &mut result, &mut error)
    };
    assert_eq!(returned, 0);
    found.push(answer(result));
    // SAFETY: there is so much room.
    let returned = unsafe {
        let family = libc::AF_INET;
        gethostbyaddr_r(at, 4, family, &mut place, room, length, &mut result, &mut error)
    };
    assert_eq!(returned, 0);
    found.push(answer(result));
    assert!(found.iter().all(Option::is_some), "{found:?}");
    let mut all: Vec<_> = found.iter().map(|found| format!("{found:?}")).collect();
    all.push(format!("{:?}", by_name_r("localhost", 2048)));
    all.push(format!("{:?}", name_of_here(0)));
    all.push(format!("{:?}", name_of_here(libc::NI_NUMERICHOST | libc::NI_NUMERICSERV)));
    all.push(format!("{:?}", look_up("localhost", Some("http"), 0, libc::AF_INET)));
    all.push(format!("{:?}", look_up("127.1", Some("80"), libc::AI_CANONNAME, libc::AF_INET)));
    all.push(format!("{:?}", look_up("::1", Some("80"), 0, libc::AF_INET)));
    all.push(format!("{:?}", look_up("localhost", Some("no-service"), 0, libc::AF_INET)));
    all
}

#[test]
fn each_function_answers_as_libc_does() {
    let plain = all_of_here();
    run(move || {
        let before = eventlet_shim::stats();
        assert_eq!(all_of_here(), plain);
        let after = eventlet_shim::stats();
        assert!(after.waits >= before.waits + 7, "{before:?} {after:?}");
        assert_eq!(crowd(20, |_| all_of_here()), vec![plain; 20]);
    });
}

#[test]
fn what_is_in_numbers_needs_no_os_thread() {
    alone("what_is_in_numbers_needs_no_os_thread", || {
        run(|| {
            let before = (eventlet_shim::stats().waits, os_threads());
            let found = ("127.0.0.1", 80).to_socket_addrs().unwrap().count();
            let (any, v4) = (libc::AF_UNSPEC, libc::AF_INET);
            assert_eq!(look_up("::1", Some("80"), 0, any).unwrap().addresses.len(), found);
            assert_eq!(look_up("192.0.2.7", None, 0, v4).unwrap().addresses, [(V4, 0)]);
            assert_eq!((eventlet_shim::stats().waits, os_threads()), before);
        });
    });
}

#[test]
fn the_resolver_of_the_hub_is_asked_and_no_os_thread() {
    alone("the_resolver_of_the_hub_is_asked_and_no_os_thread", || {
        run_with_resolver(|| {
            let before = os_threads();
            let any = libc::AF_UNSPEC;
            let found = look_up("both.example", Some("80"), libc::AI_CANONNAME, any).unwrap();
            assert_eq!(found.addresses, [(V6, 80), (V4, 80), (OTHER_V4, 80)]);
            assert_eq!(found.name.as_deref(), Some("both.example"));
            let v4 = look_up("both.example", Some("80"), 0, libc::AF_INET).unwrap();
            assert_eq!(v4.addresses, [(V4, 80), (OTHER_V4, 80)]);
            assert_eq!(v4.name, None);
            let v6 = look_up("both.example", None, 0, libc::AF_INET6).unwrap();
            assert_eq!(v6.addresses, [(V6, 0)]);
            assert_eq!(by_name("four.example").unwrap().1, [[192, 0, 2, 7], [192, 0, 2, 8]]);
            assert_eq!(by_name_r("four.example", 512).unwrap().0, "four.example");
            assert_eq!(os_threads(), before);
            // The names of services are in a file.
            let found = look_up("four.example", Some("http"), 0, any).unwrap();
            assert_eq!(found.addresses, [(V4, 80), (OTHER_V4, 80)]);
            let numbers = look_up("127.1", None, 0, any).unwrap();
            assert_eq!(numbers.addresses, [(Ipv4Addr::LOCALHOST.into(), 0)]);
        });
    });
}

#[test]
fn addresses_are_mapped_as_the_hints_say() {
    run_with_resolver(|| {
        let mapped = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => (ip.to_ipv6_mapped().into(), 0),
            v6 => (v6, 0),
        };
        let all = libc::AI_V4MAPPED | libc::AI_ALL;
        let found =
            |name, flags| look_up(name, None, flags, libc::AF_INET6).map(|found| found.addresses);
        assert_eq!(
            found("four.example", libc::AI_V4MAPPED),
            Ok([V4, OTHER_V4].map(mapped).to_vec())
        );
        assert_eq!(found("both.example", libc::AI_V4MAPPED), Ok(vec![(V6, 0)]));
        assert_eq!(found("both.example", all), Ok([V6, V4, OTHER_V4].map(mapped).to_vec()));
    });
}

#[test]
fn failures_of_the_resolver_are_those_of_c() {
    run_with_resolver(|| {
        let error = |name, service, family| look_up(name, service, 0, family).unwrap_err();
        let any = libc::AF_UNSPEC;
        assert_eq!(error("nobody.example", None, any), libc::EAI_NONAME);
        assert_eq!(error("late.example", None, any), libc::EAI_AGAIN);
        assert_eq!(error("four.example", None, libc::AF_INET6), libc::EAI_NODATA);
        assert_eq!(error("four.example", Some("no-service"), any), libc::EAI_SERVICE);
        assert_eq!(error("broken.example", None, any), libc::EAI_SYSTEM);
        assert_eq!(errno(), libc::ENETUNREACH);
        assert_eq!(error("panic.example", None, any), libc::EAI_SYSTEM);
        assert_eq!(errno(), libc::EAGAIN);
        let numeric = look_up("four.example", None, libc::AI_NUMERICHOST, any);
        assert_eq!(numeric, Err(libc::EAI_NONAME));
        let (not_found, try_again, no_data, internal) = (1, 2, 4, -1);
        assert_eq!(by_name("nobody.example"), Err(not_found));
        assert_eq!(by_name("late.example"), Err(try_again));
        assert_eq!(by_name_r("nobody.example", 512), Err((0, not_found)));
        assert_eq!(by_name_r("late.example", 512), Err((libc::EAGAIN, try_again)));
        // Three pointers and two addresses fit, the name does not.
        assert_eq!(by_name_r("four.example", 40), Err((libc::ERANGE, internal)));
        // SAFETY: the name is there.
        let no_v6 = unsafe { gethostbyname2(c"four.example".as_ptr(), libc::AF_INET6) };
        assert_eq!((no_v6.is_null(), h_errno()), (true, no_data));
    });
}

#[test]
fn each_green_thread_keeps_its_own_answer() {
    run_with_resolver(|| {
        // SAFETY: the name is there.
        let mine = unsafe { gethostbyname(c"four.example".as_ptr()) };
        let theirs = green(|| by_name("other.example").unwrap());
        assert_eq!(theirs.block().unwrap().1, [[192, 0, 2, 8]]);
        // SAFETY: it is an entry until the next call of this green thread.
        assert_eq!(unsafe { entry(mine) }.unwrap().0, "four.example");
    });
}

#[test]
fn std_connects_to_what_the_resolver_of_the_hub_knows() {
    run_with_resolver(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connecting = green(move || TcpStream::connect(("here.example", port)).unwrap());
        listener.accept().unwrap();
        connecting.block().unwrap();
    });
}

#[test]
fn a_question_that_is_given_up_is_withdrawn() {
    alone("a_question_that_is_given_up_is_withdrawn", || {
        run_with_resolver(|| {
            let seen = Rc::new(Cell::new((0, 0)));
            let noted = seen.clone();
            let victim = green(move || {
                let error = look_up("silent.example", None, 0, libc::AF_UNSPEC).unwrap_err();
                noted.set((error, errno()));
                assert_eq!(by_name_r("silent.example", 512), Err((libc::ECANCELED, -1)));
                assert_eq!(by_name("silent.example"), Err(-1));
                assert_eq!(name_of_here(0), Err(libc::EAI_SYSTEM));
                eventlet::sleep(MS).block();
                unreachable!();
            });
            assert_eq!(OPEN.load(Ordering::SeqCst), 1);
            victim.kill();
            assert_eq!(seen.get(), (libc::EAI_SYSTEM, libc::ECANCELED));
            assert_eq!(OPEN.load(Ordering::SeqCst), 0);

            let limit = Timeout::new(5 * MS);
            let late = limit.run_blocking(|| {
                let error = look_up("silent.example", None, 0, libc::AF_UNSPEC).unwrap_err();
                assert_eq!((error, errno()), (libc::EAI_SYSTEM, libc::ETIMEDOUT));
                eventlet::sleep(MS).block();
            });
            assert_eq!(late, Err(limit));
            assert_eq!(OPEN.load(Ordering::SeqCst), 0);
        });
    });
}

/// Counts turns while a look-up hangs that `hang` begins.
fn beats_beside(hang: impl FnOnce() + 'static) {
    let hanging = green(hang);
    let beats = Rc::new(Cell::new(0));
    let counted = beats.clone();
    let heart = green(move || {
        loop {
            eventlet::sleep(Duration::ZERO).block();
            counted.set(counted.get() + 1);
        }
    });
    support::turns(100);
    assert!(beats.get() >= 90 && !hanging.dead(), "{} beats", beats.get());
    hanging.kill();
    heart.kill();
}

#[test]
fn the_hub_beats_beside_a_resolver_that_hangs() {
    run_with_resolver(|| {
        beats_beside(|| drop(look_up("silent.example", None, 0, libc::AF_UNSPEC)));
        beats_beside(|| drop(by_name("silent.example")));
    });
    // All OS threads are taken, as by name servers that are silent.
    run(|| {
        tpool::set_num_threads(1);
        let (stop, stopped) = mpsc::channel::<()>();
        let silent = green(move || tpool::execute(move || stopped.recv()).block());
        let functions: [fn(); 3] = [
            || drop(look_up("localhost", None, 0, libc::AF_UNSPEC)),
            || drop(by_name("localhost")),
            || drop(name_of_here(0)),
        ];
        functions.into_iter().for_each(beats_beside);
        drop(stop);
        assert!(silent.block().unwrap().is_err());
    });
}
