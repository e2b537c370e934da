//! The name servers of one Tokio runtime: connections, the cache, and the pending queries.
//!
//! Hickory's connections are tasks of the runtime where they were made. So each runtime gets its
//! own, though hubs share a resolver.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::proto::{ProtoError, ProtoErrorKind};
use hickory_resolver::{ResolveError, TokioResolver};
use tokio::runtime::{Handle, Id};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::Config;

/// How many queries are sent at a time. Each takes a socket, of which a process may have 256.
const ASKED_AT_A_TIME: usize = 128;

thread_local! {
    static SERVERS: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// The servers of one resolver in one runtime.
struct Known {
    config: Weak<Config>,
    runtime: Id,
    servers: Arc<Servers>,
}

/// Returns the servers of a resolver, identified by its configuration, for this runtime.
pub(super) fn servers(config: &Arc<Config>) -> Arc<Servers> {
    let runtime = Handle::current().id();
    SERVERS.with_borrow_mut(|known| {
        known.retain(|known| known.runtime == runtime && known.config.strong_count() > 0);
        let of = Arc::downgrade(config);
        if let Some(known) = known.iter().find(|known| known.config.ptr_eq(&of)) {
            return Arc::clone(&known.servers);
        }
        let servers = Arc::new(Servers::new(config));
        known.push(Known { config: of, runtime, servers: Arc::clone(&servers) });
        servers
    })
}

type Question = (Name, RecordType);

type Answer = Pin<Box<dyn Future<Output = Result<Lookup, ResolveError>> + Send>>;

pub(super) struct Servers {
    hickory: TokioResolver,
    limit: Duration,
    line: Semaphore,
    /// The pending queries. The waiters for an answer keep it alive.
    under_way: Mutex<HashMap<Question, WeakShared<Answer>>>,
}

impl Servers {
    fn new(config: &Config) -> Servers {
        let (servers, options) = config.for_hickory();
        let provider = TokioConnectionProvider::default();
        let hickory = TokioResolver::builder_with_config(servers, provider).with_options(options);
        Servers {
            hickory: hickory.build(),
            limit: config.limit(),
            line: Semaphore::new(ASKED_AT_A_TIME),
            under_way: Mutex::default(),
        }
    }

    /// Queries the records of an absolute name, or joins a pending query for them.
    pub(super) fn ask(self: &Arc<Servers>, name: &Name, kind: RecordType) -> Shared<Answer> {
        let question = (name.to_lowercase(), kind);
        let mut under_way = self.under_way();
        if let Some(answer) = under_way.get(&question).and_then(WeakShared::upgrade) {
            return answer;
        }
        let asking = Asking { servers: Arc::clone(self), question: question.clone() };
        let answer: Answer = Box::pin(async move { asking.answer().await });
        let answer = answer.shared();
        under_way.extend(answer.downgrade().map(|weak| (question, weak)));
        answer
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Question, WeakShared<Answer>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pending query, until this is dropped.
struct Asking {
    servers: Arc<Servers>,
    question: Question,
}

impl Asking {
    async fn answer(&self) -> Result<Lookup, ResolveError> {
        let answer = timeout(self.servers.limit, self.in_line()).await;
        answer.unwrap_or_else(|_| Err(ProtoError::from(ProtoErrorKind::Timeout).into()))
    }

    async fn in_line(&self) -> Result<Lookup, ResolveError> {
        let _turn = self.servers.line.acquire().await;
        let (name, kind) = &self.question;
        self.servers.hickory.lookup(name.clone(), *kind).await
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.servers.under_way().remove(&self.question);
    }
}
