//! The option of a client that speaks TLS.

use super::client::Connect;
use super::secure::Tls;
use crate::ssl::{Client, Context};

impl Connect {
    /// Sets which authorities to trust, and which certificate to show, for a URL of `wss://`. By
    /// default the system's authorities are trusted, and no certificate is shown.
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
        self.tls = Tls::new(context);
        self
    }
}
