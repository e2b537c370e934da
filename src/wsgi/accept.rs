//! Where the connections of a server come in.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::options::Options;
use super::peer::{Peer, socket_below};
use super::server::Server;
use super::site::Handler;
use crate::convenience::{Listener, PATIENCE, concerns_one_connection};
use crate::greenpool::{GreenPool, Slot};
use crate::greenthread::sleep;
use crate::hub::within;

/// How often a full server looks for an idle connection to close.
const PRESSED: Duration = Duration::from_millis(50);

/// Accepts connections, and starts a green thread for each.
pub(super) struct Acceptor<L, H> {
    pub(super) listener: L,
    /// Whether the last attempt to accept failed for a reason that outlasts one connection.
    pub(super) in_trouble: bool,
    pub(super) handler: Rc<H>,
    pub(super) pool: GreenPool,
    pub(super) server: Server,
    pub(super) options: Rc<Options>,
}

impl<L, H> Acceptor<L, H>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static, Addr: 'static>,
    H: Handler,
{
    /// Accepts connections forever. Returns why it cannot.
    pub(super) async fn accept(&mut self) -> io::Error {
        loop {
            match self.next().await {
                Ok((io, addr)) => {
                    let slot = self.slot().await;
                    self.start(slot, io, &addr);
                }
                Err(error) => return error,
            }
        }
    }

    /// Waits for the next connection, however long that takes.
    async fn next(&mut self) -> io::Result<(L::Io, L::Addr)> {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.in_trouble = false;
                    return Ok(accepted);
                }
                Err(error) if is_no_listener(&error) => return Err(error),
                // Others get a turn, should a listener give nothing but errors.
                Err(error) if concerns_one_connection(&error) => sleep(Duration::ZERO).await,
                Err(error) => self.wait_out(&error).await,
            }
        }
    }

    async fn wait_out(&mut self, error: &io::Error) {
        if !self.in_trouble {
            self.in_trouble = true;
            let doing = "cannot accept connections for now, and will try again";
            self.options.log.failure(&doing, &error.to_string());
        }
        sleep(PATIENCE).await;
    }

    /// Waits for a place for a connection, and makes one where a connection is idle.
    async fn slot(&self) -> Slot {
        let mut asking = pin!(self.pool.slot());
        if let Some(slot) = within(Some(Duration::ZERO), asking.as_mut()).await {
            return slot;
        }
        loop {
            self.server.evict();
            if let Some(slot) = within(Some(PRESSED), asking.as_mut()).await {
                return slot;
            }
        }
    }

    fn start(&self, slot: Slot, io: L::Io, addr: &L::Addr) {
        if let (_, Some(tcp)) = socket_below(&io) {
            // It fails on a connection that has gone, which will be noticed.
            let _ = tcp.set_nodelay(self.options.tcp_nodelay);
        }
        let number = self.server.next_number();
        let peer = Peer::of(&io, addr);
        self.options.log.debug(&format_args!(
            "({}) accepted ({})",
            std::process::id(),
            peer.remote
        ));
        let (server, options) = (self.server.clone(), Rc::clone(&self.options));
        let connection = Rc::new(Connection::new(server, options, number, peer));
        let enlisted = self.server.enlist(Rc::clone(&connection));
        let handler = Rc::clone(&self.handler);
        let serving = Rc::clone(&connection);
        let job = async move {
            let _enlisted = enlisted;
            serving.serve(io, handler).await;
        };
        let greenlet = *self.pool.spawn_in(slot, job, self.options.spawned_at);
        connection.greenlet.set(Some(greenlet));
    }
}

/// Returns whether an error says that what should listen does not.
fn is_no_listener(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}
