//! The spans of tracing: entered in one green thread, they are seen in no other.

use std::future;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventlet::{Block, Timeout, sleep, spawn, stackful};
use futures::{pending, poll};
use tracing::span;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Instrument, Metadata, Subscriber, info, info_span, instrument};
use tracing_core::span::Current;

use crate::support::{green, run};

/// What tracing-subscriber wrote on this OS thread, with the spans around each event.
struct Written {
    text: Arc<Mutex<Vec<u8>>>,
    _listening: DefaultGuard,
}

impl Written {
    fn listen() -> Written {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let copy = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Copy(Arc::clone(&copy)))
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .finish();
        Written { text, _listening: set_default(subscriber) }
    }

    /// Returns the lines, which are such as `outer:inner: message`, and forgets them.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut self.text.lock().unwrap())).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

struct Copy(Arc<Mutex<Vec<u8>>>);

impl Write for Copy {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A subscriber that takes note of everything that is not as it must be: a span that is left out of
/// order, or twice, or entered after it was closed.
#[derive(Clone, Default)]
struct Strict(Arc<Mutex<Spans>>);

#[derive(Default)]
struct Spans {
    /// Of each span what it is and how many handles it has. Its number is its place here, from 1.
    made: Vec<(&'static Metadata<'static>, usize)>,
    entered: Vec<u64>,
    /// How often some span was entered.
    entries: usize,
    faults: Vec<String>,
}

impl Strict {
    fn listen() -> (Strict, DefaultGuard) {
        let strict = Strict::default();
        (strict.clone(), set_default(strict))
    }

    /// Returns the names of the spans that are entered, outermost first.
    fn entered(&self) -> String {
        let spans = self.0.lock().unwrap();
        let names = spans.entered.iter().map(|id| spans.made[*id as usize - 1].0.name());
        names.collect::<Vec<_>>().join(":")
    }

    fn entries(&self) -> usize {
        self.0.lock().unwrap().entries
    }

    /// Asserts that all was as it must be, and is over.
    fn check(&self) {
        let spans = self.0.lock().unwrap();
        assert_eq!(spans.faults, [""; 0]);
        assert_eq!(spans.entered, [0; 0], "somebody is still in a span");
        let open: Vec<_> = spans.made.iter().filter(|(_, handles)| *handles > 0).collect();
        assert!(open.is_empty(), "there are handles left: {open:?}");
    }
}

impl Subscriber for Strict {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut spans = self.0.lock().unwrap();
        spans.made.push((span.metadata(), 1));
        span::Id::from_u64(spans.made.len() as u64)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &span::Id) {
        let mut spans = self.0.lock().unwrap();
        if spans.made[id.into_u64() as usize - 1].1 == 0 {
            spans.faults.push(format!("{id:?} was entered after it was closed"));
        }
        spans.entered.push(id.into_u64());
        spans.entries += 1;
    }

    fn exit(&self, id: &span::Id) {
        let mut spans = self.0.lock().unwrap();
        let innermost = spans.entered.pop();
        if innermost != Some(id.into_u64()) {
            spans.faults.push(format!("{id:?} was left within {innermost:?}"));
        }
    }

    fn clone_span(&self, id: &span::Id) -> span::Id {
        self.0.lock().unwrap().made[id.into_u64() as usize - 1].1 += 1;
        id.clone()
    }

    fn try_close(&self, id: span::Id) -> bool {
        let handles = &mut self.0.lock().unwrap().made[id.into_u64() as usize - 1].1;
        *handles -= 1;
        *handles == 0
    }

    fn current_span(&self) -> Current {
        let spans = self.0.lock().unwrap();
        let Some(id) = spans.entered.last() else {
            return Current::none();
        };
        Current::new(span::Id::from_u64(*id), spans.made[*id as usize - 1].0)
    }
}

/// Gives up a turn.
fn turn() {
    sleep(Duration::ZERO).block();
}

#[test]
fn a_span_that_is_held_across_a_wait_is_the_green_thread_s_own() {
    run(|| {
        let written = Written::listen();
        let work = |name: &'static str| {
            green(move || {
                let span = info_span!("job", name);
                let _in_job = span.enter();
                info!("begins");
                turn();
                let _in_step = info_span!("step").entered();
                turn();
                info!("ends");
            })
        };
        let (a, b) = (work("a"), work("b"));
        turn();
        info!("others have begun");
        turn();
        info!("others are in a step");
        let _mine = info_span!("main").entered();
        a.block().unwrap();
        b.block().unwrap();
        info!("others have ended");
        assert_eq!(
            written.lines(),
            [
                "job{name=\"a\"}: begins",
                "job{name=\"b\"}: begins",
                "others have begun",
                "others are in a step",
                "job{name=\"a\"}:step: ends",
                "job{name=\"b\"}:step: ends",
                "main: others have ended",
            ]
        );
    });
}

#[instrument]
fn factorial(n: u64) -> u64 {
    info!("before");
    turn();
    let value = if n < 2 { 1 } else { n * factorial(n - 1) };
    info!("after");
    value
}

#[test]
fn instrumented_functions_wait_on_green_stacks() {
    run(|| {
        let written = Written::listen();
        let others = [green(|| factorial(2)), green(|| factorial(1))];
        assert_eq!(others.map(|gt| gt.block().unwrap()), [2, 1]);
        let lines = written.lines();
        let two: Vec<_> = lines.iter().filter(|line| line.contains("n=2")).collect();
        let within = "factorial{n=2}:factorial{n=1}:";
        let [before, after] = [format!("{within} before"), format!("{within} after")];
        assert_eq!(two, ["factorial{n=2}: before", &before, &after, "factorial{n=2}: after"]);
        let one: Vec<_> = lines.iter().filter(|line| !line.contains("n=2")).collect();
        assert_eq!(one, ["factorial{n=1}: before", "factorial{n=1}: after"]);
    });
}

#[instrument]
async fn stackless(name: &str) {
    info!("before");
    sleep(Duration::ZERO).await;
    info!("after");
}

#[test]
fn stackless_ones_are_instrumented_as_futures() {
    run(|| {
        let written = Written::listen();
        let a = spawn(stackless("a"));
        let b = spawn(stackless("b").instrument(info_span!("outer")));
        turn();
        info!("nowhere");
        a.block().unwrap();
        b.block().unwrap();
        assert_eq!(
            written.lines(),
            [
                "stackless{name=\"a\"}: before",
                "outer:stackless{name=\"b\"}: before",
                "nowhere",
                "stackless{name=\"a\"}: after",
                "outer:stackless{name=\"b\"}: after",
            ]
        );
    });
}

/// Says goodbye from a destructor.
struct Goodbye;

impl Drop for Goodbye {
    fn drop(&mut self) {
        info!("goodbye");
    }
}

/// Waits for ever, in two spans, with a destructor in each.
fn wait_in_spans() {
    let _outer = info_span!("outer").entered();
    let _goodbye = Goodbye;
    let _inner = info_span!("inner").entered();
    let _goodbye = Goodbye;
    future::pending::<()>().block();
}

#[test]
fn destructors_of_the_killed_run_in_their_spans() {
    run(|| {
        let written = Written::listen();
        let victim = green(wait_in_spans);
        turn();
        let mine = info_span!("killer").entered();
        victim.kill();
        info!("killed");
        drop(mine);
        info!("nowhere");
        assert_eq!(
            written.lines(),
            ["outer:inner: goodbye", "outer: goodbye", "killer: killed", "nowhere"]
        );
    });
}

#[test]
fn a_limit_unwinds_to_the_spans_around_it() {
    run(|| {
        let written = Written::listen();
        let _mine = info_span!("mine").entered();
        let limit = Timeout::new(Duration::from_millis(1));
        assert_eq!(limit.run_blocking(wait_in_spans), Err(limit));
        info!("late");
        let lines = ["mine:outer:inner: goodbye", "mine:outer: goodbye", "mine: late"];
        assert_eq!(written.lines(), lines);
    });
}

#[test]
fn a_stack_within_a_stack_leaves_its_own_spans_and_no_others() {
    run(|| {
        let (strict, _listening) = Strict::listen();
        let seen = strict.clone();
        let inner = stackful(move || {
            let _inner = info_span!("inner").entered();
            async { pending!() }.block();
            assert_eq!(seen.entered(), "here:around:inner");
            async { pending!() }.block();
            assert_eq!(seen.entered(), "there:around:inner");
        });
        let mut inner = Box::pin(inner.instrument(info_span!("around")));
        let here = info_span!("here").entered();
        for _ in 0..2 {
            assert!(async { poll!(&mut inner) }.block().is_pending());
            assert_eq!(strict.entered(), "here");
        }
        drop(here);
        let there = info_span!("there").entered();
        inner.block();
        assert_eq!(strict.entered(), "there");
        drop(there);
        strict.check();
    });
}

#[test]
fn spans_are_left_in_order_whatever_ends_their_green_thread() {
    let (strict, _listening) = Strict::listen();
    let seen = strict.clone();
    run(move || {
        let killed = green(wait_in_spans);
        let panicked = green(|| {
            let _span = info_span!("panicked").entered();
            turn();
            panic!("on purpose");
        });
        let caught = green(|| {
            let _span = info_span!("caught").entered();
            let _ = catch_unwind(AssertUnwindSafe(wait_in_spans));
            future::pending::<()>().block();
        });
        let limit = Timeout::new(Duration::from_millis(1));
        let late = green(move || limit.run_blocking(wait_in_spans).is_err());
        // It is there when the hub ends, and its stack is unwound then.
        let _left = green(wait_in_spans);
        turn();
        assert_eq!(seen.entered(), "");
        killed.kill();
        assert_eq!(seen.entered(), "");
        caught.kill();
        assert!(panicked.block().unwrap_err().is_panic());
        assert!(late.block().unwrap());
        assert_eq!(seen.entered(), "");
    });
    strict.check();
}

#[test]
fn a_span_that_several_green_threads_are_in() {
    run(|| {
        let (strict, _listening) = Strict::listen();
        let shared = info_span!("shared");
        let workers = [1, 2, 3].map(|_| {
            let (shared, seen) = (shared.clone(), strict.clone());
            green(move || {
                let _in_shared = shared.enter();
                turn();
                let _own = info_span!("own").entered();
                turn();
                assert_eq!(seen.entered(), "shared:own");
            })
        });
        turn();
        assert_eq!(strict.entered(), "");
        for worker in workers {
            worker.block().unwrap();
        }
        drop(shared);
        strict.check();
    });
}

#[test]
fn who_enters_no_span_pays_for_none() {
    run(|| {
        let (strict, _listening) = Strict::listen();
        let _mine = info_span!("mine").entered();
        let worker = stackful(|| (0..10).for_each(|_| turn()));
        let before = strict.entries();
        worker.block();
        // Once for each turn of our own.
        assert_eq!(strict.entries() - before, 10);
    });
}
