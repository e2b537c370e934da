//! Where connections come in.

use std::io;
use std::time::Duration;

use super::listener::Listener;
use crate::greenthread::sleep;

/// How long a server waits before it tries again when it could not accept.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where connections come in: a listener that is asked again whatever it answers.
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
    /// Trouble that outlasts one connection is reported when it begins. What `ends` says yes to is
    /// not waited out.
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
                // Others get a turn, should a listener give nothing but errors.
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

/// Returns whether a failure to accept is that of one connection, and the next may come at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
