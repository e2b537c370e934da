//! The addresses of a request's connection in the environ.

use std::net::SocketAddr;

use super::address::Address;
use super::environ::Environ;

impl Environ {
    /// Returns the local address of the connection: `SERVER_NAME`. It is `unix` for a Unix socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.server_name() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "127.0.0.1");
    /// # });
    /// ```
    pub fn server_name(&self) -> String {
        self.0.connection.addresses.local.host().into_owned()
    }

    /// Returns the local port of the connection: `SERVER_PORT`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.server_port()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.starts_with("Some("));
    /// # });
    /// ```
    pub fn server_port(&self) -> Option<u16> {
        self.0.connection.addresses.local.port()
    }

    /// Returns the address of the client: `REMOTE_ADDR`. It is `unix` for a Unix socket.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.remote_addr() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "127.0.0.1");
    /// # });
    /// ```
    pub fn remote_addr(&self) -> String {
        self.0.connection.addresses.remote.host().into_owned()
    }

    /// Returns the port of the client: `REMOTE_PORT`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.remote_port()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.starts_with("Some("));
    /// # });
    /// ```
    pub fn remote_port(&self) -> Option<u16> {
        self.0.connection.addresses.remote.port()
    }

    /// Returns the address of the client as a socket address, if it is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { format!("{:?}", env.peer_addr()) };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert!(body_of(site, "GET /").await.starts_with("Some(127.0.0.1:"));
    /// # });
    /// ```
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match self.0.connection.addresses.remote {
            Address::Inet(addr) => Some(addr),
            Address::Unix | Address::Other(_) => None,
        }
    }

    /// Returns `"http"`, or `"https"` over TLS: `wsgi.url_scheme`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::wsgi::Environ;
    ///
    /// let site = |env: Environ| async move { env.url_scheme() };
    /// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
    /// # use ask::body_of;
    /// # eventlet::run(async move {
    /// assert_eq!(body_of(site, "GET /").await, "http");
    /// # });
    /// ```
    pub fn url_scheme(&self) -> &'static str {
        self.0.connection.addresses.scheme()
    }
}
