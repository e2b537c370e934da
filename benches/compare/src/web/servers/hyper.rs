//! hyper on Tokio's own local tasks, and over tokio-rustls.

use std::convert::Infallible;
use std::io;
use std::net;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::TlsAcceptor;

use super::ours::hello;
use crate::web::certificate;

pub(super) fn serve(listener: net::TcpListener, tls: bool) -> io::Result<()> {
    let acceptor = if tls { Some(acceptor()?) } else { None };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async { spawn_local(accept(listener, acceptor)).await? })
}

async fn accept(listener: net::TcpListener, acceptor: Option<TlsAcceptor>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match acceptor.clone() {
            None => drop(spawn_local(talk(stream))),
            Some(acceptor) => drop(spawn_local(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    talk(stream).await;
                }
            })),
        }
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(|_| async { Ok::<_, Infallible>(hello()) });
    let _gone = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn acceptor() -> io::Result<TlsAcceptor> {
    let (certificate, key) = certificate::read()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
