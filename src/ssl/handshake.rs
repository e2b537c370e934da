//! A handshake in progress.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};
use tokio_rustls::{Accept, Connect, TlsStream};

use super::error::HandshakeError;
use crate::hub::hold;

/// What a stream does during its handshake.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Read,
    Write,
}

/// A handshake, and how long it may take.
pub(super) struct Handshake<T> {
    side: Side<T>,
    limit: Option<Duration>,
    /// Set with the first step. Tokio's timer and not the hub's, since a stream may be sent to
    /// another OS thread. Both follow the same clock.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: Arc<Waiting>,
}

enum Side<T> {
    Server(Accept<T>),
    Client(Connect<T>),
}

impl<T> Handshake<T> {
    pub(super) fn accept(accepting: Accept<T>, limit: Option<Duration>) -> Handshake<T> {
        Handshake::new(Side::Server(accepting), limit)
    }

    pub(super) fn connect(connecting: Connect<T>, limit: Option<Duration>) -> Handshake<T> {
        Handshake::new(Side::Client(connecting), limit)
    }

    fn new(side: Side<T>, limit: Option<Duration>) -> Handshake<T> {
        Handshake { side, limit, timer: None, waiting: Arc::default() }
    }

    pub(super) fn get_ref(&self) -> Option<&T> {
        match &self.side {
            Side::Server(accepting) => accepting.get_ref(),
            Side::Client(connecting) => connecting.get_ref(),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Handshake<T> {
    /// Takes the next steps, for a reader or a writer. The other is woken as well.
    pub(super) fn poll(&mut self, cx: &Context<'_>, role: Role) -> Poll<io::Result<TlsStream<T>>> {
        self.waiting.set(role, cx.waker());
        let both = Waker::from(Arc::clone(&self.waiting));
        let cx = &mut Context::from_waker(&both);
        let polled = match &mut self.side {
            Side::Server(accepting) => Pin::new(accepting).poll(cx).map_ok(TlsStream::from),
            Side::Client(connecting) => Pin::new(connecting).poll(cx).map_ok(TlsStream::from),
        };
        let polled = match polled {
            Poll::Pending => self.poll_limit(cx).map(Err),
            done => done,
        };
        if polled.is_ready() {
            both.wake();
        }
        polled.map_err(HandshakeError::wrap)
    }

    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(limit) = self.limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx).map(|()| {
            let message = format!("it took longer than {limit:?}, its `handshake_timeout`");
            io::Error::new(io::ErrorKind::TimedOut, message)
        })
    }

    /// Closes the socket below.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let io = match &mut self.side {
            Side::Server(accepting) => accepting.get_mut(),
            Side::Client(connecting) => connecting.get_mut(),
        };
        match io {
            Some(io) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// The wakers of the waiters for a handshake: two tasks may read and write a stream, and the one
/// that took the last step may be dropped before the next is due.
#[derive(Default)]
struct Waiting(Mutex<[Option<Waker>; 2]>);

impl Waiting {
    fn set(&self, role: Role, waker: &Waker) {
        let mut wakers = hold(&self.0);
        let waiting = &mut wakers[role as usize];
        if !waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
            *waiting = Some(waker.clone());
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *hold(&self.0));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}
