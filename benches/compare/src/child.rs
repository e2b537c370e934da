//! This program, started again as a process of its own that is told a line and answers with a line.
//!
//! So no contestant inherits another's heap, stacks or threads, and one that breaks breaks alone.

use std::io::{self, BufRead, BufReader, Write};
use std::panic::PanicHookInfo;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::cores::{allow_open_files, pin_to};

/// How an answer begins that says no.
const REFUSED: &str = "refused: ";

/// The variable that tells a child its core: its parent may have only one left to choose from.
const CORE: &str = "COMPARE_CORE";

/// A child process, as its parent sees it. Ends with its handle.
pub(crate) struct Child {
    process: std::process::Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Why a contestant could not do a work, in its own words.
pub(crate) type Refusal = String;

impl Child {
    /// Starts this program in another role, on a core if there are enough.
    pub(crate) fn start(role: &[String], core: Option<usize>) -> io::Result<Child> {
        let mut process = Command::new(std::env::current_exe()?)
            .envs(core.map(|core| (CORE, core.to_string())))
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let questions = process.stdin.take().expect("it was asked for");
        let answers = BufReader::new(process.stdout.take().expect("it was asked for"));
        Ok(Child { process, questions, answers })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ask(&mut self, question: &str) -> Result<String, Refusal> {
        match writeln!(self.questions, "{question}") {
            Ok(()) => self.hear(),
            Err(_) => Err(self.last_words()),
        }
    }

    /// Waits for a line that the child says by itself.
    pub(crate) fn hear(&mut self) -> Result<String, Refusal> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(1..) => {}
            _ => return Err(self.last_words()),
        }
        match line.trim().strip_prefix(REFUSED) {
            Some(why) => Err(why.to_owned()),
            None => Ok(line.trim().to_owned()),
        }
    }

    /// Returns how a child ended that no longer speaks.
    fn last_words(&mut self) -> Refusal {
        self.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a child does before anything else.
pub(crate) fn be_child() {
    // Its parent may be killed, and then has no time to end it.
    let _ = set_pdeathsig(Signal::SIGKILL);
    allow_open_files();
    if let Some(core) = std::env::var(CORE).ok().and_then(|core| core.parse().ok()) {
        pin_to(core);
    }
    std::panic::set_hook(Box::new(|panic| {
        say(&format!("{REFUSED}{}", words(panic).replace('\n', " ")));
        std::process::exit(1);
    }));
}

fn words<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

/// Says a line to the parent.
pub(crate) fn say(line: &str) {
    let mut parent = io::stdout().lock();
    let _ = writeln!(parent, "{line}");
    let _ = parent.flush();
}

/// Answers the parent's questions until it goes away.
pub(crate) fn answer(mut answer: impl FnMut(&str) -> String) {
    for question in io::stdin().lines().map_while(Result::ok) {
        say(&answer(&question));
    }
}
