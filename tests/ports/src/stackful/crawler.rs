//! A crawler with a limit for each host, and retries.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::green::net::{TcpListener, TcpStream};
use eventlet::green::thread::sleep;
use eventlet::prelude::*;
use eventlet::stackful::{call, stackful};
use eventlet::{GreenPool, Semaphore, Timeout, serve, spawn_n};

const PAGES: [(&str, &str); 4] = [("/", "/a /b"), ("/a", "/b /c"), ("/b", "/"), ("/c", "")];

#[derive(Default)]
struct Crawler {
    limits: RefCell<HashMap<SocketAddr, Semaphore>>,
    pages: RefCell<BTreeMap<String, String>>,
}

fn get(host: SocketAddr, path: &str) -> io::Result<String> {
    let conn = TcpStream::connect(host)?;
    writeln!(&conn, "{path}")?;
    BufReader::new(conn).lines().next().ok_or(io::ErrorKind::UnexpectedEof)?
}

fn fetch(crawler: &Crawler, host: SocketAddr, path: &str) -> String {
    let limit =
        crawler.limits.borrow_mut().entry(host).or_insert_with(|| Semaphore::new(2)).clone();
    for attempt in 0..3 {
        let permit = limit.permit().block();
        if let Ok(Ok(page)) = Timeout::new(Duration::from_secs(1)).run_blocking(|| get(host, path))
        {
            return page;
        }
        drop(permit);
        sleep(Duration::from_millis(1 << attempt));
    }
    String::new()
}

fn crawl(crawler: Rc<Crawler>, pool: GreenPool, host: SocketAddr, path: String) {
    if crawler.pages.borrow().contains_key(&path) {
        return;
    }
    crawler.pages.borrow_mut().insert(path.clone(), String::new());
    let page = fetch(&crawler, host, &path);
    for link in page.split_whitespace() {
        pool.spawn_n(call(crawl, (crawler.clone(), pool.clone(), host, link.to_owned()))).block();
    }
    crawler.pages.borrow_mut().insert(path, page);
}

fn answer(conn: TcpStream, failed: Rc<RefCell<HashSet<String>>>) -> io::Result<()> {
    let path = BufReader::new(&conn).lines().next().unwrap_or(Ok(String::new()))?;
    if failed.borrow().contains(&path) {
        writeln!(&conn, "{}", PAGES.iter().find(|(page, _)| *page == path).unwrap().1)?;
    }
    failed.borrow_mut().insert(path);
    Ok(())
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let (host, failed) = (server.local_addr()?, Rc::default());
        spawn_n(serve(server, move |conn, _| call(answer, (conn, Rc::clone(&failed))), 1000));
        let (pool, crawler) = (GreenPool::new(10), Rc::new(Crawler::default()));
        pool.spawn_n(call(crawl, (crawler.clone(), pool.clone(), host, "/".to_owned()))).block();
        pool.waitall().block();
        for (path, page) in &*crawler.pages.borrow() {
            println!("{path} {}", page.len() + 1);
        }
        Ok(())
    }))
}
