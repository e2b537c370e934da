//! Servers that are other programs: those of other languages, which are Python's eventlet and
//! gevent, and Go; and the one that the shim is linked into, as it changes a whole program.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::peer::Peer;
use crate::report::Absent;

/// Where the programs of these peers are.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// How other languages are called.
#[derive(Args, Clone)]
pub(crate) struct Foreign {
    /// The Python that has eventlet and gevent, if you have one.
    #[arg(long, default_value = "python3", global = true)]
    python: PathBuf,
    /// The Go compiler, if you have one.
    #[arg(long, default_value = "go", global = true)]
    go: PathBuf,
}

impl Foreign {
    /// Turns this process into the peer's server: it keeps its core, its limits and its parent.
    pub(crate) fn become_server(&self, peer: Peer, program: &str) -> io::Result<()> {
        let mut command = if peer == Peer::Go {
            Command::new(beside("eventlet-compare-go"))
        } else {
            let mut python = Command::new(&self.python);
            python.arg(Path::new(PEERS).join("serve.py")).arg(peer.word());
            python
        };
        Err(command.arg(program).exec())
    }

    /// The same choice, for a child's command line.
    pub(crate) fn words(&self) -> [String; 4] {
        let word = |path: &Path| path.to_string_lossy().into_owned();
        ["--python".to_owned(), word(&self.python), "--go".to_owned(), word(&self.go)]
    }

    /// Returns the versions of those that are there.
    fn version(&self, peer: Peer) -> Result<String, String> {
        if peer == Peer::Go {
            return said(Command::new(&self.go).arg("version"))
                .map(|version| version.trim_start_matches("go version go").to_owned());
        }
        let module = peer.word();
        let script = format!(
            "import platform, {module}; print({module}.__version__, 'on', platform.python_version())"
        );
        said(Command::new(&self.python).arg("-c").arg(script))
    }
}

/// Turns this process into the server that the shim is linked into, a program of this package.
pub(crate) fn become_shimmed(program: &str) -> io::Result<()> {
    let error = Command::new(beside("eventlet-compare-shim")).arg(program).exec();
    panic!("{error}: `cargo build --release -p eventlet-compare` makes that server")
}

/// Looks for the peers of other languages, and makes ready those that are there.
pub(crate) fn build(foreign: &Foreign) -> (Vec<(Peer, String)>, Vec<Absent>) {
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for peer in [Peer::Go, Peer::Gevent, Peer::Eventlet] {
        let ready = foreign.version(peer).and_then(|version| {
            if peer == Peer::Go {
                build_go(&foreign.go)?;
            }
            Ok(version)
        });
        match ready {
            Ok(version) => present.push((peer, version)),
            Err(why) => absent.push(Absent { peer, why }),
        }
    }
    (present, absent)
}

fn build_go(go: &Path) -> Result<(), String> {
    let source = Path::new(PEERS).join("serve.go");
    said(Command::new(go).arg("build").arg("-o").arg(beside("eventlet-compare-go")).arg(source))
        .map(drop)
}

/// Beside this program, so in Cargo's target directory.
fn beside(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this program knows where it is");
    this.with_file_name(name)
}

/// Runs a command, and returns what it printed, or the last line of its complaint.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|_| format!("no `{}` is installed", command.get_program().to_string_lossy()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(complaint.lines().last().unwrap_or("it failed").trim().to_owned())
}
