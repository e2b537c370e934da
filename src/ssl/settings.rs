//! The settings of a context, and their conversion to rustls's configuration.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use super::pem::Pem;
use super::provider::{Ticketer, provider};
use super::roots;
use super::server_names::ServerNames;
use super::verify::Nothing;

/// How long a handshake may take, unless the context says otherwise.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What both sides have.
#[derive(Clone, Debug)]
pub struct Common {
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    pub(super) handshake_timeout: Option<Duration>,
}

impl Default for Common {
    fn default() -> Common {
        Common {
            alpn: Vec::new(),
            versions: rustls::DEFAULT_VERSIONS.to_vec(),
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
        }
    }
}

/// A chain of certificates and the key of the first.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) chain: Pem,
    pub(super) key: Pem,
}

impl Identity {
    pub(super) fn read(&self, provider: &CryptoProvider) -> io::Result<Arc<CertifiedKey>> {
        let (chain, key) = (self.chain.chain()?, self.key.key()?);
        match CertifiedKey::from_der(chain, key, provider) {
            Ok(certified) => Ok(Arc::new(certified)),
            Err(rustls::Error::InconsistentKeys(_)) => Err(self.key.wrong(
                None,
                format!("it is not the key of the first certificate in {}", self.chain),
            )),
            Err(error) => Err(self.key.wrong(None, error)),
        }
    }
}

/// Further settings of a server.
#[derive(Clone, Debug)]
pub(super) struct ServerSettings {
    pub(super) default: Identity,
    pub(super) by_name: Vec<(String, Identity)>,
    pub(super) client_authorities: Vec<Pem>,
}

impl ServerSettings {
    pub(super) fn build(&self, common: &Common) -> io::Result<Arc<ServerConfig>> {
        let provider = provider();
        let mut names = ServerNames::new(self.default.read(&provider)?);
        for (name, identity) in &self.by_name {
            names.add(name, identity.read(&provider)?);
        }
        let clients = self.client_verifier(&provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&common.versions)
            .map_err(io::Error::other)?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(names));
        config.alpn_protocols.clone_from(&common.alpn);
        config.ticketer = Ticketer::new().map_err(io::Error::other)?;
        Ok(Arc::new(config))
    }

    fn client_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> io::Result<Arc<dyn ClientCertVerifier>> {
        if self.client_authorities.is_empty() {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let roots = roots::read(&self.client_authorities)?;
        let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
        builder.build().map_err(io::Error::other)
    }
}

/// Whom a client trusts.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    System,
    Authorities(Vec<Pem>),
    Anybody,
}

impl Trust {
    fn verifier(&self, provider: &Arc<CryptoProvider>) -> io::Result<Arc<dyn ServerCertVerifier>> {
        let provider = Arc::clone(provider);
        match self {
            Trust::System => roots::system(provider),
            Trust::Authorities(files) => roots::verifier(roots::read(files)?, provider),
            Trust::Anybody => Ok(Arc::new(Nothing(provider))),
        }
    }
}

/// Further settings of a client.
#[derive(Clone, Debug)]
pub(super) struct ClientSettings {
    pub(super) trust: Trust,
    pub(super) identity: Option<Identity>,
}

impl ClientSettings {
    pub(super) fn build(&self, common: &Common) -> io::Result<Arc<ClientConfig>> {
        let provider = provider();
        let verifier = self.trust.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&common.versions)
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certified = identity.read(&provider)?;
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
                    certified,
                )))
            }
        };
        config.alpn_protocols.clone_from(&common.alpn);
        Ok(Arc::new(config))
    }
}
