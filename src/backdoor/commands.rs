//! What a backdoor can do: its own commands, and those of the program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;

use crate::awaitable::Awaitable;

/// What was written after the name of a command, split at blanks.
///
/// # Examples
///
/// ```
/// use eventlet::backdoor::Args;
///
/// let args = Args::from("user 42  --json");
/// assert_eq!(args.get(1), Some("42"));
/// assert!(args.has("--json"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args(Vec<String>);

impl Args {
    /// Returns the word at a place, counted from 0. Options, words that begin with `--`, do not
    /// count.
    pub fn get(&self, at: usize) -> Option<&str> {
        self.words().nth(at)
    }

    /// Returns all words but options.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|word| !word.starts_with("--"))
    }

    /// Returns whether a word is there, an option for instance.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|it| it == word)
    }
}

impl From<&str> for Args {
    fn from(text: &str) -> Args {
        Args(text.split_whitespace().map(str::to_owned).collect())
    }
}

/// Where a command writes what the client is to read, as to a `String`. It is sent when the command
/// has ended.
///
/// It is a handle: clones write to the same client.
#[derive(Clone, Debug, Default)]
pub struct Output(Rc<RefCell<String>>);

impl Output {
    pub(super) fn take(&self) -> String {
        self.0.take()
    }

    /// Writes a text and a newline.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::backdoor::{Commands, Output};
    ///
    /// Commands::new().command("hello", "greets", |_args, out: Output| async move {
    ///     out.line("hello");
    /// });
    /// ```
    pub fn line(&self, text: impl fmt::Display) {
        let line = format!("{text}\n");
        self.0.borrow_mut().push_str(&line);
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.borrow_mut().push_str(text);
        Ok(())
    }
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A command of the program's own.
#[derive(Clone)]
pub(super) struct Command {
    pub(super) help: String,
    pub(super) run: Rc<dyn Fn(Args, Output) -> Running>,
}

/// Changes what is logged.
pub(super) type Log = Rc<dyn Fn(&str) -> Result<(), String>>;

/// What a [`backdoor_server`](super::backdoor_server) can do, and who may ask it to.
///
/// Corresponds to the `locals` of eventlet's `backdoor_server`.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// use eventlet::backdoor::Commands;
///
/// let visitors = Rc::new(Cell::new(3));
/// let commands = Commands::new().command("visitors", "how many there are", move |_args, out| {
///     let visitors = visitors.get();
///     async move { out.line(visitors) }
/// });
/// ```
#[derive(Clone, Default)]
pub struct Commands {
    pub(super) own: BTreeMap<String, Command>,
    pub(super) read_only: bool,
    pub(super) password: Option<String>,
    pub(super) log: Option<Log>,
}

/// Letters that a password must have at least.
const SHORTEST_PASSWORD: usize = 16;

impl Commands {
    /// Makes the commands that every backdoor has.
    pub fn new() -> Commands {
        Commands::default()
    }

    /// Adds a command: its name, a line for `help`, and what it does, in either colour. One of this
    /// name that there is already is replaced.
    ///
    /// It runs in a green thread of its own. When it panics, the client is told, and its session
    /// goes on.
    ///
    /// # Panics
    ///
    /// When the name is empty or has a blank.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "stackful")] {
    /// use eventlet::backdoor::{Args, Commands, Output};
    /// use eventlet::{Block, stackful};
    ///
    /// let commands = Commands::new()
    ///     .command("echo", "says what it is told", |args: Args, out: Output| async move {
    ///         args.words().for_each(|word| out.line(word));
    ///     })
    ///     .command("nap", "takes a nap", |_args, out: Output| {
    ///         stackful(move || {
    ///             eventlet::sleep(std::time::Duration::from_millis(1)).block();
    ///             out.line("well rested");
    ///         })
    ///     });
    /// # }
    /// ```
    #[track_caller]
    pub fn command<H, F>(mut self, name: &str, help: &str, handler: H) -> Commands
    where
        H: Fn(Args, Output) -> F + 'static,
        F: Awaitable<()> + 'static,
        F::IntoFuture: 'static,
    {
        let is_word = !name.is_empty() && !name.contains(char::is_whitespace);
        assert!(is_word, "the name of a command is one word, and {name:?} is not");
        let run: Rc<dyn Fn(Args, Output) -> Running> =
            Rc::new(move |args, out| Box::pin(handler(args, out).into_future()));
        self.own.insert(name.to_owned(), Command { help: help.to_owned(), run });
        self
    }

    /// Takes away what changes anything: `kill`, `block` and `log`. Commands of the program stay.
    pub fn read_only(mut self, read_only: bool) -> Commands {
        self.read_only = read_only;
        self
    }

    /// Lets clients in from other machines that send this password as their first line. The
    /// password and all that is said goes over the network as it is: anybody on the way can read
    /// and change it.
    ///
    /// With a password, clients of every TCP listener must know it. Three that are wrong close the
    /// connection.
    ///
    /// # Panics
    ///
    /// When it has less than 16 bytes.
    #[track_caller]
    pub fn allow_remote(mut self, password: impl Into<String>) -> Commands {
        let password = password.into();
        assert!(
            password.len() >= SHORTEST_PASSWORD,
            "a password of {} bytes is soon guessed: make one of {SHORTEST_PASSWORD} at least, by chance",
            password.len()
        );
        self.password = Some(password);
        self
    }

    /// Adds the command `log LEVEL`, which calls this with the level: a reload handle of
    /// `tracing-subscriber`, for one. An error is shown to the client.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::backdoor::Commands;
    ///
    /// let commands = Commands::new().log(|level| match level {
    ///     "debug" | "info" => Ok(()), // reload.modify(|filter| *filter = level.parse()?)
    ///     _ => Err(format!("{level:?} is no level")),
    /// });
    /// ```
    pub fn log(mut self, change: impl Fn(&str) -> Result<(), String> + 'static) -> Commands {
        self.log = Some(Rc::new(change));
        self
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands")
            .field("own", &self.own.keys())
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
