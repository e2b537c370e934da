//! Numbers of a hub, as a recorder gets them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, with_local_recorder,
};

/// Remembers what was recorded last.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<BTreeMap<String, f64>>>);

struct Note(Notes, String);

impl Note {
    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl CounterFn for Note {
    fn increment(&self, value: u64) {
        self.set(value as f64);
    }

    fn absolute(&self, value: u64) {
        self.set(value as f64);
    }
}

impl GaugeFn for Note {
    fn increment(&self, value: f64) {
        self.set(value);
    }

    fn decrement(&self, value: f64) {
        self.set(-value);
    }

    fn set(&self, value: f64) {
        Note::set(self, value);
    }
}

impl HistogramFn for Note {
    fn record(&self, value: f64) {
        self.set(value);
        let mut notes = self.0.0.lock().unwrap();
        *notes.entry(format!("{} count", self.1)).or_default() += 1.0;
    }
}

impl Notes {
    fn note(&self, key: &Key) -> Arc<Note> {
        let label = key.labels().map(metrics::Label::key).collect::<Vec<_>>();
        assert_eq!(label, [if key.name().contains("pool_") { "pool" } else { "thread" }]);
        Arc::new(Note(self.clone(), key.name().to_owned()))
    }
}

impl Recorder for Notes {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.note(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.note(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.note(key))
    }
}

#[test]
fn a_recorder_gets_the_numbers_of_the_hub() {
    let notes = Notes::default();
    with_local_recorder(&notes, || {
        let main = async {
            let second = Duration::from_secs(1);
            let reporter = eventlet::debug::report_metrics(second);
            let pool = eventlet::GreenPool::new(3);
            let member = pool.spawn(std::future::pending::<()>()).await;
            let pools = eventlet::debug::report_pool_metrics("crawlers", &pool, second);
            eventlet::sleep(second + Duration::from_millis(10)).await;
            [*member, reporter, pools].iter().for_each(|green_thread| green_thread.kill());
        };
        eventlet::runtime::Builder::new().start_paused(true).run(main).unwrap();
    });
    let notes = notes.0.lock().unwrap();
    let number = |name: &str| notes[&format!("eventlet_{name}")];
    assert_eq!((number("green_threads"), number("timers"), number("ready")), (4.0, 2.0, 0.0));
    assert!(number("turns_total") >= 2.0 && number("busy_seconds") > 0.0);
    assert!(number("longest_turn_seconds") <= number("busy_seconds"));
    assert_eq!((number("stalls_total"), number("loop_lag_seconds")), (0.0, 0.0));
    assert!(number("turn_seconds") > 0.0);
    assert_eq!(
        (number("pool_size"), number("pool_running"), number("pool_waiting")),
        (3.0, 1.0, 0.0)
    );
    assert_eq!(notes.contains_key("eventlet_stacks_in_use"), cfg!(feature = "stackful"));
    assert_eq!(notes["eventlet_loop_lag_seconds count"], 10.0, "ten in a second");
    let histogram = notes["eventlet_turn_seconds count"];
    assert_eq!(histogram, number("turns_total"), "each turn is in the histogram");
}
