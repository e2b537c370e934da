//! A hundred connections of hiredis, the client of C for Redis, on one OS thread.

#![allow(unsafe_code)]

mod support;

use std::ffi::{CStr, c_char, c_int, c_void};

use eventlet_servers::Redis;
use support::library::Library;
use support::{MS, crowd, run, timed};

type Context = *mut c_void;

/// The beginning of an answer, which says of what kind it is.
type Reply = *const c_int;

/// The functions of hiredis that are called.
#[derive(Clone, Copy)]
struct Hiredis {
    connect: unsafe extern "C" fn(*const c_char, c_int) -> Context,
    command: unsafe extern "C" fn(Context, *const c_char, ...) -> Reply,
    free_reply: unsafe extern "C" fn(Reply),
    free: unsafe extern "C" fn(Context),
}

/// The kind of an answer that is nothing, as `hiredis.h` has it.
const NIL: c_int = 4;

impl Hiredis {
    fn open() -> Option<Hiredis> {
        let names = [c"libhiredis.so.0.14", c"libhiredis.so.1.1.0", c"libhiredis.so.1.2.0"];
        let library = Library::open(&names)?;
        Some(Hiredis {
            // SAFETY: the function of that name has this type.
            connect: unsafe { library.function(c"redisConnect") },
            // SAFETY: as above.
            command: unsafe { library.function(c"redisCommand") },
            // SAFETY: as above.
            free_reply: unsafe { library.function(c"freeReplyObject") },
            // SAFETY: as above.
            free: unsafe { library.function(c"redisFree") },
        })
    }

    /// Connects, gives a command, and returns of what kind the answer is.
    fn ask(self, port: u16, command: &CStr) -> c_int {
        // SAFETY: it is a string of C.
        let context = unsafe { (self.connect)(c"127.0.0.1".as_ptr(), port.into()) };
        // SAFETY: the connection is there, and the command a string of C that wants no more.
        let reply = unsafe { (self.command)(context, command.as_ptr()) };
        assert!(!reply.is_null());
        // SAFETY: an answer begins with its kind.
        let kind = unsafe { *reply };
        // SAFETY: it is not used any more.
        unsafe { (self.free_reply)(reply) };
        // SAFETY: it is not used any more.
        unsafe { (self.free)(context) };
        kind
    }
}

#[test]
fn a_hundred_lists_are_waited_for_on_one_os_thread() {
    let (Some(hiredis), Some(server)) = (Hiredis::open(), Redis::start()) else { return };
    let port = server.port();
    run(move || {
        let pop = move |_| hiredis.ask(port, c"BLPOP empty 0.1");
        let (kinds, took) = timed(|| crowd(100, pop));
        println!("100 x BLPOP of 100 ms by hiredis: {took:?}");
        assert_eq!(kinds, [NIL; 100]);
        // One after the other they take ten seconds.
        assert!(took < 8_000 * MS, "{took:?}");
    });
}
