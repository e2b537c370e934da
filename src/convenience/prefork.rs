//! One server on several cores.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::address::{Address, Tcp};
use super::handler::HandlerResult;
use super::listen::listen;
use super::stop::into_io_error;
use crate::awaitable::Awaitable;
use crate::runtime::{HubThread, RemoteGreenThread};

/// Serves a TCP address with several hubs, each on an OS thread of its own.
///
/// Each hub gets a listener of its own on the address, and the operating system spreads the
/// connections over them. `server` makes the future that serves a listener, for example with
/// [`serve`](super::serve()). It is cloned for each hub and called there, so its future need not be
/// `Send`.
///
/// Wait for what it returns: when it is ready all hubs listen, and its [`Prefork`] waits for them
/// to end. If it fails nothing is left running: all listeners are opened before the first hub
/// starts.
///
/// Corresponds to what programs of eventlet do with `listen` and `os.fork`, one process for each
/// core.
///
/// # Panics
///
/// If the number of hubs is 0.
///
/// # Yields
///
/// While a host name is being resolved; otherwise never.
///
/// # Killed
///
/// The listeners are closed.
///
/// # Errors
///
/// When an address cannot be listened on, as for [`listen`](super::listen()), or the operating
/// system refuses an OS thread.
///
/// # Differences
///
/// OS threads share memory, unlike processes, and a crash ends all of them. The listeners share the
/// port by `SO_REUSEPORT`, as Linux and the BSDs have it; elsewhere only one hub can listen.
///
/// # Examples
///
/// ```
/// use eventlet::{connect, prefork, serve};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::TcpStream;
///
/// async fn greet(mut conn: TcpStream) -> std::io::Result<()> {
///     conn.write_all(b"hello").await
/// }
///
/// # if cfg!(not(target_os = "linux")) { return }
/// eventlet::run(async {
///     let servers = prefork(2, "127.0.0.1:0", |listener| {
///         serve(listener, |conn, _| greet(conn), 1000)
///     });
///     let servers = servers.await.unwrap();
///
///     let mut answer = String::new();
///     connect(servers.local_addr()).await.unwrap().read_to_string(&mut answer).await.unwrap();
///     assert_eq!(answer, "hello");
///     servers.shutdown().await;
/// });
/// ```
#[track_caller]
pub fn prefork<A, S, F, R>(
    hubs: usize,
    addr: A,
    server: S,
) -> impl Future<Output = io::Result<Prefork>> + use<A, S, F, R>
where
    A: Address<Family = Tcp>,
    S: FnOnce(tokio::net::TcpListener) -> F + Clone + Send + 'static,
    F: Awaitable<R> + 'static,
    R: HandlerResult,
{
    assert!(hubs > 0, "`prefork` needs a hub to serve with: ask for at least one");
    let first = listen(addr).reuse_port(hubs > 1);
    let served_at = Location::caller();
    async move {
        let listener = first.await?;
        let addr = listener.local_addr()?;
        let mut listeners = vec![listener.into_std()?];
        while listeners.len() < hubs {
            listeners.push(listen(addr).reuse_port(true).await?.into_std()?);
        }
        let hubs = listeners.iter().map(|_| crate::runtime::Builder::new().start_thread());
        let hubs = hubs.collect::<io::Result<Vec<HubThread>>>()?;
        let servers = hubs.iter().zip(listeners).map(|(hub, listener)| {
            let server = server.clone();
            let serve = move || async move {
                let served = server(tokio::net::TcpListener::from_std(listener)?).await;
                served.into_result().map_err(into_io_error)
            };
            hub.spawn_from(serve, served_at)
        });
        let servers = servers.collect();
        Ok(Prefork { addr, servers, hubs })
    }
}

/// Hubs that serve one address: what [`prefork`] returns.
///
/// It is a future of the end of all servers: ready with the first error of any of them, at once, or
/// without one when the last has ended. Dropping it ends the hubs without waiting for them.
#[must_use = "dropping it ends the servers"]
pub struct Prefork {
    addr: SocketAddr,
    /// The servers that have not ended.
    servers: Vec<RemoteGreenThread<io::Result<()>>>,
    hubs: Vec<HubThread>,
}

impl Prefork {
    /// Returns the address that all of them listen on.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the hubs, to give them other work.
    pub fn hubs(&self) -> &[HubThread] {
        &self.hubs
    }

    /// Ends the hubs with everything in them, and waits until that is done.
    ///
    /// # Yields
    ///
    /// Until the last hub has ended.
    ///
    /// # Killed
    ///
    /// The hubs end all the same.
    pub async fn shutdown(self) {
        let ends: Vec<_> = self.hubs.iter().map(HubThread::shutdown).collect();
        for end in ends {
            end.await;
        }
    }
}

/// The end of all servers, or the first error.
impl Future for Prefork {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut failed = None;
        self.servers.retain_mut(|server| match Pin::new(server).poll(cx) {
            Poll::Pending => true,
            Poll::Ready(ended) => {
                let ended = ended.unwrap_or_else(|exit| Err(exit.into()));
                failed = failed.take().or(ended.err());
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if self.servers.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Prefork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefork").field("addr", &self.addr).finish_non_exhaustive()
    }
}
