//! The settings of many connections: certificates, keys, trusted authorities.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};

use super::pem::Pem;
use super::provider::provider;
use super::settings::{ClientSettings, Common, Identity, ServerSettings, Trust};

/// Certificates, keys and options that many connections share.
///
/// A clone is the same context. Its files are read when it is made, by blocking calls, and again by
/// [`reload`](Context::reload).
///
/// Corresponds to Python's `ssl.SSLContext`, `ssl.create_default_context`.
///
/// # Examples
///
/// ```
/// use eventlet::ssl::Context;
///
/// let client = Context::client().unwrap().alpn(["http/1.1"]);
/// let error = client.ca_file("missing.pem").unwrap_err();
/// assert!(error.to_string().starts_with("missing.pem: "));
/// ```
pub struct Context<S: Side> {
    shared: Arc<Shared<S>>,
}

struct Shared<S: Side> {
    common: Common,
    side: S,
    /// The configuration for rustls. Made when it is first needed, and anew by `reload`.
    config: RwLock<Option<Arc<S::Config>>>,
}

/// The side of a [`Context`]: [`Client`] or [`Server`].
pub trait Side: sealed::Side {}

/// The side that connects.
#[derive(Clone, Debug)]
pub struct Client(ClientSettings);

/// The side that accepts connections.
#[derive(Clone, Debug)]
pub struct Server(ServerSettings);

impl Side for Client {}
impl Side for Server {}

mod sealed {
    use super::*;

    pub trait Side: Clone {
        type Config;

        fn build(&self, common: &Common) -> io::Result<Arc<Self::Config>>;
    }

    impl Side for Client {
        type Config = ClientConfig;

        fn build(&self, common: &Common) -> io::Result<Arc<ClientConfig>> {
            self.0.build(common)
        }
    }

    impl Side for Server {
        type Config = ServerConfig;

        fn build(&self, common: &Common) -> io::Result<Arc<ServerConfig>> {
            self.0.build(common)
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    pub(super) fn of(version: rustls::ProtocolVersion) -> Option<Version> {
        match version {
            rustls::ProtocolVersion::TLSv1_2 => Some(Version::Tls12),
            rustls::ProtocolVersion::TLSv1_3 => Some(Version::Tls13),
            _ => None,
        }
    }
}

impl Context<Client> {
    /// Makes the context of a client: it speaks TLS 1.2 and 1.3, and verifies the server's
    /// certificate and name against the system's authorities.
    ///
    /// The system's authorities are read when they are first needed. If there are none, connecting
    /// fails, and the error says what to do.
    ///
    /// Corresponds to Python's `ssl.create_default_context()`.
    ///
    /// # Errors
    ///
    /// None so far: the system's authorities are read later, as [`ca_file`](Context::ca_file) may
    /// replace them.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::ssl::Context::client().is_ok());
    /// ```
    pub fn client() -> io::Result<Context<Client>> {
        let settings = ClientSettings { trust: Trust::System, identity: None };
        Ok(Context::new(Common::default(), Client(settings)))
    }

    /// Trusts the authorities of a file instead of those of the system. Several files add up.
    ///
    /// Corresponds to Python's `ssl.create_default_context(cafile=..)`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a certificate in it is bad: the error names file and line.
    pub fn ca_file(self, authorities: impl Into<Pem>) -> io::Result<Context<Client>> {
        let authorities = authorities.into();
        self.checked(|_, Client(settings)| match &mut settings.trust {
            Trust::Authorities(files) => files.push(authorities),
            trust => *trust = Trust::Authorities(vec![authorities]),
        })
    }

    /// Shows a certificate to servers that ask for one.
    ///
    /// Corresponds to Python's `SSLContext.load_cert_chain`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is bad, or the key is of another certificate.
    pub fn client_cert(
        self,
        chain: impl Into<Pem>,
        key: impl Into<Pem>,
    ) -> io::Result<Context<Client>> {
        let identity = Identity { chain: chain.into(), key: key.into() };
        identity.read(&provider())?;
        Ok(self.with(|_, Client(settings)| settings.identity = Some(identity)))
    }

    /// Verifies nothing about the server: **anyone on the network path can read and change
    /// everything**.
    ///
    /// For tests. To trust a certificate that no authority has signed, give it to
    /// [`ca_file`](Context::ca_file).
    ///
    /// Corresponds to Python's `CERT_NONE` without `check_hostname`.
    pub fn danger_no_verify(self) -> Context<Client> {
        self.with(|_, Client(settings)| settings.trust = Trust::Anybody)
    }
}

impl Context<Server> {
    /// Makes the context of a server, with its chain of certificates, its own first, and its key.
    ///
    /// It speaks TLS 1.2 and 1.3. Clients resume their sessions in both.
    ///
    /// Corresponds to Python's `ssl.create_default_context(Purpose.CLIENT_AUTH)` and
    /// `load_cert_chain`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is not PEM of certificates and an unencrypted key, or the key is
    /// of another certificate. The error names the file, and the line if it can.
    pub fn server(chain: impl Into<Pem>, key: impl Into<Pem>) -> io::Result<Context<Server>> {
        let default = Identity { chain: chain.into(), key: key.into() };
        let settings =
            ServerSettings { default, by_name: Vec::new(), client_authorities: Vec::new() };
        Context::new(Common::default(), Server(settings)).checked(|_, _| ())
    }

    /// Shows another certificate to clients that ask for this name (SNI). `*.example.org` stands
    /// for any name with one label in the star's place.
    ///
    /// Corresponds to Python's `SSLContext.sni_callback`.
    ///
    /// # Errors
    ///
    /// As for [`server`](Context::server).
    pub fn sni(
        self,
        name: impl Into<String>,
        chain: impl Into<Pem>,
        key: impl Into<Pem>,
    ) -> io::Result<Context<Server>> {
        let named = (name.into(), Identity { chain: chain.into(), key: key.into() });
        self.checked(|_, Server(settings)| settings.by_name.push(named))
    }

    /// Requires clients to show a certificate that one of these authorities has signed. Several
    /// files add up.
    ///
    /// Corresponds to Python's `CERT_REQUIRED` and `load_verify_locations`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a certificate in it is bad: the error names file and line.
    pub fn require_client_cert(self, authorities: impl Into<Pem>) -> io::Result<Context<Server>> {
        let authorities = authorities.into();
        self.checked(|_, Server(settings)| settings.client_authorities.push(authorities))
    }
}

impl<S: Side> Context<S> {
    fn new(common: Common, side: S) -> Context<S> {
        Context { shared: Arc::new(Shared { common, side, config: RwLock::default() }) }
    }

    /// Offers or accepts these protocols, in order of preference (ALPN).
    ///
    /// Corresponds to Python's `SSLContext.set_alpn_protocols`.
    pub fn alpn<P: AsRef<[u8]>>(self, protocols: impl IntoIterator<Item = P>) -> Context<S> {
        let protocols = protocols.into_iter().map(|protocol| protocol.as_ref().to_vec()).collect();
        self.with(|common, _| common.alpn = protocols)
    }

    /// Limits how long a handshake may take, from its first step; `None` for no limit. The default
    /// is 10 s.
    ///
    /// Corresponds to Python's `settimeout` before `do_handshake`.
    pub fn handshake_timeout(self, limit: impl Into<Option<Duration>>) -> Context<S> {
        let limit = limit.into();
        self.with(|common, _| common.handshake_timeout = limit)
    }

    /// Speaks nothing older than this version.
    ///
    /// Corresponds to Python's `SSLContext.minimum_version`.
    pub fn minimum_version(self, version: Version) -> Context<S> {
        self.with_versions(|each| each >= version)
    }

    /// Speaks nothing newer than this version.
    ///
    /// Corresponds to Python's `SSLContext.maximum_version`.
    pub fn maximum_version(self, version: Version) -> Context<S> {
        self.with_versions(|each| each <= version)
    }

    /// Reads all files again. New handshakes use the new contents; existing connections go on.
    ///
    /// Sessions from before are not resumed.
    ///
    /// # Errors
    ///
    /// As when the context was made. It keeps its previous settings then.
    pub fn reload(&self) -> io::Result<()> {
        let config = self.shared.side.build(&self.shared.common)?;
        *self.shared.config.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
        Ok(())
    }

    /// Returns the configuration for rustls.
    pub(super) fn config(&self) -> io::Result<Arc<S::Config>> {
        let config = self.shared.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        match config {
            Some(config) => Ok(config),
            None => {
                self.reload()?;
                self.config()
            }
        }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.shared.common.handshake_timeout
    }

    fn with(self, change: impl FnOnce(&mut Common, &mut S)) -> Context<S> {
        let (mut common, mut side) = (self.shared.common.clone(), self.shared.side.clone());
        change(&mut common, &mut side);
        Context::new(common, side)
    }

    /// Changes a setting and reads its files at once, so that the caller of the setter gets the
    /// error.
    fn checked(self, change: impl FnOnce(&mut Common, &mut S)) -> io::Result<Context<S>> {
        let context = self.with(change);
        context.reload()?;
        Ok(context)
    }

    fn with_versions(self, wanted: impl Fn(Version) -> bool) -> Context<S> {
        self.with(|common, _| {
            common.versions.retain(|each| Version::of(each.version).is_some_and(&wanted));
        })
    }
}

impl<S: Side> Clone for Context<S> {
    fn clone(&self) -> Context<S> {
        Context { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Side + fmt::Debug> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("side", &self.shared.side).finish_non_exhaustive()
    }
}
