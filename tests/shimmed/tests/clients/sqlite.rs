//! SQLite, which sleeps and tries again where another connection writes to its file.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use eventlet::{Block, Semaphore, spawn, stackful};
use eventlet_servers::TempDir;
use rusqlite::{Connection, TransactionBehavior};

use crate::{MS, at_once, run};

/// A file with an empty table. Nothing of it waits for the disk.
struct File(TempDir);

impl File {
    fn new() -> File {
        let file = File(TempDir::new());
        file.open().execute_batch("create table rows (number integer)").unwrap();
        file
    }

    fn open(&self) -> Connection {
        let connection = Connection::open(self.0.path().join("file.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(120)).unwrap();
        connection.execute_batch("pragma synchronous = off").unwrap();
        connection
    }

    fn rows(&self) -> usize {
        self.open()
            .query_row("select count(distinct number) from rows", [], |row| row.get(0))
            .unwrap()
    }
}

/// Inserts a row, and keeps the file to itself for a while.
fn write(file: &File, number: usize) {
    let mut connection = file.open();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("insert into rows values (?)", [number]).unwrap();
    std::thread::sleep(MS);
    transaction.commit().unwrap();
}

/// Sleeps for a millisecond again and again, and returns how often it woke while a function ran.
fn beats(function: impl FnOnce()) -> u32 {
    let count = Rc::new(Cell::new(0));
    let beats = count.clone();
    let beat = spawn(stackful(move || {
        loop {
            eventlet::sleep(MS).block();
            beats.set(beats.get() + 1);
        }
    }));
    function();
    beat.kill();
    count.get()
}

/// Those who find the file busy sleep equally long, and so keep step: of each step one writes.
#[test]
fn a_hundred_writers_of_one_file_all_come_to_write() {
    run(|| {
        let file = Rc::new(File::new());
        let writers = file.clone();
        let beats = beats(move || {
            let write = move |number| write(&writers, number);
            at_once("a row by rusqlite, in any order", 100, write);
        });
        // Each writer sleeps once at least.
        assert!(beats >= 50, "the hub stood still: {beats} beats");
        assert_eq!(file.rows(), 100);
    });
}

#[test]
fn they_write_far_sooner_one_after_the_other() {
    run(|| {
        let file = Rc::new(File::new());
        let (writers, one) = (file.clone(), Semaphore::new(1));
        at_once("a row by rusqlite, one after the other", 100, move |number| {
            let _turn = one.permit().block();
            write(&writers, number);
        });
        assert_eq!(file.rows(), 100);
    });
}
