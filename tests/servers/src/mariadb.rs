//! MariaDB.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::program::{TempDir, find, free_port};

/// A MariaDB of its own, at a free port of this machine, with its files in a temporary folder.
#[derive(Debug)]
pub struct Mariadb {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Mariadb {
    /// Starts one, or says that it is not installed.
    pub fn start() -> Option<Mariadb> {
        let program = find("mariadbd", ["/usr/sbin", "/usr/libexec"].map(Into::into).into_iter())?;
        let mut attempts = (0..3).filter_map(|_| Mariadb::listen(Command::new(&program)));
        Some(attempts.next().expect("MariaDB does not start"))
    }

    /// With an empty folder and nobody's rights it needs no preparation.
    fn listen(mut command: Command) -> Option<Mariadb> {
        let (folder, port) = (TempDir::new(), free_port());
        let file = |option, name| format!("{option}={}/{name}", folder.path().display());
        command.args(["--no-defaults", "--user=root", "--skip-grant-tables", "--skip-log-bin"]);
        command.args(["--bind-address=127.0.0.1", "--max-connections=200"]);
        command.arg(format!("--port={port}")).arg(file("--datadir", ""));
        command.arg(file("--socket", "socket")).arg(file("--pid-file", "pid"));
        let mut process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stderr.take().unwrap());
        let mut mariadb = Mariadb { process, port, _folder: folder };
        let mut lines = said.lines().map_while(Result::ok);
        if !lines.any(|line| line.contains("ready for connections")) {
            let _ended = mariadb.process.wait();
            return None;
        }
        // What it says from now on has to go somewhere.
        thread::spawn(move || lines.for_each(drop));
        Some(mariadb)
    }

    /// The text that drivers connect with. Anybody may.
    pub fn url(&self) -> String {
        format!("mysql://test@127.0.0.1:{}", self.port)
    }
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        let _dead = self.process.kill();
        let _reaped = self.process.wait();
    }
}
