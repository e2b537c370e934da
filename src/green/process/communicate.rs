//! Writing to a process, reading from it and waiting for it, all at once.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Output};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Serves those of the three streams that are given, until all are done and the process has ended.
pub(super) async fn all(
    input: Option<(impl AsyncWrite + Unpin, &[u8])>,
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    ended: impl Future<Output = io::Result<ExitStatus>>,
) -> io::Result<Output> {
    let output = both(read_all(stdout), read_all(stderr));
    let (((), (stdout, stderr)), status) = both(both(write_all(input), output), ended).await?;
    Ok(Output { status, stdout, stderr })
}

/// Writes everything, and closes the stream. A process need not read it.
async fn write_all(input: Option<(impl AsyncWrite + Unpin, &[u8])>) -> io::Result<()> {
    let Some((mut stream, bytes)) = input else { return Ok(()) };
    match stream.write_all(bytes).await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Waits for both futures. An error of either ends the wait.
async fn both<A, B>(
    one: impl Future<Output = io::Result<A>>,
    other: impl Future<Output = io::Result<B>>,
) -> io::Result<(A, B)> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none() {
            if let Poll::Ready(value) = one.as_mut().poll(cx)? {
                first = Some(value);
            }
        }
        if second.is_none() {
            if let Poll::Ready(value) = other.as_mut().poll(cx)? {
                second = Some(value);
            }
        }
        if first.is_none() || second.is_none() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(first.take().zip(second.take())))
    })
    .await
    .map(|both| both.expect("both are there when it is done"))
}
