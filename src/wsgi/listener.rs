//! What a server may listen with.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::convenience::Listener;

/// What [`server`](super::server()) takes as `sock`: any [`Listener`] whose connections are of
/// Tokio's traits, and the listeners of green stacks.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "stackful")]
/// # {
/// use eventlet::green::net::TcpListener;
/// use eventlet::wsgi::{self, Environ};
/// use eventlet::{Block, run, stackful};
///
/// run(stackful(|| {
///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
///     let serving = wsgi::server(listener, |_: Environ| async { "hello" }).log_output(false);
///     let server = serving.handle();
///     let served = eventlet::spawn(serving);
///     server.stop_accepting();
///     served.block().unwrap().unwrap();
/// }));
/// # }
/// ```
pub trait IntoListener: 'static {
    /// What it becomes.
    type Listener: Listener<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static, Addr: 'static>
        + 'static;

    /// Makes the listener that serves.
    ///
    /// # Errors
    ///
    /// When a listener of green stacks has clones, and the operating system refuses another
    /// descriptor.
    fn into_listener(self) -> io::Result<Self::Listener>;
}

impl<L> IntoListener for L
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static, Addr: 'static> + 'static,
{
    type Listener = L;

    fn into_listener(self) -> io::Result<L> {
        Ok(self)
    }
}
