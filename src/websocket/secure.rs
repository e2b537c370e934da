//! `wss://`.

use std::io;
use std::sync::OnceLock;

use super::client::Connect;
use super::connection::Io;
use crate::convenience::{self, Tcp};
use crate::ssl::{Client, Context, wrap_ssl};

/// Whom a client trusts. Without a context: whom the system trusts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls(Option<Context<Client>>);

impl Tls {
    /// Connects, verifies that the server is the host that was asked for, and encrypts.
    pub(super) async fn secure(
        &self,
        connecting: convenience::Connect<Tcp>,
    ) -> io::Result<Box<dyn Io>> {
        let context = match &self.0 {
            Some(context) => context,
            None => systems()?,
        };
        Ok(Box::new(wrap_ssl(connecting, context).await?))
    }
}

/// Returns the context of those that name none. It is one for all: the system's authorities are
/// read once, and sessions are resumed.
fn systems() -> io::Result<&'static Context<Client>> {
    static SYSTEMS: OnceLock<Context<Client>> = OnceLock::new();
    match SYSTEMS.get() {
        Some(context) => Ok(context),
        None => {
            let context = Context::client()?;
            Ok(SYSTEMS.get_or_init(|| context))
        }
    }
}

impl Connect {
    /// Sets whom to trust, and which certificate to show, where the URL is of `wss://`. Without
    /// this the system's authorities are trusted, and none is shown.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{ssl, websocket};
    ///
    /// # eventlet::run(async {
    /// let context = ssl::Context::client().unwrap();
    /// let error = websocket::connect("wss://127.0.0.1:1/").ssl(&context).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    /// # });
    /// ```
    pub fn ssl(mut self, context: &Context<Client>) -> Connect {
        self.tls = Tls(Some(context.clone()));
        self
    }
}
