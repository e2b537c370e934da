//! Unix sockets.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

use eventlet::{StopServe, connect, listen, serve, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::ear::Ear;
use crate::support::run;

/// A path for a socket, which is removed when the test ends.
struct Path(PathBuf);

impl Path {
    fn new(test: &str) -> Path {
        Path(env::temp_dir().join(format!("eventlet-{}-{test}", std::process::id())))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _already_gone = fs::remove_file(&self.0);
    }
}

#[test]
fn serves() {
    run(async {
        let path = Path::new("serves");
        let listener = listen(&path.0).backlog(5).await.unwrap();
        let ear = Ear::open();
        let handler = |mut conn: UnixStream, _addr| async move {
            let mut line = [0; 4];
            conn.read_exact(&mut line).await?;
            conn.write_all(&line).await?;
            if line == *b"stop" {
                Err(StopServe::new().into())
            } else {
                Err(io::Error::other("no"))
            }
        };
        let server = spawn(serve(listener, handler, 10));
        for line in ["goon", "stop"] {
            let mut conn = connect(path.0.clone()).await.unwrap();
            conn.write_all(line.as_bytes()).await.unwrap();
            let mut answer = String::new();
            conn.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, line);
        }
        server.await.unwrap().unwrap();
        assert_eq!(ear.heard(), ["serving (unnamed): no"]);
    });
}

#[test]
fn errors_say_the_path() {
    run(async {
        let path = Path::new("errors");
        let shown = path.0.display();
        let error = connect(&*path.0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with(&format!("cannot connect to {shown}: ")));

        let _listener = listen(&*path.0).await.unwrap();
        let error = listen(&*path.0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot listen on {shown}: ")));
    });
}
