//! The handlers of both async servers: the same async fns on Tokio's tasks and on green threads.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{BUFFER, CHUNK, CHUNKS, Program, RESPONSE, head_length};

pub(crate) async fn handle(program: Program, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match program {
        Program::Echo => echo(stream).await,
        Program::Http => http(stream).await,
        Program::Stream => flow(stream).await,
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

async fn http(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Ok(()),
            length => filled += length,
        }
        while let Some(head) = head_length(&buffer[..filled]) {
            stream.write_all(RESPONSE).await?;
            buffer.copy_within(head..filled, 0);
            filled -= head;
        }
    }
}

async fn flow(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let asked = stream.read(&mut buffer).await?;
        if asked == 0 {
            return Ok(());
        }
        for _ in 0..asked * CHUNKS {
            stream.write_all(&CHUNK).await?;
        }
    }
}
