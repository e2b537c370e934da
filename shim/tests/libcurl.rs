//! A hundred transfers of libcurl's easy interface, on one OS thread.

#![allow(unsafe_code)]

mod support;

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use support::library::Library;
use support::{MS, crowd, run, timed};

type Easy = *mut c_void;

/// The functions of libcurl that are called.
#[derive(Clone, Copy)]
struct Curl {
    init: unsafe extern "C" fn() -> Easy,
    set: unsafe extern "C" fn(Easy, c_int, ...) -> c_int,
    perform: unsafe extern "C" fn(Easy) -> c_int,
    cleanup: unsafe extern "C" fn(Easy),
}

// As `curl.h` has them.
const GLOBAL_ALL: c_long = 3;
const WRITEDATA: c_int = 10_001;
const URL: c_int = 10_002;
const WRITEFUNCTION: c_int = 20_011;
const TIMEOUT_MS: c_int = 155;
const OK: c_int = 0;
const OPERATION_TIMEDOUT: c_int = 28;

impl Curl {
    fn open() -> Option<Curl> {
        let library = Library::open(&[c"libcurl.so.4", c"libcurl-gnutls.so.4"])?;
        // SAFETY: the function of that name has this type.
        let prepare: unsafe extern "C" fn(c_long) -> c_int =
            unsafe { library.function(c"curl_global_init") };
        // SAFETY: no other thread uses the library yet.
        assert_eq!(unsafe { prepare(GLOBAL_ALL) }, OK);
        Some(Curl {
            // SAFETY: the function of that name has this type.
            init: unsafe { library.function(c"curl_easy_init") },
            // SAFETY: as above.
            set: unsafe { library.function(c"curl_easy_setopt") },
            // SAFETY: as above.
            perform: unsafe { library.function(c"curl_easy_perform") },
            // SAFETY: as above.
            cleanup: unsafe { library.function(c"curl_easy_cleanup") },
        })
    }

    /// Gets a page, or libcurl's number of what went wrong.
    fn get(self, url: &CStr, limit: Duration) -> Result<Vec<u8>, c_int> {
        let mut page: Vec<u8> = Vec::new();
        // SAFETY: the library is prepared.
        let easy = unsafe { (self.init)() };
        // SAFETY: the option is a string of C.
        unsafe { (self.set)(easy, URL, url.as_ptr()) };
        // SAFETY: the option is a `long`.
        unsafe { (self.set)(easy, TIMEOUT_MS, limit.as_millis() as c_long) };
        // SAFETY: the option is such a function.
        unsafe { (self.set)(easy, WRITEFUNCTION, append as *const c_void) };
        // SAFETY: the option is what that function takes, and is there for the transfer.
        unsafe { (self.set)(easy, WRITEDATA, &raw mut page) };
        // SAFETY: the handle is there, and nobody else uses it.
        let done = unsafe { (self.perform)(easy) };
        // SAFETY: it is not used any more.
        unsafe { (self.cleanup)(easy) };
        if done == OK { Ok(page) } else { Err(done) }
    }
}

/// Takes what has come.
///
/// # Safety
///
/// So many bytes have come, for that page.
unsafe extern "C" fn append(
    bytes: *const c_char,
    size: usize,
    count: usize,
    page: *mut Vec<u8>,
) -> usize {
    // SAFETY: the caller says so.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size * count) };
    // SAFETY: it is what `get` handed to the library.
    unsafe { &mut *page }.extend(bytes);
    bytes.len()
}

/// How long a server thinks.
const THINKS: Duration = Duration::from_millis(200);

/// A server on OS threads, which thinks for a while about each request.
fn server(thinks: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let lines = BufReader::new(&client).lines().map_while(Result::ok);
                let _head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                thread::sleep(thinks);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                let _gone = (&client).write_all(answer);
            });
        }
    });
    address
}

#[test]
fn a_hundred_pages_of_libcurl_on_one_os_thread() {
    let Some(curl) = Curl::open() else { return };
    let address = server(THINKS);
    for (host, count) in [("127.0.0.1", 100), ("localhost", 50)] {
        let url = CString::new(format!("http://{host}:{}/", address.port())).unwrap();
        run(move || {
            let get = move |_| curl.get(&url, Duration::from_secs(60));
            let (pages, took) = timed(|| crowd(count, get));
            println!("{count} pages of {host}, the server thinks {THINKS:?}: {took:?}");
            assert!(pages.iter().all(|page| page.as_deref() == Ok(&b"hello"[..])), "{pages:?}");
            // One after the other they take `count` times as long.
            assert!(took < count as u32 * THINKS / 2, "{took:?}");
        });
    }
}

#[test]
fn the_limits_of_libcurl_hold() {
    let Some(curl) = Curl::open() else { return };
    let address = server(20_000 * MS);
    let url = CString::new(format!("http://{address}/")).unwrap();
    run(move || {
        let (pages, took) = timed(|| crowd(100, move |_| curl.get(&url, 200 * MS)));
        assert!(pages.iter().all(|page| *page == Err(OPERATION_TIMEDOUT)), "{pages:?}");
        // One after the other they take twenty seconds.
        assert!(took < 10_000 * MS, "{took:?}");
    });
}
