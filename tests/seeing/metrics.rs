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
    }
}

impl Notes {
    fn note(&self, key: &Key) -> Arc<Note> {
        assert_eq!(key.labels().map(metrics::Label::key).collect::<Vec<_>>(), ["thread"]);
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
            let sleeper = eventlet::spawn(eventlet::sleep(60 * second));
            eventlet::sleep(second + Duration::from_millis(10)).await;
            sleeper.kill();
            reporter.kill();
        };
        eventlet::runtime::Builder::new().start_paused(true).run(main).unwrap();
    });
    let notes = notes.0.lock().unwrap();
    let number = |name: &str| notes[&format!("eventlet_{name}")];
    assert_eq!((number("green_threads"), number("timers"), number("ready")), (3.0, 2.0, 0.0));
    assert!(number("turns_total") >= 2.0 && number("busy_seconds") > 0.0);
    assert!(number("longest_turn_seconds") <= number("busy_seconds"));
    assert_eq!((number("stalls_total"), number("loop_lag_seconds")), (0.0, 0.0));
    assert!(number("turn_seconds") > 0.0);
}
