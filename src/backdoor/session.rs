//! One client.

use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
};
use tokio::io::{BufReader, ReadHalf, WriteHalf, split};

use super::commands::{Args, Commands, Output};
use super::own;
use crate::greenthread::{GreenThread, sleep, spawn};
use crate::timeout::with_timeout;

/// Bytes of a line.
const LONGEST_LINE: usize = 4096;

/// How long a client may say nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long a client may take to read what it has asked for.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Passwords that a client may try.
const TRIES: usize = 3;

const PROMPT: &str = ">>> ";

/// Serves a console to one client, until it quits or goes away.
///
/// It asks for no password, and does not ask who the client is:
/// [`backdoor_server`](super::backdoor_server) does.
///
/// Corresponds to `eventlet.backdoor.backdoor`.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// While the client is silent, and after each command.
///
/// # Killed
///
/// The connection is closed, and a command of the program's that runs is killed.
///
/// # Errors
///
/// When the connection fails. A client that says nothing for too long, that sends a line that is
/// too long, or that does not read, is sent away, which is none.
///
/// # Examples
///
/// ```
/// use eventlet::backdoor::{Commands, backdoor};
/// use eventlet::spawn;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// # eventlet::run(async {
/// let (mut client, conn) = duplex(4096);
/// let session = spawn(backdoor(conn, Commands::new()));
/// client.write_all(b"stats --json\r\nquit\r\n").await.unwrap();
/// let mut text = String::new();
/// client.read_to_string(&mut text).await.unwrap();
/// assert!(text.contains("{\"what\":\"green threads\",\"value\":2}"), "{text}");
/// session.await.unwrap().unwrap();
/// # });
/// ```
pub async fn backdoor<C>(conn: C, commands: Commands) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin + 'static,
{
    Session::new(conn, commands).run().await
}

pub(super) struct Session<C> {
    lines: BufReader<ReadHalf<C>>,
    conn: WriteHalf<C>,
    commands: Commands,
}

/// What a client has sent.
enum Line {
    Text(String),
    TooLong,
    /// It is gone, or has said nothing for too long.
    End,
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> Session<C> {
    pub(super) fn new(conn: C, commands: Commands) -> Session<C> {
        let (lines, conn) = split(conn);
        Session { lines: BufReader::new(lines), conn, commands }
    }

    /// Asks for the password first.
    pub(super) async fn run_after_password(mut self) -> io::Result<()> {
        for _ in 0..TRIES {
            if !self.write("password: ").await? {
                return Ok(());
            }
            match self.line().await? {
                Line::Text(text) if self.is_password(&text) => return self.run().await,
                Line::Text(_) => {}
                Line::TooLong | Line::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes the same time for each that is wrong, whatever it has in common with the right one.
    fn is_password(&self, text: &str) -> bool {
        let Some(password) = &self.commands.password else { return false };
        let differences = password.bytes().zip(text.bytes().chain(std::iter::repeat(0)));
        let differences = differences.fold(0, |all, (one, other)| all | (one ^ other));
        differences == 0 && password.len() == text.len()
    }

    async fn run(mut self) -> io::Result<()> {
        let process = std::process::id();
        let banner = format!("eventlet backdoor of process {process}, `help` lists the commands\n");
        let mut answer = banner + PROMPT;
        while self.write(&answer).await? {
            answer = match self.line().await? {
                Line::Text(line) => match self.obey(&line).await {
                    Some(answer) => answer + PROMPT,
                    None => return Ok(()),
                },
                Line::TooLong => {
                    self.write("this line is too long\n").await?;
                    return Ok(());
                }
                Line::End => return Ok(()),
            };
            // Whoever sends commands without end must leave the others their turns.
            sleep(Duration::ZERO).await;
        }
        Ok(())
    }

    /// Does what a line says, and returns the answer, or `None` when the client wants to quit.
    async fn obey(&self, line: &str) -> Option<String> {
        let (name, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        let (args, output) = (Args::from(rest), Output::default());
        match self.commands.own.get(name) {
            _ if name == "quit" => return None,
            Some(command) => {
                let running = Running(spawn((command.run)(args, output.clone())));
                running.0.set_name(format!("backdoor: {name}"));
                if let Err(exit) = running.0.wait().await {
                    output.line(format_args!("{name}: {exit}"));
                }
            }
            None => own::run(name, &args, &output, &self.commands).await,
        }
        Some(output.take())
    }

    /// Sends a text, and returns whether the client has taken it in time.
    async fn write(&mut self, text: &str) -> io::Result<bool> {
        let written = with_timeout(WRITE_LIMIT, async {
            self.conn.write_all(text.as_bytes()).await?;
            self.conn.flush().await
        });
        match written.await {
            Ok(written) => written.map(|()| true),
            Err(_too_slow) => Ok(false),
        }
    }

    async fn line(&mut self) -> io::Result<Line> {
        let line = with_timeout(PATIENCE, read_line(&mut self.lines)).await;
        line.unwrap_or(Ok(Line::End))
    }
}

async fn read_line(lines: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Line> {
    let mut bytes = Vec::new();
    let limit = LONGEST_LINE as u64 + 1;
    lines.take(limit).read_until(b'\n', &mut bytes).await?;
    if bytes.len() > LONGEST_LINE {
        return Ok(Line::TooLong);
    }
    match bytes.strip_suffix(b"\n") {
        Some(line) => {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            Ok(Line::Text(String::from_utf8_lossy(line).into_owned()))
        }
        None => Ok(Line::End),
    }
}

/// A command that runs, and is killed with its session.
struct Running(GreenThread<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill();
    }
}
