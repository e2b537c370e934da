//! TLS with tokio-rustls, of which both ends are on green stacks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use eventlet::{Block, connect, listen, serve, spawn_n, stackful};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio_rustls::client;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::{green, run};

/// A server's end of TLS, and the certificate that a client must trust.
fn acceptor() -> (TlsAcceptor, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key);
    (TlsAcceptor::from(Arc::new(config.unwrap())), cert.der().clone())
}

/// A client's end of TLS, which trusts these certificates.
fn connector(trusted: &[CertificateDer<'static>]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Sends back what comes, until the other end is done.
fn echo(acceptor: &TlsAcceptor, conn: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = split(acceptor.accept(conn).block()?);
    tokio::io::copy(&mut reader, &mut writer).block()?;
    writer.shutdown().block()
}

/// Starts a server that echoes, and returns its address and its certificate.
fn start_echo() -> (SocketAddr, CertificateDer<'static>) {
    let (acceptor, certificate) = acceptor();
    let listener = listen("127.0.0.1:0").block().unwrap();
    let address = listener.local_addr().unwrap();
    let handler = move |conn, _| {
        let acceptor = acceptor.clone();
        // A client that does not trust us says so to us as well.
        stackful(move || drop(echo(&acceptor, conn)))
    };
    spawn_n(serve(listener, handler, 100));
    (address, certificate)
}

fn open(tls: &TlsConnector, address: SocketAddr) -> io::Result<client::TlsStream<TcpStream>> {
    let conn = connect(address).block()?;
    tls.connect(ServerName::try_from("localhost").unwrap(), conn).block()
}

#[test]
fn a_megabyte_is_echoed() {
    run(|| {
        let (address, certificate) = start_echo();
        let (mut reader, mut writer) = split(open(&connector(&[certificate]), address).unwrap());
        let data: Arc<[u8]> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
        let sent = Arc::clone(&data);
        let sender = green(move || {
            writer.write_all(&sent).block().unwrap();
            writer.shutdown().block().unwrap();
        });
        let mut back = Vec::new();
        reader.read_to_end(&mut back).block().unwrap();
        sender.block().unwrap();
        assert!(*back == *data, "{} bytes came back", back.len());
    });
}

#[test]
fn many_shake_hands_at_once() {
    run(|| {
        let (address, certificate) = start_echo();
        let tls = connector(&[certificate]);
        let clients = (0..20_u8).map(|number| {
            let tls = tls.clone();
            green(move || {
                let mut conn = open(&tls, address).unwrap();
                conn.write_all(&[number; 100]).block().unwrap();
                let mut back = [0; 100];
                conn.read_exact(&mut back).block().unwrap();
                assert_eq!(back, [number; 100]);
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.block().unwrap();
        }
    });
}

#[test]
fn a_certificate_that_nobody_trusts_is_an_error_and_no_panic() {
    run(|| {
        let (address, certificate) = start_echo();
        let error = open(&connector(&[]), address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        open(&connector(&[certificate]), address).expect("the server went on");
    });
}
