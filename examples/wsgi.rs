//! eventlet's hello world, in both colours.
//!
//! ```sh
//! cargo run --features wsgi --example wsgi
//! curl http://127.0.0.1:8090/   # a plain function on a stack of its own
//! curl http://127.0.0.1:8091/   # an async fn
//! ```
//!
//! It serves until Ctrl-C or SIGTERM, and then waits for running requests.

use std::io;

use eventlet::wsgi::{self, Environ, IntoResponse, StartResponse};
use eventlet::{interrupted, listen, run, spawn};

fn hello_world(env: Environ, start_response: StartResponse) -> Vec<&'static str> {
    if env.path_info() != "/" {
        start_response.call("404 Not Found", [("Content-Type", "text/plain")]);
        return vec!["Not Found\r\n"];
    }
    start_response.call("200 OK", [("Content-Type", "text/plain")]);
    vec!["Hello, World!\r\n"]
}

async fn hello_async(env: Environ) -> impl IntoResponse {
    if env.path_info() != "/" {
        return (404, "Not Found\r\n");
    }
    (200, "Hello, World!\r\n")
}

fn main() -> io::Result<()> {
    run(async {
        let plain = listen("127.0.0.1:8090").await?;
        let plain = wsgi::server(plain, wsgi::application(hello_world));
        let plain = spawn(plain.shutdown_on(interrupted()));

        let stackless = listen("127.0.0.1:8091").await?;
        wsgi::server(stackless, hello_async).shutdown_on(interrupted()).await?;
        plain.await.map_err(io::Error::other)?
    })
}
