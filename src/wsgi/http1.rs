//! HTTP/1.1 and HTTP/1.0, by hyper.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Closing, Connection};
use super::dispatch::Dispatch;
use super::graceful::{Ended, Graceful, HttpConnection};
use super::site::Handler;
use super::socket::Socket;

/// Serves HTTP/1 on a connection to its end.
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
    let mut http1 = Builder::new();
    http1
        .half_close(!options.kill_on_disconnect)
        .keep_alive(options.keepalive.is_some())
        .title_case_headers(options.capitalize_response_headers)
        .max_header_size(options.protocol.max_header_size)
        // The sweeper limits the time, without a timer for each request.
        .header_read_timeout(None);
    if let Some(most) = options.protocol.max_headers {
        http1.max_headers(most);
    }
    let http = http1.serve_connection(TokioIo::new(socket), dispatch).with_upgrades();
    Graceful::new(http, Closing::new(Rc::clone(connection))).await
}

impl<T, H> HttpConnection for UpgradeableConnection<TokioIo<Socket<T>>, Dispatch<H>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.poll(cx).map(|ended| ended.map_or_else(Ended::from, |()| Ended::Complete))
    }
}
