//! The showpiece: a hundred connections of libpq, a library of C that knows nothing of green
//! threads, on one OS thread.
//!
//! It starts a server of its own where PostgreSQL is installed (Debian's paths, or `PG_BIN`), and
//! says so where it is not. The server does not run as root: then it is started as the user
//! `postgres`.

#![allow(unsafe_code)]

mod support;

use std::env;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::mem::transmute;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use eventlet::Block;
use support::{MS, crowd, green, os_threads, run, timed};

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
        // SAFETY: it opens a library whose start does nothing but prepare itself.
        let library = unsafe { libc::dlopen(c"libpq.so.5".as_ptr(), libc::RTLD_NOW) };
        let find = |name: &CStr| {
            // SAFETY: the library is open.
            let function = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!function.is_null(), "{name:?}");
            function
        };
        if library.is_null() {
            return None;
        }
        Some(Pq {
            // SAFETY: it is the function of that name, which has this type.
            connect: unsafe { transmute::<*mut c_void, Connect>(find(c"PQconnectdb")) },
            // SAFETY: as above.
            status: unsafe { transmute::<*mut c_void, Status>(find(c"PQstatus")) },
            // SAFETY: as above.
            exec: unsafe { transmute::<*mut c_void, Exec>(find(c"PQexec")) },
            // SAFETY: as above.
            result_status: unsafe { transmute::<*mut c_void, Status>(find(c"PQresultStatus")) },
            // SAFETY: as above.
            clear: unsafe { transmute::<*mut c_void, Free>(find(c"PQclear")) },
            // SAFETY: as above.
            finish: unsafe { transmute::<*mut c_void, Free>(find(c"PQfinish")) },
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

/// A server of its own, until it is dropped.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
}

impl Server {
    fn start() -> Option<Server> {
        let programs = programs()?;
        let folder = env::temp_dir().join(format!("eventlet-shim-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let server = Server { programs, folder };
        server.run("chown", &["postgres", server.path()]);
        server.as_owner(
            "initdb",
            &["-D", &server.data(), "-A", "trust", "-U", "tester", "--no-sync"],
        );
        let options = format!(
            "-k {} -c listen_addresses= -c max_connections=200 -c fsync=off",
            server.path()
        );
        let log = format!("{}/log", server.path());
        server
            .as_owner("pg_ctl", &["-D", &server.data(), "-l", &log, "-w", "-o", &options, "start"]);
        Some(server)
    }

    fn path(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    fn data(&self) -> String {
        format!("{}/data", self.path())
    }

    fn address(&self) -> CString {
        CString::new(format!("host={} user=tester dbname=postgres", self.path())).unwrap()
    }

    /// Runs one of its programs, as another user than root.
    fn as_owner(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let program = program.to_str().unwrap();
        if is_root() {
            self.run(
                "setpriv",
                &[&["--reuid=postgres", "--regid=postgres", "--clear-groups", program], arguments]
                    .concat(),
            );
        } else {
            self.run(program, arguments);
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        if program == "chown" && !is_root() {
            return;
        }
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{program} {arguments:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.as_owner("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn is_root() -> bool {
    // SAFETY: it has no arguments.
    unsafe { libc::geteuid() == 0 }
}

/// Returns where the programs of PostgreSQL are.
fn programs() -> Option<PathBuf> {
    let named = env::var_os("PG_BIN").map(PathBuf::from);
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions.map(|version| version.path().join("bin"));
    named.into_iter().chain(installed).find(|folder| Path::new(folder).join("initdb").exists())
}

#[test]
fn a_hundred_queries_of_libpq_on_one_os_thread() {
    let (Some(pq), Some(server)) = (Pq::open(), Server::start()) else {
        println!("SKIPPED: libpq or PostgreSQL is not installed");
        return;
    };
    let address = server.address();
    run(move || {
        let before = os_threads();
        let (_, took) = timed(|| {
            crowd(100, move |_| {
                let connection = pq.connect(&address);
                assert_eq!(connection.query(c"select pg_sleep(0.1)"), TUPLES);
            })
        });
        println!("100 x select pg_sleep(0.1): {took:?}");
        assert_eq!(os_threads(), before);
        assert!(took < Duration::from_secs(3), "{took:?}");
    });
    let address = server.address();
    run(move || {
        let victim = green(move || {
            let connection = pq.connect(&address);
            assert_ne!(connection.query(c"select pg_sleep(30)"), TUPLES);
            drop(connection);
            eventlet::sleep(MS).block();
        });
        std::thread::sleep(200 * MS);
        let ((), took) = timed(|| victim.kill());
        println!("a kill amid a query: {took:?}");
        assert!(victim.block().unwrap_err().is_killed());
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
}
