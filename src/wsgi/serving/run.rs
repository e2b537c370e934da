//! A server, from its start to its end.

use std::fmt;
use std::future::{IntoFuture, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::builder::Serving;
use crate::convenience::{Door, Listener};
use crate::greenpool::GreenPool;
use crate::wsgi::accept::Acceptor;
use crate::wsgi::listener::IntoListener;
use crate::wsgi::server::Server;
use crate::wsgi::site::{Handler, Site};
use crate::wsgi::tls::listener_below;
use crate::wsgi::traceback;

impl<L, S, K> Serving<L, S, K>
where
    L: IntoListener,
    S: Site<K>,
{
    async fn serve(self) -> io::Result<()> {
        let listener = self.listener.into_listener()?;
        let pool = self.pool.unwrap_or_else(|| GreenPool::new(self.max_size));
        assert!(!pool.is_member(), "a server cannot run inside the pool of its own connections");
        if self.options.debug {
            traceback::record();
        }
        let options = Rc::new(self.options);
        let server = self.server;
        server.name_green_threads();
        let closing = CloseOnDrop(&server);
        let log = &options.log;
        let (pid, at) = (std::process::id(), url(&listener));
        log.info(&format_args!("({pid}) wsgi starting up on {at}"));
        if let Some(event) = self.event {
            event.send(server.clone());
        }
        let acceptor = Acceptor {
            door: Door::new(listener),
            handler: Rc::new(self.site.into_handler()),
            pool,
            server: server.clone(),
            options: Rc::clone(&options),
        };
        let stop = self.stop.unwrap_or_else(|| Box::pin(pending()));
        let stopped = accept_until_stopped(acceptor, &server, stop).await;
        if matches!(stopped, Ok(Stopped::ToShutDown)) {
            server.shutdown(options.shutdown_timeout).await;
        }
        if stopped.is_ok() {
            server.settled().await;
        }
        drop(closing);
        log.info(&format_args!("({pid}) wsgi exited"));
        stopped.map(drop)
    }
}

/// Why no more connections are accepted.
enum Stopped {
    ToStopAccepting,
    ToShutDown,
}

/// Accepts connections until told to stop, and closes the listener.
async fn accept_until_stopped<L, H>(
    mut acceptor: Acceptor<L, H>,
    server: &Server,
    mut stop: Pin<Box<dyn Future<Output = ()>>>,
) -> io::Result<Stopped>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static, Addr: 'static> + 'static,
    H: Handler,
{
    let mut accepting = pin!(acceptor.accept());
    let mut stopped = pin!(server.stopped());
    poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Stopped::ToStopAccepting));
        }
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Stopped::ToShutDown));
        }
        accepting.as_mut().poll(cx).map(Err)
    })
    .await
}

/// Closes the connections of a server that ends, a killed one's too.
struct CloseOnDrop<'a>(&'a Server);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close_connections();
    }
}

/// Returns what the log names as the address of a listener.
fn url<L: Listener + 'static>(listener: &L) -> String {
    let scheme = if listener.is_secure() { "https" } else { "http" };
    let below = listener_below(listener);
    if let Some(tcp) = below.downcast_ref::<tokio::net::TcpListener>() {
        let addr = tcp.local_addr();
        return addr.map_or_else(|error| error.to_string(), |addr| format!("{scheme}://{addr}"));
    }
    if let Some(unix) = below.downcast_ref::<tokio::net::UnixListener>() {
        let addr = unix.local_addr().ok();
        let path = addr.as_ref().and_then(|addr| addr.as_pathname());
        return path
            .map_or(format!("{scheme}:unix"), |path| format!("{scheme}:{}", path.display()));
    }
    "a custom listener".to_owned()
}

impl<L, S, K> IntoFuture for Serving<L, S, K>
where
    L: IntoListener,
    S: Site<K>,
    K: 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Served;

    fn into_future(self) -> Served {
        Served(Box::pin(self.serve()))
    }
}

/// A server that runs: the future of [`Serving`].
#[must_use = "futures do nothing unless waited for"]
pub struct Served(Pin<Box<dyn Future<Output = io::Result<()>>>>);

impl Future for Served {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}
