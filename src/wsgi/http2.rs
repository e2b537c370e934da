//! HTTP/2, or HTTP/1, as the client begins.

use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::{Builder, UpgradeableConnection};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Connection, Conversation, Told};
use super::front::Front;
use super::protocol::Protocol;
use super::site::Handler;
use super::speak::{self, Ended, Speaks};
use super::tap::Tap;
use crate::greenthread::spawn_n_from;

/// How many requests one connection may have under way.
const STREAMS: u32 = 100;

/// hyper takes no smaller one.
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

/// Talks to a client to the end.
pub(super) async fn speak<T, H>(tap: Tap<T>, front: Front<H>, connection: &Rc<Connection>) -> Ended
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let options = &connection.options;
    if !options.protocol.http2 {
        return speak::http1(tap, front, connection).await;
    }
    let protocol = &options.protocol;
    let mut auto = Builder::new(Streams { spawned_at: options.spawned_at });
    let mut http1 = auto.http1();
    http1
        .half_close(!options.kill_on_disconnect)
        .keep_alive(options.keepalive.is_some())
        .title_case_headers(options.capitalize_response_headers)
        // This builder has no limit of a head, but a head must fit into the buffer.
        .max_buf_size(protocol.max_header_size.max(SMALLEST_BUFFER))
        .header_read_timeout(None);
    if let Some(most) = protocol.max_headers {
        http1.max_headers(most);
    }
    let most = u32::try_from(protocol.max_header_size).unwrap_or(u32::MAX);
    auto.http2().max_concurrent_streams(STREAMS).max_header_list_size(most);
    let speaker = Box::pin(auto.serve_connection_with_upgrades(TokioIo::new(tap), front));
    Conversation { speaker, told: Some(Told::new(Rc::clone(connection))) }.await
}

/// Makes a green thread of each stream.
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

impl<T, H> Speaks for UpgradeableConnection<'_, TokioIo<Tap<T>>, Front<H>, Streams>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.poll(cx).map(|ended| match ended {
            Ok(()) => Ended::Well,
            Err(error) => match error.downcast() {
                Ok(error) => speak::how_it_broke(*error),
                Err(error) => Ended::Broken(error),
            },
        })
    }
}
