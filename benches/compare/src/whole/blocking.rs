//! The handlers of the servers whose code looks blocking: the same functions on green stacks and on
//! may.

use std::io::{self, Read, Write};

use super::wire::{BUFFER, CHUNK, CHUNKS, Program, RESPONSE, head_length};

pub(crate) fn handle(program: Program, stream: impl Read + Write) -> io::Result<()> {
    match program {
        Program::Echo => echo(stream),
        Program::Http => http(stream),
        Program::Stream => flow(stream),
    }
}

fn echo(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}

fn http(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            length => filled += length,
        }
        while let Some(head) = head_length(&buffer[..filled]) {
            stream.write_all(RESPONSE)?;
            buffer.copy_within(head..filled, 0);
            filled -= head;
        }
    }
}

fn flow(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let asked = stream.read(&mut buffer)?;
        if asked == 0 {
            return Ok(());
        }
        for _ in 0..asked * CHUNKS {
            stream.write_all(&CHUNK)?;
        }
    }
}
