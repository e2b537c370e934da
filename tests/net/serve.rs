//! `serve`.
//!
//! Case names after eventlet's `tests/convenience_test.py`, revision c8f903a3, where it has them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use eventlet::convenience::Listener;
use eventlet::{Event, Flat, GreenPool, Semaphore, StopServe, connect, serve, sleep, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::ear::Ear;
use crate::support::{listener, read_all, run, run_paused, turns};

#[test]
fn closes_the_client_when_the_handler_returns() {
    run(async {
        let (listener, addr) = listener().await;
        let _server = spawn(serve(listener, |_conn, _addr| async {}, 1000));
        assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
    });
}

#[test]
fn closes_the_client_when_the_handler_fails_and_goes_on() {
    run(async {
        let ear = Ear::open();
        let (listener, addr) = listener().await;
        let handler = |_conn, _addr| async { Err::<(), _>("no") };
        let server = spawn(serve(listener, handler, 1000));
        let client = connect(addr).await.unwrap();
        let peer = client.local_addr().unwrap();
        assert_eq!(read_all(client).await, "");
        assert_eq!(ear.heard(), [format!("serving {peer}: no")]);

        assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
        assert!(!server.dead());
    });
}

#[test]
fn closes_the_client_when_the_handler_panics_and_goes_on() {
    run(async {
        let ear = Ear::open();
        let (listener, addr) = listener().await;
        let handler = |_conn, _addr| async { panic!("oops") };
        let handler = move |conn, addr| -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(handler(conn, addr))
        };
        let server = spawn(serve(listener, handler, 1));
        for _ in 0..3 {
            assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
        }
        assert!(!server.dead());
        let reports = ear.heard();
        assert_eq!(reports.len(), 3);
        assert!(reports[0].ends_with(": the green thread panicked: oops"), "{reports:?}");
    });
}

#[test]
fn closes_the_client_when_calling_the_handler_panics_and_goes_on() {
    run(async {
        let ear = Ear::open();
        let (listener, addr) = listener().await;
        let calls = Cell::new(0);
        let handler = move |conn, _addr| {
            calls.set(calls.get() + 1);
            assert_ne!(calls.get(), 1, "oops");
            async move { drop::<TcpStream>(conn) }
        };
        let server = spawn(serve(listener, handler, 1));
        for _ in 0..3 {
            assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
        }
        assert!(!server.dead());
        assert_eq!(ear.heard().len(), 1);
    });
}

#[test]
fn called_once_for_each_of_100_connections() {
    run(async {
        let (listener, addr) = listener().await;
        let peers = Rc::new(RefCell::new(Vec::new()));
        let handler = {
            let peers = Rc::clone(&peers);
            move |_conn, addr: SocketAddr| {
                peers.borrow_mut().push(addr);
                async {}
            }
        };
        let _server = spawn(serve(listener, handler, 1000));
        let mut expected = Vec::new();
        for _ in 0..100 {
            let client = connect(addr).await.unwrap();
            expected.push(client.local_addr().unwrap());
            read_all(client).await;
        }
        assert_eq!(*peers.borrow(), expected);
    });
}

#[test]
fn blocks_while_nobody_stops_it() {
    run_paused(async {
        let (listener, _addr) = listener().await;
        let server = serve(listener, |_conn, _addr| async {}, 1000);
        let waited = tokio::time::timeout(Duration::from_secs(3600), server).await;
        assert!(waited.is_err());
    });
}

#[test]
fn raising_stopserve() {
    run(async {
        let (listener, addr) = listener().await;
        let handler = |_conn, _addr| async { Err::<(), _>(StopServe::new()) };
        let server = spawn(serve(listener, handler, 1000));
        assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
        server.await.unwrap().unwrap();
        let refused = connect(addr).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn stopserve_with_an_error_inside_an_io_error() {
    run(async {
        let (listener, addr) = listener().await;
        let handler = |_conn, _addr| async {
            let stop: io::Result<Infallible> = Err(StopServe::with(ErrorWithName("Ann")).into());
            stop?;
            io::Result::Ok(())
        };
        let server = spawn(serve(listener, handler, 1000));
        let _client = connect(addr).await.unwrap();
        let error = server.await.unwrap().unwrap_err();
        assert_eq!(error.downcast::<ErrorWithName>().unwrap().0, "Ann");
    });
}

#[derive(Debug)]
struct ErrorWithName(&'static str);

impl std::fmt::Display for ErrorWithName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ErrorWithName {}

#[test]
fn stopserve_stops_accepting_at_once_and_waits_for_the_others() {
    run(async {
        let (listener, addr) = listener().await;
        let finish = Rc::new(Event::<()>::new());
        let handler = {
            let finish = Rc::clone(&finish);
            move |mut conn: TcpStream, _addr| {
                let finish = Rc::clone(&finish);
                async move {
                    if conn.read_u8().await? == b'q' {
                        return Err(StopServe::new().into());
                    }
                    finish.wait().await.unwrap();
                    conn.write_all(b"done").await
                }
            }
        };
        let server = spawn(serve(listener, handler, 1000));
        let mut slow = connect(addr).await.unwrap();
        slow.write_all(b"s").await.unwrap();
        let mut quick = connect(addr).await.unwrap();
        quick.write_all(b"q").await.unwrap();
        assert_eq!(read_all(quick).await, "");
        turns().await;

        assert_eq!(connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(!server.dead());
        finish.send(());
        assert_eq!(read_all(slow).await, "done");
        server.await.unwrap().unwrap();
    });
}

#[test]
fn the_first_stopserve_is_heard_also_by_a_full_server() {
    run(async {
        let (listener, addr) = listener().await;
        let go = Rc::new(Semaphore::new(0));
        let calls = Rc::new(Cell::new(0));
        let handler = {
            let (go, calls) = (Rc::clone(&go), Rc::clone(&calls));
            move |_conn, _addr| {
                calls.set(calls.get() + 1);
                let (go, call) = (Rc::clone(&go), calls.get());
                async move {
                    go.acquire().await;
                    Err::<(), _>(StopServe::with(format!("call {call}")))
                }
            }
        };
        let server = spawn(serve(listener, handler, 2));
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(connect(addr).await.unwrap());
        }
        turns().await;
        go.release();
        go.release();
        assert_eq!(server.await.unwrap().unwrap_err().to_string(), "call 1");
        assert_eq!(calls.get(), 2, "the third client was in the backlog");
    });
}

#[test]
fn concurrency() {
    run(async {
        let (listener, addr) = listener().await;
        let go = Rc::new(Semaphore::new(0));
        let handler = {
            let go = Rc::clone(&go);
            move |mut conn: TcpStream, _addr| {
                let go = Rc::clone(&go);
                async move {
                    conn.write_all(b"hello").await?;
                    go.acquire().await;
                    io::Result::Ok(())
                }
            }
        };
        let _server = spawn(serve(listener, handler, 5));
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = connect(addr).await.unwrap();
            client.read_exact(&mut [0; 5]).await.unwrap();
            clients.push(client);
        }
        let sixth = connect(addr).await.unwrap();
        turns().await;
        assert_eq!(sixth.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);

        go.release();
        let hello = spawn(async move {
            let mut sixth = sixth;
            sixth.read_exact(&mut [0; 5]).await.map(drop)
        });
        hello.await.unwrap().unwrap();
    });
}

#[test]
fn at_the_bound_nobody_is_accepted() {
    run(async {
        let accepted = Rc::new(Cell::new(0));
        let listener = Counting { accepted: Rc::clone(&accepted) };
        let server = spawn(serve(listener, |(), ()| pending::<()>(), 5));
        turns().await;
        assert_eq!(accepted.get(), 5);
        server.kill();

        accepted.set(0);
        let listener = Counting { accepted: Rc::clone(&accepted) };
        let _server = spawn(serve(listener, |(), ()| pending::<()>(), 0));
        turns().await;
        assert_eq!(accepted.get(), 0, "a concurrency of zero serves nobody");
    });
}

/// Always has one more connection.
struct Counting {
    accepted: Rc<Cell<usize>>,
}

impl Listener for Counting {
    type Io = ();
    type Addr = ();

    async fn accept(&mut self) -> io::Result<((), ())> {
        self.accepted.set(self.accepted.get() + 1);
        Ok(((), ()))
    }
}

#[test]
fn killed_server_closes_its_listener_and_lets_handlers_go_on() {
    run(async {
        let (listener, addr) = listener().await;
        let finish = Rc::new(Event::<()>::new());
        let handler = {
            let finish = Rc::clone(&finish);
            move |mut conn: TcpStream, _addr| {
                let finish = Rc::clone(&finish);
                async move {
                    finish.wait().await.unwrap();
                    conn.write_all(b"done").await
                }
            }
        };
        let server = spawn(serve(listener, handler, 1000));
        let client = connect(addr).await.unwrap();
        turns().await;
        server.kill();
        assert_eq!(connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        finish.send(());
        assert_eq!(read_all(client).await, "done");
    });
}

/// Gives its errors first, then the connections of a listener.
struct Failing {
    errors: VecDeque<ErrorKind>,
    listener: TcpListener,
}

impl Listener for Failing {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        match self.errors.pop_front() {
            Some(error) => Err(error.into()),
            None => TcpListener::accept(&self.listener).await,
        }
    }
}

async fn time_to_serve(errors: &[ErrorKind]) -> Duration {
    let (listener, addr) = listener().await;
    let listener = Failing { errors: errors.to_vec().into(), listener };
    let start = Instant::now();
    let _server = spawn(serve(listener, |_conn, _addr| async {}, 1000));
    assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
    start.elapsed()
}

#[test]
fn errors_of_one_connection_are_passed_over() {
    run_paused(async {
        let ear = Ear::open();
        let errors =
            [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];
        assert_eq!(time_to_serve(&errors).await, Duration::ZERO);
        assert_eq!(ear.heard(), [] as [&str; 0]);
    });
}

#[test]
fn errors_of_the_system_are_waited_out_and_reported_once() {
    run_paused(async {
        let ear = Ear::open();
        let time = time_to_serve(&[ErrorKind::OutOfMemory; 3]).await;
        assert!(time >= Duration::from_millis(300), "{time:?}");
        let reports = ear.heard();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert!(reports[0].starts_with("cannot accept connections for now"), "{reports:?}");
    });
}

#[test]
fn a_listener_that_always_fails_starves_nobody() {
    run_paused(async {
        let (listener, _addr) = listener().await;
        let errors = vec![ErrorKind::ConnectionReset; 1_000_000].into();
        let server = spawn(serve(Failing { errors, listener }, |_conn, _addr| async {}, 10));
        turns().await;
        server.kill();
    });
}

#[test]
fn a_silent_client_and_one_that_resets_harm_nobody() {
    run(async {
        let ear = Ear::open();
        let (listener, addr) = listener().await;
        let handler = |mut conn: TcpStream, _addr| async move {
            let mut line = [0; 6];
            conn.read_exact(&mut line).await?;
            conn.write_all(&line).await
        };
        let _server = spawn(serve(listener, handler, 1000));

        let _silent = connect(addr).await.unwrap();
        let mut resets = connect(addr).await.unwrap();
        resets.write_all(b"hel").await.unwrap();
        turns().await;
        resets.set_zero_linger().unwrap();
        drop(resets);

        let mut client = connect(addr).await.unwrap();
        client.write_all(b"hello\n").await.unwrap();
        assert_eq!(read_all(client).await, "hello\n");
        let heard = ear.heard();
        assert_eq!(heard.len(), 1, "the reset: {heard:?}");
    });
}

#[test]
fn a_handler_that_kills_itself_is_not_a_failure() {
    run(async {
        let ear = Ear::open();
        let (listener, addr) = listener().await;
        let handler = |conn: TcpStream, _addr| async move {
            eventlet::getcurrent().kill();
            sleep(Duration::ZERO).await;
            drop(conn);
        };
        let _server = spawn(serve(listener, handler, 1));
        for _ in 0..3 {
            assert_eq!(read_all(connect(addr).await.unwrap()).await, "");
        }
        assert_eq!(ear.heard(), [] as [&str; 0]);
    });
}

#[test]
fn one_hub_for_server_and_clients_stays_fair() {
    run(async {
        let (listener, addr) = listener().await;
        let handler = |mut conn: TcpStream, _addr| async move {
            let mut buf = [0; 64];
            loop {
                match conn.read(&mut buf).await? {
                    0 => return io::Result::Ok(()),
                    count => conn.write_all(&buf[..count]).await?,
                }
            }
        };
        let _server = spawn(serve(listener, handler, 1000));
        let clients: Vec<_> = (0..20)
            .map(|_| {
                spawn(async move {
                    let mut conn = connect(addr).await.unwrap();
                    for _ in 0..50 {
                        conn.write_all(&[7; 64]).await.unwrap();
                        conn.read_exact(&mut [0; 64]).await.unwrap();
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

#[test]
fn a_stopped_server_does_not_wait_out_trouble() {
    run_paused(async {
        let (listener, addr) = listener().await;
        let listener = FailsSecond { listener, accepted: false };
        let handler = |_conn, _addr| async { Err::<(), _>(StopServe::new()) };
        let server = spawn(serve(listener, handler, 1000));
        let _client = connect(addr).await.unwrap();
        let start = Instant::now();
        server.await.unwrap().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

/// Accepts one connection, and then fails for ever.
struct FailsSecond {
    listener: TcpListener,
    accepted: bool,
}

impl Listener for FailsSecond {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        if std::mem::replace(&mut self.accepted, true) {
            return Err(ErrorKind::OutOfMemory.into());
        }
        TcpListener::accept(&self.listener).await
    }
}

#[test]
fn dropped_before_it_was_polled() {
    run(async {
        let (listener, addr) = listener().await;
        drop(serve(listener, |_conn, _addr| async {}, 1));
        poll_fn(|_| Poll::Ready(())).await;
        assert_eq!(connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn its_error_is_taken_by_the_question_mark_of_any_main() {
    async fn stopped(error: io::Error) -> io::Result<()> {
        let (listener, addr) = listener().await;
        let mut error = Some(error);
        let handler = move |_conn, _addr| {
            let stop = error.take().map(StopServe::with);
            async move { stop.map_or(Ok(()), Err) }
        };
        let server = spawn(serve(listener, handler, 10));
        let _client = connect(addr).await?;
        server.await.flat()
    }
    async fn any_error(error: io::Error) -> Result<(), Box<dyn std::error::Error>> {
        stopped(error).await?;
        Ok(())
    }
    run(async {
        let error = stopped(ErrorKind::NotFound.into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "an `io::Error` stays what it is");
        let error = any_error(io::Error::other("no paper")).await.unwrap_err();
        assert_eq!(error.to_string(), "no paper");
    });
}

#[test]
fn servers_share_a_pool_that_can_be_waited_for_when_they_are_killed() {
    run(async {
        let pool = GreenPool::new(1);
        let go_on = Rc::new(Event::<()>::new());
        let going_on = Rc::clone(&go_on);
        let handler = move |mut conn: TcpStream, _addr| {
            let go_on = Rc::clone(&going_on);
            async move {
                conn.write_all(b"+").await?;
                go_on.wait().await.unwrap();
                conn.write_all(b"-").await
            }
        };
        let ((one, first), (two, second)) = (listener().await, listener().await);
        let one = spawn(serve(one, handler.clone(), pool.clone()));
        let two = spawn(serve(two, handler, pool.clone()));

        let mut first = connect(first).await.unwrap();
        assert_eq!(first.read_u8().await.unwrap(), b'+');
        let mut second = connect(second).await.unwrap();
        turns().await;
        assert_eq!((pool.running(), pool.free()), (1, 0), "the second waits in the backlog");

        one.kill();
        go_on.send(());
        assert_eq!(read_all(first).await, "-");
        assert_eq!(second.read_u8().await.unwrap(), b'+');
        two.kill();
        pool.waitall().await;
        assert_eq!(read_all(second).await, "-");
    });
}

#[test]
fn a_stopped_server_waits_for_its_own_handlers_only() {
    run(async {
        let pool = GreenPool::new(10);
        pool.spawn_n(pending::<()>()).await;
        let (listener, addr) = listener().await;
        let handler = |_conn, _addr| async { Err::<(), _>(StopServe::new()) };
        // The server itself is a member of the pool, too.
        let server = pool.spawn(serve(listener, handler, pool.clone())).await;
        let _client = connect(addr).await.unwrap();
        server.await.unwrap().unwrap();
        assert_eq!(pool.running(), 1);
    });
}

/// `prefork`.
mod hubs {
    use std::collections::HashSet;
    use std::thread::{self, ThreadId};

    use eventlet::{Queue, prefork};

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn all_of_them_listen_and_each_serves() {
        run(async {
            let (sender, mut threads) = tokio::sync::mpsc::unbounded_channel::<ThreadId>();
            let server = move |listener| {
                let queue = Queue::new(None); // it is `!Send`
                let handler = move |_conn: TcpStream, _addr| {
                    let (sender, queue) = (sender.clone(), queue.clone());
                    async move {
                        queue.put(()).await;
                        sender.send(thread::current().id())
                    }
                };
                serve(listener, handler, 10)
            };
            let servers = prefork(2, "127.0.0.1:0", server).await.unwrap();
            assert_eq!(servers.hubs().len(), 2);
            let mut seen = HashSet::new();
            while seen.len() < 2 {
                assert_eq!(read_all(connect(servers.local_addr()).await.unwrap()).await, "");
                seen.insert(threads.recv().await.unwrap());
            }
            assert!(!seen.contains(&thread::current().id()));
            let addr = servers.local_addr();
            servers.shutdown().await;
            assert_eq!(connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        });
    }

    #[test]
    fn the_first_error_is_theirs_and_the_end_of_all_is_none() {
        run(async {
            let server = |listener| {
                let stop = |_conn, _addr| async { Err::<(), _>(StopServe::with("no paper")) };
                serve(listener, stop, 10)
            };
            let servers = prefork(1, "127.0.0.1:0", server).await.unwrap();
            let _client = connect(servers.local_addr()).await.unwrap();
            assert_eq!(servers.await.unwrap_err().to_string(), "no paper");

            let ended = prefork(1, "127.0.0.1:0", |_listener| async {}).await.unwrap();
            ended.await.unwrap();
            let panicked = prefork(1, "127.0.0.1:0", |_listener| async { panicking("oops") });
            let panicked: io::Error = panicked.await.unwrap().await.unwrap_err();
            assert_eq!(panicked.to_string(), "the green thread panicked: oops");
        });
    }

    fn panicking(text: &str) {
        panic!("{text}");
    }

    #[test]
    fn an_address_in_use_is_an_error_and_no_hub_is_started() {
        run(async {
            let (_listener, addr) = listener().await;
            let error = prefork(2, addr, |_listener| async {}).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
        });
    }

    #[test]
    #[should_panic = "ask for at least one"]
    fn there_is_one_at_least() {
        drop(prefork(0, "127.0.0.1:0", |_listener| async {}));
    }
}
