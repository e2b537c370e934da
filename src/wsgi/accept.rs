//! Accepts the connections of a server.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::address::Addresses;
use super::connection::Connection;
use super::options::Options;
use super::serve_connection::serve_connection;
use super::server::Server;
use super::site::Handler;
use super::tls::socket_below;
use crate::convenience::{Door, Listener};
use crate::greenpool::{GreenPool, Slot};
use crate::hub::within;

/// How often a full server tries to evict an idle connection.
const EVICTION_PERIOD: Duration = Duration::from_millis(50);

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
    /// Accepts connections until that fails for good.
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

    /// Waits for a free slot of the pool, and frees one by evicting an idle connection.
    async fn slot(&self) -> Slot {
        let mut asking = pin!(self.pool.slot());
        if let Some(slot) = within(Some(Duration::ZERO), asking.as_mut()).await {
            return slot;
        }
        loop {
            self.server.evict();
            if let Some(slot) = within(Some(EVICTION_PERIOD), asking.as_mut()).await {
                return slot;
            }
        }
    }

    fn start(&self, slot: Slot, io: L::Io, addr: &L::Addr) {
        if let Some(tcp) = socket_below(&io) {
            // This fails on a connection that is closed already; the first read tells.
            let _ = tcp.set_nodelay(self.options.tcp_nodelay);
        }
        let number = self.server.next_number();
        let addresses = Addresses::of(&io, addr, self.door.listener.is_secure());
        let (pid, client) = (std::process::id(), &addresses.remote);
        self.options.log.debug(&format_args!("({pid}) accepted ({client})"));
        let connection = Connection::new(Rc::clone(&self.options), number, addresses);
        let connection = Rc::new(connection);
        let listed = self.server.list(Rc::clone(&connection));
        let (handler, server) = (Rc::clone(&self.handler), self.server.clone());
        let serving = serve_connection(io, handler, Rc::clone(&connection), server);
        let job = async move {
            let _listed = listed;
            serving.await;
        };
        let greenlet = *self.pool.spawn_in(slot, job, self.options.spawned_at);
        connection.greenlet.set(Some(greenlet));
    }
}

/// Returns whether an error says that the listener does not listen.
fn is_no_listener(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}
