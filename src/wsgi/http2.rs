//! HTTP/2 and HTTP/1, by hyper: the client's first bytes choose.

use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::{Builder, UpgradeableConnection};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Closing, Connection};
use super::dispatch::Dispatch;
use super::graceful::{Ended, Graceful, HttpConnection};
use super::http1;
use super::protocol::Protocol;
use super::site::Handler;
use super::socket::Socket;
use crate::greenthread::spawn_n_from;

/// How many requests of one connection are answered at a time.
const STREAMS: u32 = 100;

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8192;

impl Protocol {
    /// HTTP/2 for clients that begin with it, and HTTP/1 for all others. There is no `hijack` in
    /// HTTP/2.
    ///
    /// Over TLS, offer `h2` and `http/1.1` by ALPN.
    ///
    /// # Examples
    ///
    /// ```
    /// let protocol = eventlet::wsgi::Protocol::auto().max_header_line(1024);
    /// # let _ = protocol;
    /// ```
    pub fn auto() -> Protocol {
        Protocol { http2: true, ..Protocol::http1() }
    }
}

/// Serves HTTP on a connection to its end, in the versions that its server allows.
pub(super) async fn serve<T, H>(
    socket: Socket<T>,
    dispatch: Dispatch<H>,
    connection: &Rc<Connection>,
) -> Ended
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let options = &connection.options;
    if !options.protocol.http2 {
        return http1::serve(socket, dispatch, connection).await;
    }
    let protocol = &options.protocol;
    let mut auto = Builder::new(Streams { spawned_at: options.spawned_at });
    let mut http1 = auto.http1();
    http1
        .half_close(!options.kill_on_disconnect)
        .keep_alive(options.keepalive.is_some())
        .title_case_headers(options.capitalize_response_headers)
        // This builder has no limit for a head, but a head must fit into the buffer.
        .max_buf_size(protocol.max_header_size.max(SMALLEST_BUFFER))
        .header_read_timeout(None);
    if let Some(most) = protocol.max_headers {
        http1.max_headers(most);
    }
    let most = u32::try_from(protocol.max_header_size).unwrap_or(u32::MAX);
    auto.http2().max_concurrent_streams(STREAMS).max_header_list_size(most);
    let http = auto.serve_connection_with_upgrades(TokioIo::new(socket), dispatch);
    Graceful::new(http, Closing::new(Rc::clone(connection))).await
}

/// Spawns a green thread for each stream.
#[derive(Clone)]
struct Streams {
    spawned_at: &'static Location<'static>,
}

impl<F: Future + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let stream = async move {
            stream.await;
        };
        spawn_n_from(stream, self.spawned_at);
    }
}

impl<T, H> HttpConnection for UpgradeableConnection<'_, TokioIo<Socket<T>>, Dispatch<H>, Streams>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.poll(cx).map(|ended| match ended {
            Ok(()) => Ended::Complete,
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(error) => Ended::from(*error),
                Err(error) => Ended::Broken(error),
            },
        })
    }
}
