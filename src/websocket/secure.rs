//! `wss://`, with the feature `ssl`.

use std::io;
use std::sync::OnceLock;

use super::connection::Io;
use crate::convenience::{Connect, Tcp};
use crate::ssl::{Client, Context, wrap_ssl};

/// Which authorities a client trusts. Without a context, those of the system.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls(Option<Context<Client>>);

impl Tls {
    pub(super) fn new(context: &Context<Client>) -> Tls {
        Tls(Some(context.clone()))
    }

    /// Connects, verifies that the server is the host that was asked for, and encrypts.
    pub(super) async fn secure(&self, connecting: Connect<Tcp>) -> io::Result<Box<dyn Io>> {
        let context = match &self.0 {
            Some(context) => context,
            None => system_context()?,
        };
        Ok(Box::new(wrap_ssl(connecting, context).await?))
    }
}

/// Returns the context that trusts the system's authorities. All clients share it: the authorities
/// are read once, and sessions are resumed.
fn system_context() -> io::Result<&'static Context<Client>> {
    static CONTEXT: OnceLock<Context<Client>> = OnceLock::new();
    match CONTEXT.get() {
        Some(context) => Ok(context),
        None => {
            let context = Context::client()?;
            Ok(CONTEXT.get_or_init(|| context))
        }
    }
}
