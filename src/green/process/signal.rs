//! Signals by their names.

use std::fmt;
use std::str::FromStr;

use rustix::process::Signal as Number;

/// A signal that a process can be sent.
///
/// Corresponds to the constants of Python's `signal`.
///
/// # Examples
///
/// ```
/// use eventlet::green::process::Signal;
///
/// assert_eq!("SIGTERM".parse(), Ok(Signal::TERM));
/// assert_eq!("term".parse(), Ok(Signal::TERM));
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::TERM.as_raw(), 15);
/// let error = "SIGNAL".parse::<Signal>().unwrap_err();
/// assert_eq!(error.to_string(), "there is no signal `SIGNAL`");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signal(Number);

macro_rules! signals {
    ($($(#[$meta:meta])* $name:ident = $number:ident;)*) => {
        impl Signal {
            $($(#[$meta])* pub const $name: Signal = Signal(Number::$number);)*
        }

        const NAMES: &[(&str, Signal)] = &[$((stringify!($name), Signal::$name)),*];
    };
}

signals! {
    /// The terminal has hung up; for servers, reload the configuration.
    HUP = HUP;
    /// An interrupt: Ctrl-C.
    INT = INT;
    /// Ctrl-\\: end with a core dump.
    QUIT = QUIT;
    /// End at once. It cannot be caught.
    KILL = KILL;
    /// The first that programs may use as they like.
    USR1 = USR1;
    /// The second that programs may use as they like.
    USR2 = USR2;
    /// A write to a pipe without a reader.
    PIPE = PIPE;
    /// A timer has passed.
    ALRM = ALARM;
    /// Please end.
    TERM = TERM;
    /// A child has ended.
    CHLD = CHILD;
    /// Go on, after [`STOP`](Signal::STOP) or [`TSTP`](Signal::TSTP).
    CONT = CONT;
    /// Stop until told to go on. It cannot be caught.
    STOP = STOP;
    /// Ctrl-Z: stop, please.
    TSTP = TSTP;
    /// The size of the terminal has changed.
    WINCH = WINCH;
}

impl Signal {
    /// Returns the number that the operating system has for it.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::green::process::Signal::KILL.as_raw(), 9);
    /// ```
    pub fn as_raw(self) -> i32 {
        self.0.as_raw()
    }

    pub(super) fn number(self) -> Number {
        self.0
    }
}

/// Parses a name with or without `SIG`, in either case.
impl FromStr for Signal {
    type Err = NoSuchSignal;

    fn from_str(text: &str) -> Result<Signal, NoSuchSignal> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, signal)| *signal).ok_or_else(|| NoSuchSignal(text.to_owned()))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, signal)| signal == self) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.as_raw()),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// There is no signal of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchSignal(String);

impl fmt::Display for NoSuchSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no signal `{}`", self.0)
    }
}

impl std::error::Error for NoSuchSignal {}
