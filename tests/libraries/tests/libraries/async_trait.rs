//! Objects of traits whose methods are async: from green stacks, and implemented on them.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventlet::{Block, sleep, stackful, with_timeout};
use tokio::sync::Mutex;
use tokio::task::yield_now;

use crate::support::{green, run};

/// As libraries for many threads have them: the object and its futures are `Send`.
#[async_trait]
trait Store: Send + Sync {
    async fn get(&self, key: &str) -> Option<String>;
    async fn put(&self, key: &str, value: String);

    async fn append(&self, key: &str, more: &str) {
        let value = self.get(key).await.unwrap_or_default();
        self.put(key, value + more).await;
    }
}

#[derive(Default)]
struct Memory(Mutex<HashMap<String, String>>);

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &str) -> Option<String> {
        yield_now().await;
        self.0.lock().await.get(key).cloned()
    }

    async fn put(&self, key: &str, value: String) {
        yield_now().await;
        self.0.lock().await.insert(key.to_owned(), value);
    }
}

#[test]
fn an_object_is_called_from_green_stacks() {
    run(|| {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let writers = ["a", "b", "c"].map(|key| {
            let store = Arc::clone(&store);
            green(move || (0..5).for_each(|n| store.append(key, &n.to_string()).block()))
        });
        writers.into_iter().for_each(|writer| writer.block().unwrap());
        for key in ["a", "b", "c"] {
            assert_eq!(store.get(key).block().as_deref(), Some("01234"));
        }
        assert_eq!(store.get("d").block(), None);
    });
}

/// As a program of one OS thread has them.
#[async_trait(?Send)]
trait Work {
    async fn call(&self, n: u64) -> u64;
}

struct Async(Rc<dyn Work>);

#[async_trait(?Send)]
impl Work for Async {
    async fn call(&self, n: u64) -> u64 {
        sleep(Duration::from_millis(1)).await;
        self.0.call(n + 1).await
    }
}

/// Does its work in plain code, on a green stack.
struct Plain {
    entered: Rc<Cell<u32>>,
    left: Rc<Cell<u32>>,
}

struct Leaves(Rc<Cell<u32>>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[async_trait(?Send)]
impl Work for Plain {
    async fn call(&self, n: u64) -> u64 {
        let (entered, left) = (Rc::clone(&self.entered), Rc::clone(&self.left));
        stackful(move || {
            entered.set(entered.get() + 1);
            let _leaves = Leaves(left);
            sleep(Duration::from_millis(n)).block();
            n * 10
        })
        .await
    }
}

#[test]
fn a_method_is_plain_code_on_a_green_stack() {
    run(|| {
        let (entered, left) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let plain = Plain { entered: Rc::clone(&entered), left: Rc::clone(&left) };
        let plain: Rc<dyn Work> = Rc::new(plain);
        let work: Rc<dyn Work> = Rc::new(Async(Rc::new(Async(plain))));
        assert_eq!(work.call(1).block(), 30);
        assert_eq!(left.get(), 1);

        // Whoever gives up unwinds it, however many objects are in between. It takes some 3 ms to
        // come there.
        assert!(with_timeout(Duration::from_secs(1), work.call(60_000)).block().is_err());
        assert_eq!(left.get(), 2);
        let same = Rc::clone(&work);
        let victim = green(move || same.call(60_000).block());
        while entered.get() < 3 {
            sleep(Duration::from_millis(1)).block();
        }
        victim.kill();
        assert_eq!(left.get(), 3);
    });
}
