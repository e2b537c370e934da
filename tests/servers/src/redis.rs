//! Redis.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::program::{TempDir, find, free_port};

/// A Redis of its own, at a free port of this machine, with its files in a temporary folder.
#[derive(Debug)]
pub struct Redis {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    /// Starts one, or says that it is not installed.
    pub fn start() -> Option<Redis> {
        let program = find("redis-server", std::iter::empty())?;
        let mut attempts = (0..3).filter_map(|_| Redis::listen(Command::new(&program)));
        Some(attempts.next().expect("Redis does not start"))
    }

    fn listen(mut command: Command) -> Option<Redis> {
        let (folder, port) = (TempDir::new(), free_port());
        command.args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--port"]);
        command.arg(port.to_string()).current_dir(folder.path());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut redis = Redis { process, port, _folder: folder };
        let mut lines = said.lines().map_while(Result::ok);
        if !lines.any(|line| line.to_lowercase().contains("ready to accept connections")) {
            let _ended = redis.process.wait();
            return None;
        }
        // What it says from now on has to go somewhere.
        thread::spawn(move || lines.for_each(drop));
        Some(redis)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The text that drivers connect with.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}
