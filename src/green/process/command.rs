//! How to start a process.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use super::super::wait::wait_io;
use super::child::Child;
use crate::hub;

/// A builder of processes, for code on a green stack.
///
/// Starting one does not wait, waiting for one suspends only the green thread.
///
/// Corresponds to [`std::process::Command`], and to `eventlet.green.subprocess.Popen`.
///
/// # Examples
///
/// ```
/// use eventlet::green::process::Command;
///
/// eventlet::run(eventlet::stackful(|| {
///     let output = Command::new("echo").arg("hello").output().unwrap();
///     assert!(output.status.success());
///     assert_eq!(output.stdout, b"hello\n");
/// }));
/// ```
pub struct Command {
    pub(in crate::green) tokio: tokio::process::Command,
    /// The setting of each of the three streams. Without one, it depends on how the process is
    /// started.
    chosen: Chosen,
}

#[derive(Clone, Copy, Default)]
struct Chosen {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// Names the program to start.
    ///
    /// Corresponds to [`std::process::Command::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(Command::new("true").status().unwrap().success());
    /// }));
    /// ```
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        tokio::process::Command::new(program).into()
    }

    /// Adds an argument.
    ///
    /// Corresponds to [`std::process::Command::arg`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Command::new("echo").arg("a b").output().unwrap().stdout, b"a b\n");
    /// }));
    /// ```
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.tokio.arg(arg);
        self
    }

    /// Adds arguments.
    ///
    /// Corresponds to [`std::process::Command::args`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Command::new("echo").args(["a", "b"]).output().unwrap().stdout, b"a b\n");
    /// }));
    /// ```
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.tokio.args(args);
        self
    }

    /// Sets a variable of its environment.
    ///
    /// Corresponds to [`std::process::Command::env`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut shell = Command::new("sh");
    ///     shell.args(["-c", "echo $NAME"]).env("NAME", "value");
    ///     assert_eq!(shell.output().unwrap().stdout, b"value\n");
    /// }));
    /// ```
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.tokio.env(key, val);
        self
    }

    /// Sets variables of its environment.
    ///
    /// Corresponds to [`std::process::Command::envs`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut shell = Command::new("sh");
    ///     shell.args(["-c", "echo $A$B"]).envs([("A", "1"), ("B", "2")]);
    ///     assert_eq!(shell.output().unwrap().stdout, b"12\n");
    /// }));
    /// ```
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.tokio.envs(vars);
        self
    }

    /// Keeps a variable out of its environment.
    ///
    /// Corresponds to [`std::process::Command::env_remove`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut shell = Command::new("sh");
    ///     shell.args(["-c", "echo $NAME"]).env("NAME", "value").env_remove("NAME");
    ///     assert_eq!(shell.output().unwrap().stdout, b"\n");
    /// }));
    /// ```
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.tokio.env_remove(key);
        self
    }

    /// Starts it with only the environment that is set here.
    ///
    /// Corresponds to [`std::process::Command::env_clear`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let output = Command::new("/usr/bin/env").env_clear().env("A", "1").output();
    ///     assert_eq!(output.unwrap().stdout, b"A=1\n");
    /// }));
    /// ```
    pub fn env_clear(&mut self) -> &mut Command {
        self.tokio.env_clear();
        self
    }

    /// Sets the directory that it starts in.
    ///
    /// Corresponds to [`std::process::Command::current_dir`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Command::new("pwd").current_dir("/").output().unwrap().stdout, b"/\n");
    /// }));
    /// ```
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.tokio.current_dir(dir);
        self
    }

    /// Sets its standard input. By default it is inherited from this process, and empty with
    /// `output`.
    ///
    /// Corresponds to [`std::process::Command::stdin`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::{Command, Stdio};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let status = Command::new("cat").stdin(Stdio::null()).status();
    ///     assert!(status.unwrap().success());
    /// }));
    /// ```
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.chosen.stdin = true;
        self.tokio.stdin(cfg);
        self
    }

    /// Sets its standard output. By default it is inherited from this process, and captured by
    /// `output`.
    ///
    /// Corresponds to [`std::process::Command::stdout`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::{Command, Stdio};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let output = Command::new("echo").stdout(Stdio::null()).output().unwrap();
    ///     assert!(output.stdout.is_empty());
    /// }));
    /// ```
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.chosen.stdout = true;
        self.tokio.stdout(cfg);
        self
    }

    /// Sets its standard error. By default it is inherited from this process, and captured by
    /// `output`.
    ///
    /// Corresponds to [`std::process::Command::stderr`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::{Command, Stdio};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let output = Command::new("cat").arg("/nowhere").stderr(Stdio::null()).output().unwrap();
    ///     assert!(output.stderr.is_empty() && !output.status.success());
    /// }));
    /// ```
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.chosen.stderr = true;
        self.tokio.stderr(cfg);
        self
    }

    /// Starts the process.
    ///
    /// Corresponds to [`std::process::Command::spawn`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Errors
    ///
    /// Those of `std`: for example, if there is no such program.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut child = Command::new("true").spawn().unwrap();
    ///     assert!(child.wait().unwrap().success());
    ///     assert!(Command::new("/no/such/program").spawn().is_err());
    /// }));
    /// ```
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.start()?.try_into()
    }

    /// Starts the process, waits until it ends, and returns what it wrote.
    ///
    /// Corresponds to [`std::process::Command::output`].
    ///
    /// # Yields
    ///
    /// Until the process has ended.
    ///
    /// # Killed
    ///
    /// The process goes on.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds: the process has been started, but is not
    /// waited for.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut shell = Command::new("sh");
    ///     let output = shell.args(["-c", "echo out; echo err >&2; exit 3"]).output().unwrap();
    ///     assert_eq!(output.status.code(), Some(3));
    ///     assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
    /// }));
    /// ```
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        let child = self.spawn_captured()?;
        wait_io(child.wait_with_output())
    }

    /// Starts the process, and waits until it ends.
    ///
    /// Corresponds to [`std::process::Command::status`].
    ///
    /// # Yields
    ///
    /// Until the process has ended.
    ///
    /// # Killed
    ///
    /// The process goes on.
    ///
    /// # Errors
    ///
    /// Those of `std`. While the green stack unwinds: the process has been started, but is not
    /// waited for.
    ///
    /// # Panics
    ///
    /// If there is no green stack to wait on.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(!Command::new("false").status().unwrap().success());
    /// }));
    /// ```
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        let mut child = self.start()?;
        wait_io(child.wait())
    }

    /// Returns the program.
    ///
    /// Corresponds to [`std::process::Command::get_program`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Command::new("true").get_program(), "true");
    /// }));
    /// ```
    pub fn get_program(&self) -> &OsStr {
        self.tokio.as_std().get_program()
    }

    /// Returns the arguments.
    ///
    /// Corresponds to [`std::process::Command::get_args`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(Command::new("echo").args(["a", "b"]).get_args().eq(["a", "b"]));
    /// }));
    /// ```
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.tokio.as_std().get_args()
    }

    /// Returns the variables that are set, and those that are removed.
    ///
    /// Corresponds to [`std::process::Command::get_envs`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Command::new("true").env("A", "1").get_envs().count(), 1);
    /// }));
    /// ```
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.tokio.as_std().get_envs()
    }

    /// Returns the directory that it starts in, if one is set.
    ///
    /// Corresponds to [`std::process::Command::get_current_dir`].
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::green::process::Command;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert_eq!(Command::new("true").get_current_dir(), None);
    /// }));
    /// ```
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.tokio.as_std().get_current_dir()
    }

    #[track_caller]
    fn start(&mut self) -> io::Result<tokio::process::Child> {
        hub::check_runtime("starting a process");
        self.tokio.spawn()
    }

    /// Starts the process as `output` does: output streams without a setting are captured, and such
    /// an input is empty.
    #[track_caller]
    fn spawn_captured(&mut self) -> io::Result<tokio::process::Child> {
        self.complete(Stdio::null, Stdio::piped);
        let child = self.start();
        self.complete(Stdio::inherit, Stdio::inherit);
        child
    }

    fn complete(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        if !self.chosen.stdin {
            self.tokio.stdin(input());
        }
        if !self.chosen.stdout {
            self.tokio.stdout(output());
        }
        if !self.chosen.stderr {
            self.tokio.stderr(output());
        }
    }
}

impl From<tokio::process::Command> for Command {
    /// Takes over a command. The settings of its standard streams are not known:
    /// [`output`](Command::output) overrides them, unless they are set here.
    fn from(command: tokio::process::Command) -> Command {
        Command { tokio: command, chosen: Chosen::default() }
    }
}

impl From<std::process::Command> for Command {
    /// Takes over a command. The settings of its standard streams are not known:
    /// [`output`](Command::output) overrides them, unless they are set here.
    fn from(command: std::process::Command) -> Command {
        tokio::process::Command::from(command).into()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokio.as_std().fmt(f)
    }
}
