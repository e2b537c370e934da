//! The showpiece: a hundred connections of libpq, a library of C that knows nothing of green
//! threads, on one OS thread.
//!
//! It starts a server of its own where PostgreSQL is installed, and says so where it is not.

#![allow(unsafe_code)]

mod support;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::time::Duration;

use eventlet::Block;
use eventlet_servers::Postgres;
use support::library::Library;
use support::{MS, NEVER, crowd, green, os_threads, run, timed};

type Connect = unsafe extern "C" fn(*const c_char) -> *mut c_void;
type Status = unsafe extern "C" fn(*const c_void) -> c_int;
type Exec = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);

/// The functions of libpq that are called.
#[derive(Clone, Copy)]
struct Pq {
    connect: Connect,
    status: Status,
    exec: Exec,
    result_status: Status,
    clear: Free,
    finish: Free,
}

const TUPLES: c_int = 2;

impl Pq {
    fn open() -> Option<Pq> {
        let library = Library::open(&[c"libpq.so.5"])?;
        Some(Pq {
            // SAFETY: the function of that name has this type.
            connect: unsafe { library.function(c"PQconnectdb") },
            // SAFETY: as above.
            status: unsafe { library.function(c"PQstatus") },
            // SAFETY: as above.
            exec: unsafe { library.function(c"PQexec") },
            // SAFETY: as above.
            result_status: unsafe { library.function(c"PQresultStatus") },
            // SAFETY: as above.
            clear: unsafe { library.function(c"PQclear") },
            // SAFETY: as above.
            finish: unsafe { library.function(c"PQfinish") },
        })
    }

    fn connect(self, server: &CStr) -> Connection {
        // SAFETY: it is a string of C.
        let connection = unsafe { (self.connect)(server.as_ptr()) };
        // SAFETY: it is what `PQconnectdb` returned.
        assert_eq!(unsafe { (self.status)(connection) }, 0, "not connected");
        Connection { pq: self, connection }
    }
}

struct Connection {
    pq: Pq,
    connection: *mut c_void,
}

impl Connection {
    fn query(&self, text: &CStr) -> c_int {
        // SAFETY: the connection is open, and the text a string of C.
        let result = unsafe { (self.pq.exec)(self.connection, text.as_ptr()) };
        // SAFETY: it is what `PQexec` returned.
        let status = unsafe { (self.pq.result_status)(result) };
        // SAFETY: it is not used any more.
        unsafe { (self.pq.clear)(result) };
        status
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: it is not used any more.
        unsafe { (self.pq.finish)(self.connection) };
    }
}

#[test]
fn a_hundred_queries_of_libpq_on_one_os_thread() {
    let (Some(pq), Some(server)) = (Pq::open(), Postgres::start()) else { return };
    let address = CString::new(server.config_of_socket()).unwrap();
    let same = address.clone();
    run(move || {
        let before = os_threads();
        let (_, took) = timed(|| {
            crowd(100, move |_| {
                let connection = pq.connect(&address);
                assert_eq!(connection.query(c"select pg_sleep(0.3)"), TUPLES);
            })
        });
        println!("100 x select pg_sleep(0.3): {took:?}");
        assert_eq!(os_threads(), before);
        // One after the other they take thirty seconds.
        assert!(took < Duration::from_secs(20), "{took:?}");
    });
    run(move || {
        let victim = green(move || {
            let connection = pq.connect(&same);
            assert_ne!(connection.query(c"select pg_sleep(600)"), TUPLES);
            drop(connection);
            eventlet::sleep(MS).block();
        });
        std::thread::sleep(200 * MS);
        let ((), took) = timed(|| victim.kill());
        println!("a kill amid a query: {took:?}");
        assert!(victim.block().unwrap_err().is_killed());
        assert!(took < NEVER, "{took:?}");
    });
}
