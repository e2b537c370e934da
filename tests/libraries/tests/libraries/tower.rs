//! tower: services of plain functions that wait, and its layers around them.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use eventlet::{Block, Flat, GreenPool, HubThread, sleep, stackful};
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{green, run, serve};

/// How many run, and how many did at most.
#[derive(Clone, Default)]
struct Running(Rc<Cell<(u32, u32)>>);

impl Running {
    fn enter(&self) -> Running {
        let (now, most) = self.0.get();
        self.0.set((now + 1, most.max(now + 1)));
        self.clone()
    }
}

/// Takes one off again.
struct Leaves(Running);

impl Drop for Leaves {
    fn drop(&mut self) {
        let (now, most) = self.0.0.get();
        self.0.0.set((now - 1, most));
    }
}

/// A plain function that waits.
fn double(n: u64, running: &Running) -> io::Result<u64> {
    let _leaves = Leaves(running.enter());
    sleep(Duration::from_millis(n)).block();
    Ok(n * 2)
}

#[test]
fn a_plain_function_is_a_service_that_layers_bound() {
    run(|| {
        let running = Running::default();
        let same = running.clone();
        let service = service_fn(move |n| {
            let running = same.clone();
            stackful(move || double(n, &running))
        });
        let limited = ServiceBuilder::new()
            .concurrency_limit(3)
            .timeout(Duration::from_secs(5))
            .service(service);
        let pool = GreenPool::new(10);
        let ask = |n| {
            let service = limited.clone();
            stackful(move || service.oneshot(n).block().unwrap())
        };
        let doubled: Vec<_> = pool.imap(ask, 1..=20).collect().block();
        assert!(doubled.into_iter().map(Result::unwrap).eq((1..=20).map(|n| n * 2)));
        assert_eq!(running.0.get(), (0, 3));
    });
}

#[test]
fn a_request_that_takes_too_long_is_unwound() {
    run(|| {
        let running = Running::default();
        let same = running.clone();
        let service = service_fn(move |n| {
            let running = same.clone();
            stackful(move || double(n, &running))
        });
        let mut limited = ServiceBuilder::new().timeout(Duration::from_millis(10)).service(service);
        let late = limited.ready().block().unwrap().call(60_000).block().unwrap_err();
        assert!(late.is::<Elapsed>());
        assert_eq!(running.0.get(), (0, 1));

        let victim = green(move || limited.ready().block().unwrap().call(1).block().unwrap());
        sleep(Duration::ZERO).block();
        victim.kill();
        assert_eq!(running.0.get().0, 0);
    });
}

/// A plain function of the web.
fn page(request: &Request<Body>) -> io::Result<Response<Body>> {
    sleep(Duration::from_millis(1)).block();
    match request.uri().path() {
        "/panic" => panic!("on purpose"),
        path => Ok(Response::new(Body::from(format!("this is {path}")))),
    }
}

/// Makes a service, `Send` and `Sync`, of a plain function that a hub runs on green stacks.
fn on_hub(hub: HubThread) -> BoxCloneSyncService<Request<Body>, Response<Body>, Infallible> {
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let answer = hub.spawn(move || stackful(move || page(&request)));
        async move {
            let answer = answer.await.flat();
            Ok(answer.unwrap_or_else(|error| {
                let text = Body::from(error.to_string());
                Response::builder().status(500).body(text).unwrap()
            }))
        }
    }))
}

#[test]
fn axum_on_any_runtime_has_plain_functions_run_on_a_hub() {
    run(|| {
        let hub = HubThread::start();
        let routes = Router::new().fallback_service(on_hub(hub.clone()));
        let address = serve(routes).block();
        let get = |path: &str| reqwest::get(format!("http://{address}/{path}")).block().unwrap();
        assert_eq!(get("here").text().block().unwrap(), "this is /here");
        let failed = get("panic");
        assert_eq!(failed.status(), 500);
        assert!(failed.text().block().unwrap().contains("on purpose"));
        assert_eq!(get("there").text().block().unwrap(), "this is /there");
        hub.shutdown().block();
    });
}
