//! What tokio-console gets to see: a program with the real `console-subscriber`, and a client that
//! asks its server as tokio-console does.
//!
//! ```sh
//! bash .ci/run console
//! ```
#![cfg(console_without_tokio_unstable)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use console_api::field::{Name, Value};
use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::tasks::{Stats, Task};
use console_subscriber::{ConsoleLayer, Server, ServerParts};
use eventlet::{Block, sleep, spawn, stackful};
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

/// Serves on an OS thread of its own, as `console_subscriber::init` does.
fn serve(server: Server) -> SocketAddr {
    let (sender, address) = mpsc::channel();
    thread::spawn(move || {
        Runtime::new().unwrap().block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let ServerParts { instrument_server, aggregator, .. } = server.into_parts();
            tokio::spawn(aggregator.run());
            tonic::transport::Server::builder()
                .add_service(instrument_server)
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
                .unwrap();
        });
    });
    address.recv().unwrap()
}

/// Asks a server for all tasks, until those of that kind are over.
async fn tasks_of(address: SocketAddr, kind: &str) -> Vec<(Task, Stats)> {
    let mut client = InstrumentClient::connect(format!("http://{address}")).await.unwrap();
    let mut updates = client.watch_updates(InstrumentRequest {}).await.unwrap().into_inner();
    let (mut tasks, mut stats) = (HashMap::new(), HashMap::new());
    loop {
        let update = updates.message().await.unwrap().expect("the server is there");
        let Some(update) = update.task_update else { continue };
        assert_eq!(update.dropped_events, 0);
        tasks.extend(update.new_tasks.into_iter().map(|task| (task.id.unwrap().id, task)));
        stats.extend(update.stats_update);
        let of_kind = tasks.iter().filter(|(_id, task)| field(task, "kind") == kind);
        let known: Option<Vec<_>> =
            of_kind.map(|(id, task)| Some((task.clone(), stats.get(id)?.clone()))).collect();
        match known {
            Some(all)
                if !all.is_empty() && all.iter().all(|(_, stats)| stats.dropped_at.is_some()) =>
            {
                return all;
            }
            _ => {}
        }
    }
}

fn field(task: &Task, name: &str) -> String {
    let is_it = |it: &Name| matches!(it, Name::StrName(it) if it == name);
    let field = task.fields.iter().find(|field| field.name.as_ref().is_some_and(is_it));
    match field.and_then(|field| field.value.clone()) {
        Some(Value::StrVal(text) | Value::DebugVal(text)) => text,
        Some(Value::U64Val(number)) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

fn program() {
    eventlet::run(async {
        eventlet::debug::trace_green_threads(true);
        let stackless = spawn(async {
            sleep(Duration::ZERO).await;
            thread::sleep(Duration::from_millis(20));
            sleep(Duration::from_millis(50)).await;
        });
        stackless.set_name("stackless");
        let in_the_other_colour = spawn(stackful(|| {
            sleep(Duration::ZERO).block();
            thread::sleep(Duration::from_millis(20));
            sleep(Duration::from_millis(50)).block();
        }));
        in_the_other_colour.set_name("stackful");
        stackless.await.unwrap();
        in_the_other_colour.await.unwrap();
    });
}

#[test]
fn the_console_lists_green_threads_of_both_colours() {
    let (layer, server) =
        ConsoleLayer::builder().publish_interval(Duration::from_millis(20)).build();
    let address = serve(server);
    // The server ends with it.
    let console = Dispatch::new(registry().with(layer));
    tracing::dispatcher::with_default(&console, program);

    let tasks = Runtime::new().unwrap().block_on(tasks_of(address, "green"));
    for name in ["stackless", "stackful"] {
        let found: Vec<_> =
            tasks.iter().filter(|(task, _)| field(task, "task.name") == name).collect();
        let [(task, stats)] = found[..] else { panic!("{name}: {tasks:?}") };
        let place = task.location.as_ref().unwrap();
        assert!(place.file.as_ref().unwrap().ends_with("console.rs"), "{place:?}");
        assert!(place.line.is_some_and(|line| line > 80) && place.column.is_some(), "{place:?}");
        assert!(field(task, "task.id").parse::<u64>().unwrap() > 1);

        let polls = stats.poll_stats.as_ref().unwrap();
        let busy = Duration::try_from(polls.busy_time.unwrap()).unwrap();
        assert_eq!((polls.polls, stats.wakes), (3, 2), "{name}: {stats:?}");
        assert!(busy >= Duration::from_millis(20), "{name}: {busy:?}");
        let since =
            |time: Option<prost_types::Timestamp>| SystemTime::try_from(time.unwrap()).unwrap();
        let lived = since(stats.dropped_at).duration_since(since(stats.created_at)).unwrap();
        assert!(lived >= busy + Duration::from_millis(40), "{name}: idle too: {lived:?}");
        // By value, a wakeup is a drop, too. So tokio-console knows that no waker is lost.
        assert_eq!(stats.waker_clones, stats.waker_drops, "{name}: {stats:?}");
        assert!(stats.waker_clones > 0, "{name}: {stats:?}");
    }
    // Main, too, is one from the turn on that comes after tracing was switched on.
    assert_eq!(tasks.len(), 3, "{tasks:?}");
}
