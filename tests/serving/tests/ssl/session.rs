//! What the two sides agree on: certificates by name, protocols, sessions; and reloading.

use std::fs;

use eventlet::ssl::{Context, Pem, Version};

use crate::support::{dial, is_handshake_error, meet, serve_one, test};
use eventlet_serving::{Authority, Signed};

#[test]
fn a_server_has_a_certificate_for_each_name() {
    test(async {
        let authority = Authority::new("ours");
        let pem = |signed: &Signed| (Pem::bytes(&signed.certificate), Pem::bytes(&signed.key));
        let (chain, key) = pem(&authority.sign("other.test"));
        let server = authority.sign("default.test").server().sni("Other.test", chain, key).unwrap();
        let (chain, key) = pem(&authority.sign("*.wild.test"));
        let server = server.sni("*.wild.test", chain, key).unwrap();
        for name in ["default.test", "other.test", "OTHER.test", "any.wild.test"] {
            let (_client, served) = meet(&server, &authority.client(), name).await;
            assert_eq!(served.server_name(), Some(&*name.to_ascii_lowercase()));
        }
        let (port, served) = serve_one(&server).await;
        let error = dial(port, &authority.client(), "too.deep.wild.test").await.unwrap_err();
        assert!(error.to_string().contains("default.test"), "{error}");
        served.await.unwrap().1.unwrap_err();
    });
}

#[test]
fn both_sides_agree_on_a_protocol() {
    test(async {
        let authority = Authority::new("ours");
        let server = authority.sign("good.test").server().alpn(["h2", "http/1.1"]);
        let client = authority.client().alpn(["http/1.1", "h2"]);
        let (client, served) = meet(&server, &client, "good.test").await;
        assert_eq!(client.alpn(), Some(&b"h2"[..]));
        assert_eq!(served.alpn(), Some(&b"h2"[..]));

        let (client, _served) = meet(&server, &authority.client(), "good.test").await;
        assert_eq!(client.alpn(), None);

        let (port, served) = serve_one(&server).await;
        let error = dial(port, &authority.client().alpn(["smtp"]), "good.test").await.unwrap_err();
        assert!(is_handshake_error(&error), "{error:?}");
        served.await.unwrap().1.unwrap_err();
    });
}

#[test]
fn sessions_are_resumed() {
    test(async {
        let authority = Authority::new("ours");
        for version in [Version::Tls12, Version::Tls13] {
            let server = authority.sign("good.test").server().maximum_version(version);
            let client = authority.client();
            for reused in [false, true, true] {
                let (client, served) = meet(&server, &client, "good.test").await;
                assert_eq!(client.version(), Some(version));
                assert_eq!((client.session_reused(), served.session_reused()), (reused, reused));
            }
            // Another name of the same server is another session.
            let (port, served) = serve_one(&server).await;
            dial(port, &client, "wrong.test").await.unwrap_err();
            served.await.unwrap().1.unwrap_err();
        }
    });
}

/// Files that go with the test.
struct Files(std::path::PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        let path = std::env::temp_dir().join(format!("eventlet-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Files(path)
    }

    fn write(&self, signed: &Signed) {
        fs::write(self.0.join("chain.pem"), &signed.certificate).unwrap();
        fs::write(self.0.join("key.pem"), &signed.key).unwrap();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn certificates_are_reloaded() {
    test(async {
        let (authority, files) = (Authority::new("ours"), Files::new("reload"));
        files.write(&authority.sign("old.test"));
        let server = Context::server(files.0.join("chain.pem"), files.0.join("key.pem")).unwrap();
        let (client, same) = (authority.client(), server.clone());
        meet(&server, &client, "old.test").await;

        files.write(&authority.sign("new.test"));
        meet(&server, &client, "old.test").await;
        same.reload().unwrap();
        let (client, _) = meet(&server, &client, "new.test").await;
        assert!(!client.session_reused());

        // What cannot be read changes nothing.
        fs::write(files.0.join("key.pem"), "no key").unwrap();
        let error = server.reload().unwrap_err().to_string();
        assert!(error.ends_with("key.pem: there is no private key in it"), "{error}");
        meet(&server, &authority.client(), "new.test").await;
    });
}

#[test]
fn errors_of_pem_name_file_and_line() {
    let (authority, files) = (Authority::new("ours"), Files::new("pem"));
    let signed = authority.sign("good.test");
    files.write(&signed);
    let chain = files.0.join("chain.pem");
    let shown = chain.display().to_string();
    let key = || Pem::bytes(&signed.key);
    let fails = |key: Pem| Context::server(&chain, key).unwrap_err().to_string();

    fs::write(
        &chain,
        format!(
            "# a comment\n{}-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            signed.certificate
        ),
    )
    .unwrap();
    let line = signed.certificate.lines().count() + 2;
    assert!(fails(key()).starts_with(&format!("{shown}:{line}: ")), "{}", fails(key()));
    let error = Context::client().unwrap().ca_file(&chain).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{shown}:{line}: ")), "{error}");

    fs::write(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let error = Context::client().unwrap().ca_file(&chain).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{shown}:1: ")), "{error}");

    fs::write(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    assert!(fails(key()).starts_with(&format!("{shown}:1: ")), "{}", fails(key()));

    fs::write(&chain, &signed.key).unwrap();
    assert_eq!(fails(key()), format!("{shown}: there is no certificate in it"));

    fs::write(&chain, &signed.certificate).unwrap();
    let another = Pem::bytes(authority.sign("good.test").key);
    let error = fails(another.clone());
    assert_eq!(error, format!("{another}: it is not the key of the first certificate in {shown}"));

    let encrypted =
        "\n-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let error = fails(Pem::bytes(encrypted));
    assert!(error.starts_with("PEM in memory:2: the key is encrypted"), "{error}");

    fs::remove_file(&chain).unwrap();
    assert!(fails(key()).starts_with(&format!("{shown}: No such file")), "{}", fails(key()));
}
