//! Which certificates are trusted.

use eventlet::ssl::{Context, Pem, Version};
use eventlet::{connect, listen, wrap_ssl};

use crate::support::{dial, is_handshake_error, meet, serve_one, talk, test};
use eventlet_serving::{Authority, Signed};

#[test]
fn a_good_certificate_is_accepted() {
    test(async {
        let authority = Authority::new("ours");
        let signed = authority.sign("good.test");
        let (client, server) = meet(&signed.server(), &authority.client(), "good.test").await;
        assert_eq!(client.version(), Some(Version::Tls13));
        assert_eq!(server.version(), Some(Version::Tls13));
        assert_eq!(server.server_name(), Some("good.test"));
        assert_eq!(client.peer_certificates().unwrap().len(), 1);
        assert!(server.peer_certificates().is_none());
    });
}

/// The server learns that the client left, and no byte of data was sent.
async fn is_refused(signed: &Signed, authority: &Authority, name: &str, why: &str) {
    for version in [Version::Tls12, Version::Tls13] {
        let (port, served) = serve_one(&signed.server()).await;
        let client = authority.client().maximum_version(version);
        let error = dial(port, &client, name).await.unwrap_err();
        assert!(is_handshake_error(&error), "{error:?}");
        assert!(error.to_string().contains(why), "{why}: {error}");
        let (_conn, heard) = served.await.unwrap();
        heard.unwrap_err();
    }
}

#[test]
fn a_bad_certificate_is_refused() {
    test(async {
        let (ours, other) = (Authority::new("ours"), Authority::new("another"));
        is_refused(&ours.sign("good.test"), &ours, "wrong.test", "not valid for name").await;
        is_refused(&ours.sign_expired("good.test"), &ours, "good.test", "expired").await;
        is_refused(&other.sign("good.test"), &ours, "good.test", "Context::ca_file").await;
        is_refused(&Signed::by_itself("good.test"), &ours, "good.test", "Context::ca_file").await;
        is_refused(&ours.sign("127.0.0.2"), &ours, "127.0.0.1", "not valid for name").await;
    });
}

#[test]
fn the_system_does_not_trust_what_a_test_made_up() {
    test(async {
        let (port, served) = serve_one(&Authority::new("ours").sign("good.test").server()).await;
        let error = dial(port, &Context::client().unwrap(), "good.test").await.unwrap_err();
        if error.kind() == std::io::ErrorKind::NotFound {
            assert!(error.to_string().contains("webpki-roots"), "{error}");
        } else {
            assert!(is_handshake_error(&error), "{error:?}");
        }
        served.await.unwrap().1.unwrap_err();
    });
}

#[test]
fn who_asks_for_danger_verifies_nothing() {
    test(async {
        let client = Context::client().unwrap().danger_no_verify();
        for version in [Version::Tls12, Version::Tls13] {
            let server = Signed::by_itself("other.test").server().maximum_version(version);
            let (client, _server) = meet(&server, &client, "good.test").await;
            assert_eq!(client.version(), Some(version));
        }
    });
}

#[test]
fn the_name_comes_from_connect() {
    test(async {
        let authority = Authority::new("ours");
        let (port, served) = serve_one(&authority.sign("127.0.0.1").server()).await;
        let connecting = connect(("127.0.0.1", port));
        let mut conn = wrap_ssl(connecting, &authority.client()).await.unwrap();
        talk(&mut conn).await.unwrap();
        served.await.unwrap().1.unwrap();

        let (port, served) = serve_one(&authority.sign("localhost").server()).await;
        let connecting = connect(format!("localhost:{port}"));
        talk(&mut wrap_ssl(connecting, &authority.client()).await.unwrap()).await.unwrap();
        served.await.unwrap().1.unwrap();
    });
}

#[test]
fn a_socket_without_a_name_is_refused() {
    test(async {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let context = Context::client().unwrap();
        let socket = connect(listener.local_addr().unwrap()).await.unwrap();
        let error = wrap_ssl(socket, &context).await.unwrap_err();
        assert!(error.to_string().contains(".server_hostname("), "{error}");

        let socket = connect(listener.local_addr().unwrap()).await.unwrap();
        let error = wrap_ssl(socket, &context).server_hostname("no name").await.unwrap_err();
        assert!(
            error.to_string().contains("\"no name\" is not a valid name of a server"),
            "{error}"
        );
    });
}

#[test]
fn a_client_shows_its_certificate() {
    test(async {
        let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
        let strangers = Authority::new("strangers");
        for version in [Version::Tls12, Version::Tls13] {
            let server = ours.sign("good.test").server().maximum_version(version);
            let server = server.require_client_cert(Pem::bytes(&clients.pem)).unwrap();
            let with = |signed: Signed| {
                let (chain, key) = (Pem::bytes(&signed.certificate), Pem::bytes(&signed.key));
                ours.client().client_cert(chain, key).unwrap()
            };
            let (_, served) = meet(&server, &with(clients.sign("me.test")), "good.test").await;
            assert_eq!(served.peer_certificates().unwrap().len(), 1);

            for refused in [ours.client(), with(strangers.sign("me.test"))] {
                let (port, served) = serve_one(&server).await;
                // In TLS 1.3 a client has done its part before the server looks at it.
                let talked = match dial(port, &refused, "good.test").await {
                    Ok(mut conn) => talk(&mut conn).await,
                    Err(error) => Err(error),
                };
                talked.unwrap_err();
                let (_conn, heard) = served.await.unwrap();
                assert!(is_handshake_error(&heard.unwrap_err()));
            }
        }
    });
}
