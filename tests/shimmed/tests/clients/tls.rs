//! rustls' blocking streams, and `ureq` over them: both ends on green stacks of one hub.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use eventlet::{spawn, stackful};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::http::answer;
use crate::{WAIT, crowd, run};

type Server = StreamOwned<ServerConnection, TcpStream>;

/// Serves each client on a green stack of its own. Returns where, and who vouches for it.
fn serve(handle: impl Fn(Server) + Copy + 'static) -> (SocketAddr, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate.clone()], key.into()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(spawn(stackful(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            drop(spawn(stackful(move || {
                handle(StreamOwned::new(ServerConnection::new(config).unwrap(), client));
            })));
        }
    })));
    (address, certificate)
}

#[test]
fn a_hundred_streams_of_rustls_echo_at_once() {
    run(|| {
        let (address, certificate) = serve(|mut client| {
            let mut text = [0; 1000];
            client.read_exact(&mut text).unwrap();
            std::thread::sleep(WAIT);
            client.write_all(&text).unwrap();
            client.conn.send_close_notify();
            client.flush().unwrap();
        });
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let config = Arc::new(config);
        crowd("a handshake and an echo of 500 ms by rustls", 100, move |number| {
            let name = "localhost".try_into().unwrap();
            let client = ClientConnection::new(Arc::clone(&config), name).unwrap();
            let mut client = StreamOwned::new(client, TcpStream::connect(address).unwrap());
            client.write_all(&[number as u8; 1000]).unwrap();
            let mut echo = Vec::new();
            client.read_to_end(&mut echo).unwrap();
            assert_eq!(echo, [number as u8; 1000]);
        });
    });
}

#[test]
fn ureq_gets_a_hundred_pages_by_https() {
    run(|| {
        let (address, certificate) = serve(|client| answer(client, WAIT));
        let certificate = ureq::tls::Certificate::from_der(certificate.as_ref()).to_owned();
        let roots = ureq::tls::RootCerts::new_with_certs(&[certificate]);
        let tls = ureq::tls::TlsConfig::builder().root_certs(roots).build();
        let agent = ureq::Agent::config_builder().tls_config(tls).build().new_agent();
        let url = format!("https://localhost:{}/", address.port());
        let pages = crowd("ureq::get by HTTPS, the server thinks 500 ms", 100, move |_| {
            agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap()
        });
        assert!(pages.iter().all(|page| page == "hello"));
    });
}
