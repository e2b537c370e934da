//! Standard input.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, MutexGuard};

use super::super::wait::{Unwinding, wait, wait_io};

/// The data that this process has read from its standard input, for all of its hubs.
static INPUT: Mutex<Input> = Mutex::const_new(Input::new());

/// Returns a handle of the standard input of this process.
///
/// Corresponds to [`std::io::stdin`].
///
/// # Examples
///
/// ```no_run
/// use eventlet::green::io;
///
/// eventlet::run(eventlet::stackful(|| {
///     // Only this green thread waits for each line.
///     for line in io::stdin().lines() {
///         println!("{}", line.unwrap());
///     }
/// }));
/// ```
pub fn stdin() -> Stdin {
    Stdin { _private: () }
}

/// A handle of the standard input of this process.
///
/// A terminal cannot be polled reliably, so one OS thread reads for all hubs: only on request,
/// never ahead. Data that it read for a killed green thread is kept for the next reader, in any
/// hub; and no hub waits for it when it ends.
///
/// Corresponds to [`std::io::Stdin`].
///
/// # Panics
///
/// If there is no green stack to wait on.
///
/// # Yields
///
/// Until there is input, and while another green thread reads.
///
/// # Killed
///
/// Data that was read is kept, including the beginning of a line.
///
/// # Errors
///
/// Those of `std`. If the green stack is unwinding and there is no input yet.
///
/// # Differences
///
/// This handle and `std`'s own do not share a buffer: data read by one is not seen by the other.
pub struct Stdin {
    _private: (),
}

impl Stdin {
    /// Waits until no other green thread reads, and excludes others until the guard is dropped.
    ///
    /// While the green stack unwinds it does not wait. If another green thread reads then, reading
    /// through the guard returns an error.
    ///
    /// Corresponds to [`std::io::Stdin::lock`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use eventlet::green::io::{self, BufRead};
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut input = io::stdin().lock();
    ///     let mut line = Vec::new();
    ///     input.read_until(b';', &mut line).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock { input: wait(INPUT.lock()) }
    }

    /// Reads a line with its end, and returns how many bytes it has: 0 at the end of the input.
    ///
    /// Corresponds to [`std::io::Stdin::read_line`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use eventlet::green::io;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     let mut line = String::new();
    ///     io::stdin().read_line(&mut line).unwrap();
    /// }));
    /// ```
    #[track_caller]
    pub fn read_line(&self, buf: &mut String) -> io::Result<usize> {
        self.lock().read_line(buf)
    }

    /// Iterates over the lines, and excludes others meanwhile.
    ///
    /// Corresponds to [`std::io::Stdin::lines`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use eventlet::green::io;
    ///
    /// eventlet::run(eventlet::stackful(|| {
    ///     assert!(io::stdin().lines().all(|line| line.is_ok()));
    /// }));
    /// ```
    #[track_caller]
    pub fn lines(self) -> io::Lines<StdinLock<'static>> {
        self.lock().lines()
    }

    /// Returns whether it is a terminal. In `std` this is [`IsTerminal`](io::IsTerminal), which is
    /// sealed.
    pub fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&io::stdin())
    }
}

/// Exclusive use of the standard input: what [`Stdin::lock`] returns.
///
/// Corresponds to [`std::io::StdinLock`].
pub struct StdinLock<'a> {
    input: Result<MutexGuard<'a, Input>, Unwinding>,
}

impl StdinLock<'_> {
    fn input(&mut self) -> io::Result<&mut Input> {
        self.input.as_deref_mut().map_err(|unwinding| (*unwinding).into())
    }

    /// Waits until `enough` returns how many bytes to take, or the input ends, and takes them.
    #[track_caller]
    fn take(&mut self, enough: impl Fn(&[u8]) -> Option<usize>) -> io::Result<Vec<u8>> {
        let input = self.input()?;
        loop {
            if let Some(count) = enough(input.unread()) {
                return Ok(input.take(count));
            }
            if !wait_io(input.read_more())? {
                return Ok(input.take(usize::MAX));
            }
        }
    }
}

impl BufRead for StdinLock<'_> {
    #[track_caller]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let input = self.input()?;
        if input.unread().is_empty() {
            wait_io(input.read_more())?;
        }
        Ok(input.unread())
    }

    fn consume(&mut self, amount: usize) {
        if let Ok(input) = &mut self.input {
            input.consume(amount);
        }
    }

    #[track_caller]
    fn read_until(&mut self, byte: u8, buf: &mut Vec<u8>) -> io::Result<usize> {
        let line = self.take(|unread| Some(unread.iter().position(|other| *other == byte)? + 1))?;
        buf.extend_from_slice(&line);
        Ok(line.len())
    }

    #[track_caller]
    fn read_line(&mut self, buf: &mut String) -> io::Result<usize> {
        let mut line = Vec::new();
        let count = self.read_until(b'\n', &mut line)?;
        buf.push_str(&text(line)?);
        Ok(count)
    }
}

impl Read for StdinLock<'_> {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut unread = self.fill_buf()?;
        let count = unread.read(buf)?;
        self.consume(count);
        Ok(count)
    }

    #[track_caller]
    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.take(|unread| (unread.len() >= buf.len()).then_some(buf.len()))?;
        if bytes.len() < buf.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf.copy_from_slice(&bytes);
        Ok(())
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let bytes = self.take(|_| None)?;
        buf.extend_from_slice(&bytes);
        Ok(bytes.len())
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        let text = text(self.take(|_| None)?)?;
        buf.push_str(&text);
        Ok(text.len())
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

macro_rules! reads_in_a_lock {
    ($($stdin:ty),*) => {$(
        impl Read for $stdin {
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.lock().read(buf)
            }

            #[track_caller]
            fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
                self.lock().read_exact(buf)
            }

            #[track_caller]
            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self.lock().read_to_end(buf)
            }

            #[track_caller]
            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                self.lock().read_to_string(buf)
            }
        }
    )*};
}

reads_in_a_lock!(Stdin, &Stdin);

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}

impl fmt::Debug for StdinLock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdinLock").finish_non_exhaustive()
    }
}

struct Input {
    /// Bytes that were read; those before `taken` have been taken.
    bytes: Vec<u8>,
    taken: usize,
    reader: Option<Reader>,
    /// Whether a request is pending: its green thread was killed while it waited for the answer.
    asked: bool,
}

impl Input {
    const fn new() -> Input {
        Input { bytes: Vec::new(), taken: 0, reader: None, asked: false }
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn consume(&mut self, amount: usize) {
        self.taken = self.bytes.len().min(self.taken.saturating_add(amount));
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let unread = self.unread();
        let bytes = unread[..count.min(unread.len())].to_vec();
        self.consume(bytes.len());
        bytes
    }

    /// Waits for more data, and returns whether there was some. Dropping the future loses nothing.
    async fn read_more(&mut self) -> io::Result<bool> {
        if self.reader.is_none() {
            self.reader = Some(Reader::start()?);
        }
        let Some(reader) = &mut self.reader else { return Ok(false) };
        if !self.asked {
            self.asked = reader.questions.send(()).is_ok();
        }
        let answer = reader.answers.recv().await.unwrap_or_else(|| Ok(Vec::new()));
        self.asked = false;
        let more = answer?;
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(&more);
        Ok(!more.is_empty())
    }
}

/// The OS thread that reads. It is never joined, as it may never end.
struct Reader {
    questions: mpsc::Sender<()>,
    answers: UnboundedReceiver<io::Result<Vec<u8>>>,
}

impl Reader {
    fn start() -> io::Result<Reader> {
        let (questions, asked) = mpsc::channel();
        let (answer, answers) = unbounded_channel();
        thread::Builder::new()
            .name("eventlet-stdin".to_owned())
            .spawn(move || read(&asked, &answer))?;
        Ok(Reader { questions, answers })
    }
}

/// The most bytes that are read for one request.
const MOST: usize = 64 * 1024;

fn read(asked: &mpsc::Receiver<()>, answer: &UnboundedSender<io::Result<Vec<u8>>>) {
    let mut buf = vec![0; MOST];
    while asked.recv().is_ok() {
        let count = loop {
            match io::stdin().lock().read(&mut buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        // It is kept with the channel, which lives as long as the process.
        let _kept = answer.send(count.map(|count| buf[..count].to_vec()));
    }
}
