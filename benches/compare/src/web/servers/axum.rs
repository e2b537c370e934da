//! axum, on a runtime of one OS thread.

use std::io;
use std::net;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::web::site::BODY;

pub(super) fn serve(listener: net::TcpListener) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = Router::new().route("/green/threads", get(|| async { BODY }));
        let listener = TcpListener::from_std(listener)?;
        let listener = listener.tap_io(|stream| {
            let _gone = stream.set_nodelay(true);
        });
        // Not in `block_on` itself, which would pay more for every wakeup.
        tokio::spawn(async { axum::serve(listener, router).await }).await?
    })
}
