//! Where the connections of a server come in.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::options::Options;
use super::peer::Peer;
use super::server::Server;
use super::site::Handler;
use super::tls::socket_below;
use crate::convenience::{Door, Listener};
use crate::greenpool::{GreenPool, Slot};
use crate::hub::within;

/// How often a full server looks for an idle connection to close.
const PRESSED: Duration = Duration::from_millis(50);

/// Accepts connections, and starts a green thread for each.
pub(super) struct Acceptor<L, H> {
    pub(super) door: Door<L>,
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
            let log = &self.options.log;
            let report = |what: &str, error: &io::Error| log.failure(&what, &error.to_string());
            match self.door.next(is_no_listener, report).await {
                Ok((io, addr)) => {
                    let slot = self.slot().await;
                    self.start(slot, io, &addr);
                }
                Err(error) => return error,
            }
        }
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
        if let Some(tcp) = socket_below(&io) {
            // It fails on a connection that has gone, which will be noticed.
            let _ = tcp.set_nodelay(self.options.tcp_nodelay);
        }
        let number = self.server.next_number();
        let peer = Peer::of(&io, addr, self.door.listener.is_secure());
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
