//! PostgreSQL.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::program::{TempDir, find, free_port, succeed};

/// A PostgreSQL of its own, at a free port of this machine, with its files in a temporary folder.
#[derive(Debug)]
pub struct Postgres {
    control: PathBuf,
    user: Option<(u32, u32)>,
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts one, or says that it is not installed. Tests that run at the same time share it.
    pub fn start() -> Option<Arc<Postgres>> {
        static RUNNING: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Postgres::start_another()?);
        *running = Arc::downgrade(&server);
        Some(server)
    }

    fn start_another() -> Option<Postgres> {
        let versions = || fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let more = || versions().map(|version| version.path().join("bin"));
        let (initdb, control) = (find("initdb", more())?, find("pg_ctl", more())?);
        let folder = TempDir::new();
        let user = match folder.path().metadata().unwrap().uid() {
            0 => Some(somebody_else()?),
            _ => None,
        };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut server = Postgres { control, user, folder, port: 0 };

        let mut init = server.command(&initdb);
        init.args(["--username=test", "--auth=trust", "--no-sync", "--pgdata"]);
        succeed(init.arg(server.data()));
        for attempt in 1.. {
            server.port = free_port();
            let started = server.listen();
            if started || attempt == 3 {
                assert!(started, "{:?}", fs::read_to_string(server.folder.path().join("log")));
                break;
            }
        }
        Some(server)
    }

    fn listen(&self) -> bool {
        let folder = self.folder.path().display();
        let options = format!("-h 127.0.0.1 -p {} -N 200 -F -k '{folder}'", self.port);
        let mut start = self.command(&self.control);
        start.args(["start", "--wait", "--silent", "--options", &options]);
        start.arg("--log").arg(self.folder.path().join("log"));
        // It leaves a server that has these, too.
        start.stdout(Stdio::null()).stderr(Stdio::null());
        start.arg("--pgdata").arg(self.data()).status().unwrap().success()
    }

    /// The text that drivers connect with. Anybody may.
    pub fn config(&self) -> String {
        format!("host=127.0.0.1 port={} user=test dbname=postgres", self.port)
    }

    /// The same, by a socket of Unix, so that no name is looked up.
    pub fn config_of_socket(&self) -> String {
        let folder = self.folder.path().display();
        format!("host={folder} port={} user=test dbname=postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.command(&self.control);
        stop.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.data());
        let _stopped = stop.output();
    }
}

/// PostgreSQL does not run as root: finds the user and group of another.
fn somebody_else() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let user = users.lines().find(|user| user.split(':').next() == Some(name))?;
        let mut fields = user.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = find("postgres").or_else(|| find("nobody"));
    if found.is_none() {
        eprintln!("SKIPPED: there is no user to run PostgreSQL as");
    }
    found
}
