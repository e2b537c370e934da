//! A crawler with a limit for each host, and retries.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use eventlet::{GreenPool, Semaphore, connect, listen, serve, sleep, spawn_n, with_timeout};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const PAGES: [(&str, &str); 4] = [("/", "/a /b"), ("/a", "/b /c"), ("/b", "/"), ("/c", "")];

#[derive(Default)]
struct Crawler {
    limits: RefCell<HashMap<SocketAddr, Semaphore>>,
    pages: RefCell<BTreeMap<String, String>>,
}

async fn get(host: SocketAddr, path: &str) -> io::Result<String> {
    let mut conn = BufReader::new(connect(host).await?);
    conn.write_all(format!("{path}\n").as_bytes()).await?;
    conn.lines().next_line().await?.ok_or(io::ErrorKind::UnexpectedEof.into())
}

async fn fetch(crawler: &Crawler, host: SocketAddr, path: &str) -> String {
    let limit =
        crawler.limits.borrow_mut().entry(host).or_insert_with(|| Semaphore::new(2)).clone();
    for attempt in 0..3 {
        let permit = limit.permit().await;
        if let Ok(Ok(page)) = with_timeout(Duration::from_secs(1), get(host, path)).await {
            return page;
        }
        drop(permit);
        sleep(Duration::from_millis(1 << attempt)).await;
    }
    String::new()
}

async fn crawl(crawler: Rc<Crawler>, pool: GreenPool, host: SocketAddr, path: String) {
    if crawler.pages.borrow().contains_key(&path) {
        return;
    }
    crawler.pages.borrow_mut().insert(path.clone(), String::new());
    let page = fetch(&crawler, host, &path).await;
    for link in page.split_whitespace() {
        let job = crawl(crawler.clone(), pool.clone(), host, link.to_owned());
        pool.spawn_n(Box::pin(job)).await;
    }
    crawler.pages.borrow_mut().insert(path, page);
}

async fn answer(conn: TcpStream, failed: Rc<RefCell<HashSet<String>>>) -> io::Result<()> {
    let mut lines = BufReader::new(conn).lines();
    let path = lines.next_line().await?.unwrap_or_default();
    if failed.borrow().contains(&path) {
        let page = PAGES.iter().find(|(page, _)| *page == path).unwrap().1;
        lines.get_mut().write_all(format!("{page}\n").as_bytes()).await?;
    }
    failed.borrow_mut().insert(path);
    Ok(())
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let server = listen("127.0.0.1:0").await?;
        let (host, failed) = (server.local_addr()?, Rc::default());
        spawn_n(serve(server, move |conn, _| answer(conn, Rc::clone(&failed)), 1000));
        let (pool, crawler) = (GreenPool::new(10), Rc::new(Crawler::default()));
        pool.spawn_n(crawl(crawler.clone(), pool.clone(), host, "/".to_owned())).await;
        pool.waitall().await;
        for (path, page) in &*crawler.pages.borrow() {
            println!("{path} {}", page.len() + 1);
        }
        Ok(())
    })
}
