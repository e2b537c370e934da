//! Where connections come in.

use std::io;
use std::time::Duration;

use super::listener::Listener;
use crate::greenthread::sleep;

/// How long a server waits before it tries again when it could not accept.
const PATIENCE: Duration = Duration::from_millis(100);

/// A listener that is asked again after any error.
pub(crate) struct Door<L> {
    pub(crate) listener: L,
    /// Whether the last attempt to accept failed for a reason that outlasts one connection.
    in_trouble: bool,
}

impl<L: Listener> Door<L> {
    pub(crate) fn new(listener: L) -> Door<L> {
        Door { listener, in_trouble: false }
    }

    /// Waits for the next connection, however long that takes.
    ///
    /// An error that outlasts one connection is reported when it begins. An error for which `ends`
    /// is true is returned.
    pub(crate) async fn next(
        &mut self,
        ends: impl Fn(&io::Error) -> bool,
        report: impl Fn(&str, &io::Error),
    ) -> io::Result<(L::Io, L::Addr)> {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.in_trouble = false;
                    return Ok(accepted);
                }
                Err(error) if ends(&error) => return Err(error),
                // Yields, in case the listener returns only errors.
                Err(error) if concerns_one_connection(&error) => sleep(Duration::ZERO).await,
                Err(error) => {
                    if !self.in_trouble {
                        self.in_trouble = true;
                        report("cannot accept connections for now, and will try again", &error);
                    }
                    sleep(PATIENCE).await;
                }
            }
        }
    }
}

/// Returns whether a failure to accept concerns one connection only, so that the next can be
/// accepted at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
