//! Listeners.

use std::io;

use super::stream::TlsStream;
use crate::convenience::Listener;
use crate::green::net::TcpListener;
#[cfg(unix)]
use crate::green::os::unix::net::UnixListener;
use crate::ssl::{self, Context, Server, TlsListener, Wrap};

macro_rules! wraps {
    ($listener:ty, $stream:ty) => {
        impl Wrap<Server> for $listener {
            type Wrapped = TlsListener<$listener>;

            fn wrap(self, context: &Context<Server>) -> TlsListener<$listener> {
                TlsListener::new(self, context)
            }
        }

        /// Gives [`serve`](crate::serve())'s handler the stream of a green stack.
        impl Listener for TlsListener<$listener> {
            type Io = TlsStream<$stream>;
            type Addr = <$listener as Listener>::Addr;

            async fn accept(&mut self) -> io::Result<(Self::Io, Self::Addr)> {
                let (io, addr) = self.accept_below().await?;
                let io = ssl::TlsStream::server(io.into_tokio()?, self.context());
                Ok((io.into(), addr))
            }

            fn is_secure(&self) -> bool {
                true
            }
        }
    };
}

wraps!(TcpListener, tokio::net::TcpStream);
#[cfg(unix)]
wraps!(UnixListener, tokio::net::UnixStream);
