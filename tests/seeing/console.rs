//! Green threads as spans, as tokio-console reads them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventlet::{sleep, spawn};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What console-subscriber keeps of a task.
#[derive(Clone, Default, Debug)]
struct Task {
    fields: BTreeMap<String, String>,
    polls: usize,
    wakes: usize,
    /// Clones of its waker that are out.
    wakers: isize,
    inside: bool,
    ended: bool,
}

/// A subscriber that does as console-subscriber does with spans of that name and events of that
/// target.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<Task>>>);

impl Visit for Task {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Console {
    fn at<R>(&self, id: u64, change: impl FnOnce(&mut Task) -> R) -> R {
        change(&mut self.0.lock().unwrap()[id as usize - 1])
    }
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tokio::task")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        assert_eq!(span.metadata().name(), "runtime.spawn");
        assert_eq!(span.metadata().target(), "tokio::task");
        let mut task = Task::default();
        span.record(&mut task);
        let mut tasks = self.0.lock().unwrap();
        tasks.push(task);
        Id::from_u64(tasks.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        assert_eq!(event.metadata().target(), "tokio::task::waker");
        let mut woken = Task::default();
        event.record(&mut woken);
        self.at(woken.fields["task.id"].parse().unwrap(), |task| match &*woken.fields["op"] {
            "waker.clone" => task.wakers += 1,
            "waker.drop" => task.wakers -= 1,
            "waker.wake_by_ref" => task.wakes += 1,
            "waker.wake" => {
                task.wakes += 1;
                task.wakers -= 1;
            }
            other => panic!("{other}"),
        });
    }

    fn enter(&self, id: &Id) {
        self.at(id.into_u64(), |task| {
            task.polls += 1;
            assert!(!std::mem::replace(&mut task.inside, true));
        });
    }

    fn exit(&self, id: &Id) {
        assert!(self.at(id.into_u64(), |task| std::mem::replace(&mut task.inside, false)));
    }

    fn try_close(&self, id: Id) -> bool {
        // It has no count: the map of the hub and each turn have a handle each.
        self.at(id.into_u64(), |task| task.ended = true);
        false
    }
}

both_colours! {
    #[test]
    fn green_threads_are_tasks_with_turns_and_wakeups() {
        let console = Console::default();
        let _guard = tracing::subscriber::set_default(console.clone());
        let line = line!() + 4;
        eventlet::runtime::Builder::new().start_paused(true).run(green!({
            eventlet::debug::trace_green_threads(true);
            let clones = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let kept = clones.clone();
            let worker = {
                spawn(green!({
                    wait!(sleep(Duration::ZERO));
                    wait!(sleep(Duration::from_secs(1)));
                }))
            };
            worker.set_name("worker");
            let waits = spawn(std::future::poll_fn(move |cx| {
                clones.borrow_mut().push(cx.waker().clone());
                std::task::Poll::<()>::Pending
            }));
            waits.set_name("waits");
            let id = worker.id().to_string();
            wait!(worker).unwrap();
            waits.kill();
            eventlet::debug::trace_green_threads(false);
            std::mem::forget(kept.borrow_mut().drain(..).collect::<Vec<_>>());
            id
        }))
        .unwrap();
        let tasks = console.0.lock().unwrap();
        let worker = tasks.iter().find(|task| task.fields["task.name"] == "worker").unwrap();
        assert_eq!(worker.fields["kind"], "green");
        assert!(worker.fields["loc.file"].ends_with("console.rs"));
        assert!(worker.fields["loc.line"].parse::<u32>().unwrap() >= line - 4);
        assert_eq!((worker.polls, worker.wakes, worker.wakers), (3, 2, 0));
        let waits = tasks.iter().find(|task| task.fields["task.name"] == "waits").unwrap();
        assert_eq!((waits.polls, waits.wakers), (1, 1), "somebody has its waker still");
        assert!(worker.ended && !worker.inside);
    }
}
